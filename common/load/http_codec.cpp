#include <strings.h>

#include <algorithm>
#include <optional>

#include "common/load/codec.h"
#include "common/load/text_answer.h"

namespace minivault::load {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::size_t kLongestHead = 16'384;
constexpr std::string_view kDataBegin = R"({"success":true,"data":")";
constexpr std::string_view kDataEnd = "\"}";

struct Head {
  Answer::Kind kind = Answer::Kind::kBad;
  std::uint64_t body_bytes = 0;
};

Answer::Kind kind_of_status(unsigned status) {
  if (status >= 200 && status < 300) return Answer::Kind::kDone;
  return status == 404 ? Answer::Kind::kMissing : Answer::Kind::kRefused;
}

/// The value of the header `name`, trimmed at its front.
std::optional<std::string_view> header(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    std::string_view line = head.substr(at + 1);
    line = line.substr(0, line.find('\r'));
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (::strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
    line.remove_prefix(name.size() + 1);
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
    return line;
  }
  return std::nullopt;
}

/// Every answer this generator asks for has a Content-Length; chunks are not read.
Head parse_head(std::string_view head) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  if (!head.starts_with(kVersion)) return {};
  const auto status = number_of(head.substr(kVersion.size(), 3));
  const auto length = header(head, "Content-Length");
  if (!status || *status < 200) return {};
  if (!length) return {*status == 204 ? Answer::Kind::kDone : Answer::Kind::kBad, 0};
  const auto bytes = number_of(*length);
  if (!bytes || *bytes > kLargestBody) return {};
  return {kind_of_status(static_cast<unsigned>(*status)), *bytes};
}

/// What minivault puts around a value is taken off; a plain body is the value.
std::string_view value_in(std::string_view body) {
  if (!body.starts_with(kDataBegin) || !body.ends_with(kDataEnd)) return body;
  return body.substr(kDataBegin.size(), body.size() - kDataBegin.size() - kDataEnd.size());
}

class HttpCodec final : public Codec {
 public:
  explicit HttpCodec(const std::string& auth_key) : headers_("Host: bench\r\n") {
    if (!auth_key.empty()) headers_ += "Authorization: Bearer " + auth_key + "\r\n";
  }

  void append_get(std::string& out, std::string_view key) const override {
    out.append("GET /").append(key).append(" HTTP/1.1\r\n").append(headers_).append(kLineEnd);
  }

  void append_set(std::string& out, std::string_view key, std::string_view value) const override {
    constexpr std::string_view kBegin = R"({"value":")";
    const std::size_t body_bytes = kBegin.size() + value.size() + kDataEnd.size();
    out.append("PUT /").append(key).append(" HTTP/1.1\r\n").append(headers_);
    out.append("Content-Type: application/json\r\nContent-Length: ").append(std::to_string(body_bytes));
    out.append(kHeadEnd).append(kBegin).append(value).append(kDataEnd);
  }

  [[nodiscard]] Answer parse(std::string_view input) override {
    if (known_head_.empty() || !input.starts_with(known_head_)) {
      const std::size_t end = input.find(kHeadEnd);
      if (end == std::string_view::npos) {
        return {input.size() > kLongestHead ? Answer::Kind::kBad : Answer::Kind::kUnknown, 0, {}};
      }
      known_head_ = input.substr(0, end + kHeadEnd.size());
      head_ = parse_head(known_head_);
    }
    if (head_.kind == Answer::Kind::kBad) return {Answer::Kind::kBad, 0, {}};
    const std::uint64_t size = known_head_.size() + head_.body_bytes;
    if (input.size() < size) return {head_.kind, size, {}};
    return {head_.kind, size, value_in(input.substr(known_head_.size(), head_.body_bytes))};
  }

 private:
  std::string headers_;
  std::string known_head_;  ///< answers in a row mostly begin with the same bytes: compared, not parsed again
  Head head_;               ///< what known_head_ says
};

}  // namespace

std::unique_ptr<Codec> make_http_codec(const std::string& auth_key) {
  return std::make_unique<HttpCodec>(auth_key);
}

}  // namespace minivault::load
