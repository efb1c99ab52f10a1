// Goal: whatever stands in a backup, restore reads records that could have been written, or says what is
// wrong; and takes no memory for what a length only claims. Method: the first byte says how much of the input
// is made sound around it, for no fuzzer guesses a hash: nothing; the block's content; head and content.

#include <cstring>

#include "common/archive/reader.h"
#include "common/archive/writer.h"
#include "common/core/assert.h"
#include "common/protocol/compression.h"
#include "tests/fuzz/fuzz.h"

namespace minivault::fuzz {
namespace {

using namespace archive;

constexpr std::size_t kPiece = 97;  // no block ends where what was read ends

template <typename Bytes>
void append(std::string& out, const Bytes& bytes) {
  out.append(bytes.data(), bytes.size());
}

/// An archive of one block with this content, which claims to have so many records.
std::string around(std::string_view content, std::uint32_t records, const Counts& counts, int raw_too_many) {
  Chain chain = 0;
  std::string out;
  append(out, encode_header({1, 2, 3, 4, 5, records}, chain));
  const std::string stored = protocol::compress_frame(content).value_or("");
  const BlockHead head{records, content.size() + static_cast<std::uint64_t>(raw_too_many), stored.size(),
                       hash_stored(stored, chain)};
  append(out, encode_block_head(head, chain));
  out += stored;
  append(out, encode_trailer(counts, head.hash));
  return out;
}

void read_all(std::string_view bytes) {
  const auto source = [&](std::span<char> room) -> Result<std::size_t> {
    const std::size_t size = std::min({room.size(), bytes.size(), kPiece});
    std::memcpy(room.data(), bytes.data(), size);
    bytes.remove_prefix(size);
    return size;
  };
  Result<Reader> reader = Reader::open(source);
  if (!reader) return;
  while (true) {
    const auto record = reader->next();
    if (!record || !*record) return;
    MV_ASSERT(!(*record)->key.empty() && (*record)->key.size() <= 65'535);
  }
}

}  // namespace

void check(std::string_view input) {
  const std::uint8_t mode = take_byte(input) % 4;
  if (mode == 0) return read_all(input);
  Counts counts;
  std::uint32_t records = 0;
  for (std::string_view left = input; !left.empty(); ++records) {
    const Result<Record> record = take_record(left);
    if (!record) break;
    counts.add(*record);
  }
  counts.blocks = 1;
  counts.raw_bytes = input.size();
  if (mode == 1) return read_all(around(input, records, counts, 0));
  const int off = take_byte(input);
  if (mode == 2) return read_all(around(input, static_cast<std::uint32_t>(off), counts, 0));
  read_all(around(input, records, counts, off));
}

std::vector<std::string> seeds() {
  std::string whole(1, '\0');
  Writer writer([&](std::string_view bytes) {
    whole += bytes;
    return Status();
  });
  const Record set{store::Operation::kSet, 1, {9, 7}, "key", "\"value\""};
  const Record gone{store::Operation::kDelete, 0, {10, 7}, "other", ""};
  (void)writer.begin({1, 2, 3, 4, 5, 2});
  (void)writer.add(set);
  (void)writer.add(gone);
  (void)writer.finish();
  std::string block;
  append_record(block, set);
  append_record(block, gone);
  return {whole, '\1' + block, std::string("\2\2") + block, std::string("\3\0", 2) + block};
}

}  // namespace minivault::fuzz
