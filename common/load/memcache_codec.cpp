#include "common/load/text_answer.h"

namespace minivault::load {
namespace {

class MemcacheCodec final : public Codec {
 public:
  void append_get(std::string& out, std::string_view key) const override {
    out.append("mg ").append(key).append(" v").append(kLineEnd);
  }

  void append_set(std::string& out, std::string_view key, std::string_view value) const override {
    out.append("ms ").append(key).append(" ").append(std::to_string(value.size())).append(kLineEnd);
    out.append(value).append(kLineEnd);
  }

  [[nodiscard]] Answer parse(std::string_view input) override {
    const auto line = first_line(input);
    if (!line) return no_line_answer(input);
    const std::string_view word = line->substr(0, line->find(' '));
    if (word == "VA") {
      const std::string_view rest = line->substr(std::min(line->size(), word.size() + 1));
      const auto bytes = number_of(rest.substr(0, rest.find(' ')));
      return bytes ? value_answer(input, *line, *bytes) : Answer{Answer::Kind::kBad, 0, {}};
    }
    if (word == "HD") return line_answer(Answer::Kind::kDone, *line);
    if (word == "EN" || word == "NF") return line_answer(Answer::Kind::kMissing, *line);
    if (word == "NS" || word == "EX" || word == "ERROR" || word == "CLIENT_ERROR" || word == "SERVER_ERROR") {
      return line_answer(Answer::Kind::kRefused, *line);
    }
    return {Answer::Kind::kBad, 0, {}};
  }
};

}  // namespace

std::unique_ptr<Codec> make_memcache_codec() {
  return std::make_unique<MemcacheCodec>();
}

}  // namespace minivault::load
