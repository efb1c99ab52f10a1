#include <limits>

#include "common/load/codec.h"
#include "common/protocol/binary.h"

namespace minivault::load {
namespace {

class BinaryCodec final : public Codec {
 public:
  explicit BinaryCodec(std::string auth_key) : auth_key_(std::move(auth_key)) {}

  void append_get(std::string& out, std::string_view key) const override { protocol::append_get(out, key); }

  void append_set(std::string& out, std::string_view key, std::string_view value) const override {
    protocol::append_set(out, key, value);
  }

  [[nodiscard]] std::string greeting() const override {
    std::string out;
    if (!auth_key_.empty()) protocol::append_auth(out, auth_key_);
    return out;
  }

  [[nodiscard]] Answer parse(std::string_view input) override {
    using Parsed = protocol::ResponseParse::Kind;
    protocol::BinaryResponse response;
    const auto parse = protocol::parse_response(input, std::numeric_limits<std::uint32_t>::max(), response);
    switch (parse.kind) {
      case Parsed::kResponse:
        return {response.ok ? Answer::Kind::kDone : Answer::Kind::kRefused, parse.size, response.value};
      case Parsed::kNeedMore:
        if (input.size() < protocol::kResponseHeadBytes) return {};
        return {Answer::Kind::kDone, parse.size, {}};  // only a success has a body to wait for
      case Parsed::kBad:
        break;
    }
    return {Answer::Kind::kBad, 0, {}};
  }

 private:
  std::string auth_key_;
};

}  // namespace

std::unique_ptr<Codec> make_binary_codec(const std::string& auth_key) {
  return std::make_unique<BinaryCodec>(auth_key);
}

}  // namespace minivault::load
