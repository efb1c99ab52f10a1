// Goal: whatever a client sends, requests of the binary protocol are found where they are, and what was said
// of the first bytes stays true when more come. Method: pipelined input, each request parsed whole and from
// every beginning of it; values undone as zstd frames.

#include "common/core/assert.h"
#include "common/protocol/binary.h"
#include "common/protocol/compression.h"
#include "tests/fuzz/fuzz.h"

namespace minivault::fuzz {
namespace {

using protocol::BinaryParse;
using protocol::BinaryRequest;

constexpr protocol::BinaryLimits kLimits{1 << 16, 1 << 17};
constexpr std::uint64_t kLargestContent = 1 << 20;

void check_beginnings(std::string_view input, const BinaryParse& whole) {
  for (std::size_t size = 0; size < std::min<std::size_t>(input.size(), 64); ++size) {
    BinaryRequest request;
    const BinaryParse part = protocol::parse_binary(input.substr(0, size), kLimits, request);
    if (part.kind == BinaryParse::Kind::kNeedMore) {
      MV_ASSERT(part.size > size);
      if (whole.kind == BinaryParse::Kind::kRequest) MV_ASSERT(part.size <= whole.size);
    } else {
      MV_ASSERT(part.kind == whole.kind && part.size == whole.size);
    }
  }
}

}  // namespace

void check(std::string_view input) {
  while (!input.empty()) {
    BinaryRequest request;
    const BinaryParse parse = protocol::parse_binary(input, kLimits, request);
    check_beginnings(input, parse);
    if (parse.kind == BinaryParse::Kind::kRequest) {
      MV_ASSERT(parse.size <= input.size() && !(request.compressed && request.value.data() == nullptr));
      if (request.compressed) {
        const Result<std::string> content = protocol::decompress_frame(request.value, kLargestContent);
        MV_ASSERT(!content || content->size() <= kLargestContent);
      }
    } else if (parse.kind != BinaryParse::Kind::kSkip) {
      return;
    }
    MV_ASSERT(parse.size > 0);
    input.remove_prefix(std::min<std::uint64_t>(parse.size, input.size()));
  }
}

std::vector<std::string> seeds() {
  const auto request = [](char opcode, std::string_view key, std::string_view value, bool compressed) {
    std::string bytes(1, opcode);
    bytes += static_cast<char>(key.size());
    bytes += '\0';
    bytes += key;
    bytes += static_cast<char>(value.size());
    bytes += std::string(3, '\0');
    bytes += compressed ? '\1' : '\0';
    return bytes += value;
  };
  const std::string frame = protocol::compress_frame("a value that is compressed").value_or("");
  std::vector<std::string> seeds{request(2, "key", "value", false), request(2, "key", frame, true),
                                 request(4, "hello", "", false)};
  for (const char opcode : {1, 3, 5, 6}) seeds.push_back(std::string{opcode, 1, 0, 'k'});
  seeds.push_back(seeds[0] + seeds[1] + seeds[3]);
  return seeds;
}

}  // namespace minivault::fuzz
