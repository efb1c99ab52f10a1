#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/core/error.h"
#include "common/store/base.h"

/// The bytes of the base's tables (SCHEMA.md): encoding, and decoding that trusts nothing. No I/O.
namespace minivault::store::base {

inline constexpr std::size_t kMaxKey = 65'535;
inline constexpr std::size_t kMaxPlainKey = 494;  ///< longer keys are stored as prefix and hash
inline constexpr std::size_t kKeyPrefix = 495;
inline constexpr std::size_t kHashedKey = kKeyPrefix + 16;  ///< LMDB's largest key
inline constexpr std::size_t kRecordHeader = 24;
inline constexpr std::size_t kMetaBytes = 88;
inline constexpr std::uint32_t kMetaFormat = 1;

/// A key as LMDB holds it. Views the key it was made from, which must outlive it.
class StoredKey {
 public:
  /// REQUIRES: 1 to kMaxKey bytes.
  StoredKey(std::string_view key, std::uint64_t hash_seed);
  StoredKey(const StoredKey&) = delete;
  StoredKey& operator=(const StoredKey&) = delete;

  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  /// What goes beside the value: the whole key where only its hash is stored, else nothing.
  [[nodiscard]] std::string_view beside_value() const { return beside_value_; }

 private:
  std::array<char, kHashedKey> hashed_;  // filled for long keys only
  std::string_view bytes_;
  std::string_view beside_value_;
};

[[nodiscard]] inline std::size_t record_bytes(const StoredKey& key, const BaseRecord& record) {
  return kRecordHeader + key.beside_value().size() + record.value.size();
}
/// Writes record_bytes() bytes to `to`.
void encode_record(const StoredKey& key, const BaseRecord& record, char* to);
/// Whether `bytes` are what encode_record() wrote under `stored_key`. decode_record() does not ask.
[[nodiscard]] bool checksum_holds(std::string_view stored_key, std::string_view bytes);

struct StoredRecord {
  std::string_view key;  ///< the whole one
  BaseRecord record;
};
enum class Table { kData, kNotes };
/// Views into both arguments. Errors: kCorrupt, saying what is wrong.
[[nodiscard]] Result<StoredRecord> decode_record(Table table, std::string_view stored_key,
                                                 std::string_view bytes);

/// The same for the usual record, whose stored key is its key, in a fraction of the time. False: it is
/// another one, or none; decode_record() tells.
[[nodiscard]] bool decode_usual(Table table, std::string_view stored_key, std::string_view bytes,
                                BaseRecord& record);

/// As what a record is counted that may be damaged: if that is in its operation, the checksum tells.
[[nodiscard]] Operation operation_of(std::string_view stored_key, std::string_view bytes);

[[nodiscard]] std::array<char, kMetaBytes> encode_meta(const BaseMeta& meta);
/// Errors: kCorrupt, saying what is wrong.
[[nodiscard]] Result<BaseMeta> decode_meta(std::string_view bytes);

}  // namespace minivault::store::base
