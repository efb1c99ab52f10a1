// Goal: whatever a server answers `minivault bench`, each protocol's answers are found where they are, and
// what was said of the first bytes stays true when more come. Method: the input's first byte says which
// protocol; pipelined answers, each parsed whole and from every beginning of it.

#include <algorithm>
#include <memory>

#include "common/core/assert.h"
#include "common/load/codec.h"
#include "tests/fuzz/fuzz.h"

namespace minivault::fuzz {
namespace {

using load::Answer;
using load::Codec;
using Kind = load::Answer::Kind;

constexpr std::uint64_t kLargestAnswer = std::uint64_t{1}
                                         << 33U;  // a size that began again at zero is not near

std::unique_ptr<Codec> codec_of(unsigned protocol) {
  switch (protocol % 4) {
    case 0:
      return load::make_binary_codec("");
    case 1:
      return load::make_http_codec("");
    case 2:
      return load::make_resp_codec("", 1);
    default:
      return load::make_memcache_codec();
  }
}

void check_beginnings(unsigned protocol, std::string_view input, const Answer& whole) {
  const auto codec = codec_of(protocol);
  for (std::size_t size = 0; size < std::min<std::size_t>(input.size(), 64); ++size) {
    const Answer part = codec->parse(input.substr(0, size));
    if (part.kind == Kind::kUnknown) continue;
    if (part.kind == Kind::kBad) MV_ASSERT(whole.kind == Kind::kBad);
    if (whole.kind != Kind::kBad) MV_ASSERT(part.kind == whole.kind && part.size == whole.size);
  }
}

}  // namespace

void check(std::string_view input) {
  const unsigned protocol = take_byte(input);
  const auto codec = codec_of(protocol);
  while (!input.empty()) {
    const Answer answer = codec->parse(input);
    // It may remember heads, never what they mean.
    const Answer again = codec_of(protocol)->parse(input);
    MV_ASSERT(again.kind == answer.kind && again.size == answer.size && again.value == answer.value);
    check_beginnings(protocol, input, answer);
    if (answer.kind == Kind::kUnknown || answer.kind == Kind::kBad) {
      MV_ASSERT(answer.size == 0);
      return;
    }
    MV_ASSERT(answer.size > answer.value.size() && answer.size < kLargestAnswer);
    if (answer.size > input.size()) {
      MV_ASSERT(answer.value.empty());
      return;
    }
    if (!answer.value.empty()) {
      MV_ASSERT(answer.value.data() >= input.data() &&
                answer.value.data() + answer.value.size() <= input.data() + answer.size);
    }
    input.remove_prefix(answer.size);
  }
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  return {"\0\0\5\0\0\0hello\xff\0\0\0\0"s,
          "\1HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{\"success\":true,\"data\":\"hello\"}"
          "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"s,
          "\2$5\r\nhello\r\n$-1\r\n+OK\r\n:1\r\n_\r\n-ERR wrong\r\n"s,
          "\3VA 5 f0\r\nhello\r\nHD\r\nEN\r\nSERVER_ERROR out of memory\r\n"s};
}

}  // namespace minivault::fuzz
