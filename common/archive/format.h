#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/error.h"
#include "common/store/operation.h"
#include "common/store/version.h"

/// The bytes of an archive (README.md has the map): encoding, and decoding that trusts nothing. No I/O.
namespace minivault::archive {

inline constexpr std::uint32_t kFormat = 1;
inline constexpr std::size_t kHeaderBytes = 72;
inline constexpr std::size_t kMarkBytes = 4;
inline constexpr std::size_t kBlockHeadBytes = 40;
inline constexpr std::size_t kTrailerBytes = 56;
inline constexpr std::size_t kRecordHeadBytes = 24;
/// A block is closed once it holds this much; one large record makes a larger one.
inline constexpr std::size_t kBlockBytes = 256 * 1024;
/// The largest record and what may have been in its block before it.
inline constexpr std::uint64_t kLargestBlock =
    (std::uint64_t{1} << 32) + 65'535 + kRecordHeadBytes + kBlockBytes;

/// What an archive says of itself before its records.
struct Header {
  std::uint64_t store_id = 0;
  std::uint64_t node_id = 0;
  std::uint64_t lsn =
      0;  ///< of that node: the records are its state when all before had happened, and no more
  std::uint64_t last_hlc = 0;  ///< no record, nor any forgotten delete, has a larger one
  std::uint64_t made_ms = 0;   ///< since 1970
  std::uint64_t records = 0;   ///< how many will follow; for progress
};

struct Record {
  store::Operation operation = store::Operation::kSet;
  std::uint8_t flags = 0;
  store::Version version;
  std::string_view key;
  std::string_view value;
};

struct Counts {
  std::uint64_t blocks = 0;
  std::uint64_t keys = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t notes = 0;
  std::uint64_t raw_bytes = 0;  ///< of all records before compression

  void add(const Record& record);
  [[nodiscard]] std::uint64_t records() const { return keys + tombstones + notes; }
  bool operator==(const Counts&) const = default;
};

struct BlockHead {
  std::uint32_t records = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t hash = 0;  ///< of the stored bytes; seeds the next block's
};

/// Every hash is seeded by the one before, from the header's on: so a block that is missing, doubled or out
/// of place is as damaged as one with a flipped bit.
using Chain = std::uint64_t;

[[nodiscard]] std::array<char, kHeaderBytes> encode_header(const Header& header, Chain& chain);
/// Errors: kCorrupt, saying what is wrong.
[[nodiscard]] Result<Header> decode_header(std::string_view bytes, Chain& chain);

[[nodiscard]] std::uint64_t hash_stored(std::string_view stored, Chain chain);
[[nodiscard]] std::array<char, kBlockHeadBytes> encode_block_head(const BlockHead& head, Chain chain);
[[nodiscard]] Result<BlockHead> decode_block_head(std::string_view bytes, Chain chain);

[[nodiscard]] std::array<char, kTrailerBytes> encode_trailer(const Counts& counts, Chain chain);
[[nodiscard]] Result<Counts> decode_trailer(std::string_view bytes, Chain chain);

enum class Mark { kBlock, kTrailer, kNeither };
/// REQUIRES: kMarkBytes bytes.
[[nodiscard]] Mark read_mark(std::string_view bytes);

void append_record(std::string& block, const Record& record);
/// Takes the record at the front of `block` off it; the views point there. Errors: kCorrupt.
[[nodiscard]] Result<Record> take_record(std::string_view& block);

}  // namespace minivault::archive
