#include "common/archive/format.h"

#include <xxhash.h>

#include <bit>
#include <cstddef>
#include <cstring>
#include <string>

namespace minivault::archive {
namespace {

static_assert(std::endian::native == std::endian::little,
              "integers are copied to and from the file as they are");

constexpr std::uint64_t kMagic = 0x50554B434142564DULL;  // "MVBACKUP"
constexpr std::uint32_t kBlockMark = 0x4B4F4C42;         // "BLOK"
constexpr std::uint32_t kTrailerMark = 0x2E444E45;       // "END."

struct StoredHeader {
  std::uint64_t magic;
  std::uint32_t format;
  std::uint32_t reserved;
  Header header;
  std::uint64_t hash;
};
static_assert(sizeof(StoredHeader) == kHeaderBytes);

struct StoredBlockHead {
  std::uint32_t mark;
  std::uint32_t records;
  std::uint64_t raw_bytes;
  std::uint64_t stored_bytes;
  std::uint64_t stored_hash;
  std::uint64_t hash;
};
static_assert(sizeof(StoredBlockHead) == kBlockHeadBytes);

struct StoredTrailer {
  std::uint32_t mark;
  std::uint32_t reserved;
  Counts counts;
  std::uint64_t hash;
};
static_assert(sizeof(StoredTrailer) == kTrailerBytes);

struct StoredRecordHead {
  std::uint64_t hlc;
  std::uint64_t origin;
  std::uint32_t value_bytes;
  std::uint16_t key_bytes;
  std::uint8_t operation;
  std::uint8_t flags;
};
static_assert(sizeof(StoredRecordHead) == kRecordHeadBytes);

/// Of all but its own hash, which is last.
template <typename Stored>
std::uint64_t hash_of(const Stored& stored, Chain chain) {
  return XXH3_64bits_withSeed(&stored, offsetof(Stored, hash), chain);
}

template <typename Stored>
std::array<char, sizeof(Stored)> sealed(Stored stored, Chain chain) {
  stored.hash = hash_of(stored, chain);
  return std::bit_cast<std::array<char, sizeof(Stored)>>(stored);
}

template <typename Stored>
Stored load(std::string_view bytes) {
  Stored stored;
  std::memcpy(&stored, bytes.data(), sizeof stored);
  return stored;
}

tl::unexpected<Error> corrupt(std::string what) {
  return fail(Code::kCorrupt, std::move(what));
}

}  // namespace

void Counts::add(const Record& record) {
  switch (record.operation) {
    case store::Operation::kSet:
      ++keys;
      break;
    case store::Operation::kDelete:
      ++tombstones;
      break;
    case store::Operation::kNote:
      ++notes;
      break;
  }
  raw_bytes += kRecordHeadBytes + record.key.size() + record.value.size();
}

std::array<char, kHeaderBytes> encode_header(const Header& header, Chain& chain) {
  StoredHeader stored{kMagic, kFormat, 0, header, 0};
  chain = hash_of(stored, 0);
  return sealed(stored, 0);
}

Result<Header> decode_header(std::string_view bytes, Chain& chain) {
  if (bytes.size() < sizeof kMagic || load<std::uint64_t>(bytes) != kMagic)
    return corrupt("not a minivault backup");
  if (bytes.size() < kHeaderBytes) return corrupt("cut off in its header");
  const auto stored = load<StoredHeader>(bytes);
  // Before the hash: what a newer version hashes is its own business.
  if (stored.format > kFormat) {
    return corrupt("written by a newer version (format " + std::to_string(stored.format) +
                   ", this one reads " + std::to_string(kFormat) + ")");
  }
  if (stored.format == 0 || stored.hash != hash_of(stored, 0)) return corrupt("the header is damaged");
  chain = stored.hash;
  return stored.header;
}

std::uint64_t hash_stored(std::string_view stored, Chain chain) {
  return XXH3_64bits_withSeed(stored.data(), stored.size(), chain);
}

std::array<char, kBlockHeadBytes> encode_block_head(const BlockHead& head, Chain chain) {
  return sealed(StoredBlockHead{kBlockMark, head.records, head.raw_bytes, head.stored_bytes, head.hash, 0},
                chain);
}

Result<BlockHead> decode_block_head(std::string_view bytes, Chain chain) {
  const auto stored = load<StoredBlockHead>(bytes);
  if (stored.hash != hash_of(stored, chain)) return corrupt("its head is damaged or not in its place");
  if (stored.raw_bytes > kLargestBlock || stored.stored_bytes > kLargestBlock)
    return corrupt("its size cannot be");
  return BlockHead{stored.records, stored.raw_bytes, stored.stored_bytes, stored.stored_hash};
}

std::array<char, kTrailerBytes> encode_trailer(const Counts& counts, Chain chain) {
  return sealed(StoredTrailer{kTrailerMark, 0, counts, 0}, chain);
}

Result<Counts> decode_trailer(std::string_view bytes, Chain chain) {
  const auto stored = load<StoredTrailer>(bytes);
  if (stored.hash != hash_of(stored, chain))
    return corrupt("the end is damaged, or a part before it is missing");
  return stored.counts;
}

Mark read_mark(std::string_view bytes) {
  const auto mark = load<std::uint32_t>(bytes);
  if (mark == kBlockMark) return Mark::kBlock;
  return mark == kTrailerMark ? Mark::kTrailer : Mark::kNeither;
}

void append_record(std::string& block, const Record& record) {
  const StoredRecordHead head{record.version.hlc,
                              record.version.origin,
                              static_cast<std::uint32_t>(record.value.size()),
                              static_cast<std::uint16_t>(record.key.size()),
                              static_cast<std::uint8_t>(record.operation),
                              record.flags};
  const auto bytes = std::bit_cast<std::array<char, sizeof head>>(head);
  block.append(bytes.data(), bytes.size()).append(record.key).append(record.value);
}

Result<Record> take_record(std::string_view& block) {
  if (block.size() < kRecordHeadBytes) return corrupt("a record shorter than its head");
  const auto head = load<StoredRecordHead>(block);
  const std::uint64_t payload_bytes = std::uint64_t{head.key_bytes} + head.value_bytes;
  if (block.size() - kRecordHeadBytes < payload_bytes) return corrupt("a record longer than its block");
  if (head.key_bytes == 0) return corrupt("a record without a key");
  const auto operation = static_cast<store::Operation>(head.operation);
  if (operation != store::Operation::kSet && operation != store::Operation::kDelete &&
      operation != store::Operation::kNote) {
    return corrupt("a record with operation " + std::to_string(head.operation));
  }
  block.remove_prefix(kRecordHeadBytes);
  Record record{operation, head.flags, {head.hlc, head.origin}, block.substr(0, head.key_bytes), {}};
  record.value = block.substr(head.key_bytes, head.value_bytes);
  block.remove_prefix(static_cast<std::size_t>(payload_bytes));
  return record;
}

}  // namespace minivault::archive
