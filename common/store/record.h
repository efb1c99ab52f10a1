#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "common/shared/layout.h"
#include "common/store/operation.h"
#include "common/store/version.h"

namespace minivault::store {

using shared::Lsn;

/// A record of the log: this header, the key, the value, zero bytes to the next multiple of 8. Little-endian,
/// the same bytes on disk, in memory and (later) on the wire. FORMAT.md beside this file has the byte map.
///
/// A record is valid at LSN x only if it says x itself and both hashes hold, so a record of an earlier lap of
/// the ring, or a torn one, is never taken for a live one. Both hashes are seeded by the ring's secret: bytes
/// that a client stored as a value cannot pose as a record.
struct RecordHeader {
  std::uint64_t lsn;
  std::uint64_t hlc;
  std::uint64_t origin;
  std::uint64_t
      payload_hash;  ///< XXH3-64 of the value, seeded by that of the key; made before the append lock
  std::uint32_t header_hash;  ///< low half of XXH3-64 of this header with this field 0; made under the lock
  std::uint32_t durable_lag;  ///< (lsn - durable as the writer saw it) / 8, capped: what was surely on disk
  std::uint32_t value_size;
  std::uint16_t key_size;
  Operation operation;
  std::uint8_t flags;

  [[nodiscard]] Lsn durable() const {
    const Lsn lag = Lsn{durable_lag} * 8;
    return lag > lsn ? 0 : lsn - lag;
  }
};
static_assert(sizeof(RecordHeader) == 48, "the record is a file format");
static_assert(std::is_trivially_copyable_v<RecordHeader>);

inline constexpr std::uint64_t kRecordAlignment = 8;
inline constexpr std::size_t kLargestKey = 65'535;

[[nodiscard]] constexpr std::uint64_t record_bytes(std::uint64_t key_size, std::uint64_t value_size) {
  return (sizeof(RecordHeader) + key_size + value_size + kRecordAlignment - 1) & ~(kRecordAlignment - 1);
}

/// A record where it lies. The views are good as long as the ring does not overwrite them (pins).
struct RecordView {
  RecordHeader header;
  std::string_view key;
  std::string_view value;

  [[nodiscard]] Lsn end() const { return header.lsn + record_bytes(header.key_size, header.value_size); }
  [[nodiscard]] Version version() const { return {header.hlc, header.origin}; }
  /// Without what is true of this place in this log alone.
  [[nodiscard]] std::uint8_t value_flags() const {
    return static_cast<std::uint8_t>(header.flags & ~kFlagsDecided);
  }
};

[[nodiscard]] std::uint64_t hash_payload(std::string_view key, std::string_view value, std::uint64_t secret);
[[nodiscard]] std::uint32_t hash_header(RecordHeader header, std::uint64_t secret);

/// The record at `bytes`, whose LSN should be `lsn`, unless it is not one: `largest` bounds its size. Checks
/// the LSN and the sizes, no hash: for records that a slot of the index or the tail vouches for.
[[nodiscard]] inline bool view_record(const std::byte* bytes, Lsn lsn, std::uint64_t largest,
                                      RecordView& out) {
  std::memcpy(&out.header, bytes, sizeof out.header);
  const RecordHeader& header = out.header;
  if (header.lsn != lsn || record_bytes(header.key_size, header.value_size) > largest) return false;
  const char* payload = reinterpret_cast<const char*>(bytes) + sizeof header;
  out.key = {payload, header.key_size};
  out.value = {payload + header.key_size, header.value_size};
  return true;
}

/// The same for bytes that nobody vouches for: hashes and every field are checked.
[[nodiscard]] bool verify_record(const std::byte* bytes, Lsn lsn, std::uint64_t largest, std::uint64_t secret,
                                 RecordView& out);

}  // namespace minivault::store
