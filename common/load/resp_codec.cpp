#include "common/load/text_answer.h"

namespace minivault::load {
namespace {

void append_bulk(std::string& out, std::string_view text) {
  out.append("$").append(std::to_string(text.size())).append(kLineEnd).append(text).append(kLineEnd);
}

class RespCodec final : public Codec {
 public:
  RespCodec(std::string auth_key, std::uint64_t wait) : auth_key_(std::move(auth_key)), wait_(wait) {}

  void append_get(std::string& out, std::string_view key) const override {
    out.append("*2\r\n$3\r\nGET\r\n");
    append_bulk(out, key);
  }

  void append_set(std::string& out, std::string_view key, std::string_view value) const override {
    out.append("*3\r\n$3\r\nSET\r\n");
    append_bulk(out, key);
    append_bulk(out, value);
  }

  /// As long as it takes: what a replica never acknowledged is not done.
  [[nodiscard]] bool append_wait(std::string& out) const override {
    if (wait_ == 0) return false;
    out.append("*3\r\n$4\r\nWAIT\r\n");
    append_bulk(out, std::to_string(wait_));
    append_bulk(out, "0");
    return true;
  }

  [[nodiscard]] std::string greeting() const override {
    if (auth_key_.empty()) return {};
    std::string out = "*2\r\n$4\r\nAUTH\r\n";
    append_bulk(out, auth_key_);
    return out;
  }

  [[nodiscard]] Answer parse(std::string_view input) override {
    const auto line = first_line(input);
    if (!line) return no_line_answer(input);
    switch (input.front()) {
      case '$': {
        if (*line == "$-1") return line_answer(Answer::Kind::kMissing, *line);
        const auto bytes = number_of(line->substr(1));
        return bytes ? value_answer(input, *line, *bytes) : Answer{Answer::Kind::kBad, 0, {}};
      }
      case '+':
        return line_answer(Answer::Kind::kDone, *line);
      case ':': {
        const auto replicas = number_of(line->substr(1));
        if (!replicas) return {Answer::Kind::kBad, 0, {}};
        return line_answer(*replicas >= wait_ ? Answer::Kind::kDone : Answer::Kind::kRefused, *line);
      }
      case '_':
        return line_answer(Answer::Kind::kMissing, *line);
      case '-':
        return line_answer(Answer::Kind::kRefused, *line);
      default:
        return {Answer::Kind::kBad, 0, {}};
    }
  }

 private:
  std::string auth_key_;
  std::uint64_t wait_;
};

}  // namespace

std::unique_ptr<Codec> make_resp_codec(const std::string& auth_key, std::uint64_t wait) {
  return std::make_unique<RespCodec>(auth_key, wait);
}

}  // namespace minivault::load
