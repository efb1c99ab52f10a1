#include "common/store/base_format.h"

#include <xxhash.h>

#include <bit>
#include <cstring>
#include <string>

#include "common/store/large_hash.h"

namespace minivault::store::base {
namespace {

// LMDB files are in the machine's byte order anyway; ours are little-endian machines.
static_assert(std::endian::native == std::endian::little);

struct RecordHeader {
  std::uint64_t hlc;
  std::uint64_t origin;
  std::uint8_t operation;
  std::uint8_t flags;
  std::uint16_t key_bytes;  // of the whole key that follows; 0: the stored key is the key
  std::uint32_t checksum;   // of the stored key, this header with 0 here, and what follows
};
static_assert(sizeof(RecordHeader) == kRecordHeader);

struct MetaRecord {
  std::uint32_t format;
  std::uint32_t mid_checkpoint;  // 0 or 1
  std::uint64_t store_id;
  std::uint64_t node_id;
  std::uint64_t checkpoint;
  std::uint64_t last_hlc;
  std::uint64_t keys;
  std::uint64_t tombstones;
  std::uint64_t ring_bytes;
  std::uint64_t starts;
  std::uint64_t key_hash_seed;
  std::uint64_t checksum;  // XXH3 of all before
};
static_assert(sizeof(MetaRecord) == kMetaBytes);

std::uint64_t checksum_of(const MetaRecord& stored) {
  return XXH3_64bits(&stored, offsetof(MetaRecord, checksum));
}

/// Each part's hash seeds the next one's. Low half of XXH3.
std::uint32_t checksum_of(std::string_view stored_key, RecordHeader header, const char* rest,
                          std::size_t size) {
  header.checksum = 0;
  const std::uint64_t key_hash = XXH3_64bits(stored_key.data(), stored_key.size());
  const std::uint64_t head_hash = XXH3_64bits_withSeed(&header, sizeof header, key_hash);
  const bool large = size >= kLargeHash;
  return static_cast<std::uint32_t>(large ? hash_large({rest, size}, head_hash)
                                          : XXH3_64bits_withSeed(rest, size, head_hash));
}

tl::unexpected<Error> corrupt(std::string what) {
  return fail(Code::kCorrupt, std::move(what));
}

bool operation_fits(Table table, std::uint8_t operation) {
  switch (static_cast<Operation>(operation)) {
    case Operation::kSet:
    case Operation::kDelete:
      return table == Table::kData;
    case Operation::kNote:
      return table == Table::kNotes;
  }
  return false;
}

/// The header's key length against the stored key and what follows the header.
Status check_key(std::string_view stored_key, const RecordHeader& header, std::string_view after_header) {
  if (stored_key.size() != kHashedKey) {
    if (stored_key.size() > kMaxPlainKey) {
      return corrupt("a stored key of " + std::to_string(stored_key.size()) + " bytes, which no key has");
    }
    if (header.key_bytes != 0) return corrupt("a whole key beside a short stored key");
    return {};
  }
  if (header.key_bytes < kKeyPrefix) {
    return corrupt("a hashed key of " + std::to_string(header.key_bytes) +
                   " bytes, which is too short to be hashed");
  }
  if (header.key_bytes > after_header.size())
    return corrupt("a record shorter than the key it claims to hold");
  if (after_header.substr(0, kKeyPrefix) != stored_key.substr(0, kKeyPrefix)) {
    return corrupt("a whole key with another prefix than its stored key");
  }
  return {};
}

}  // namespace

StoredKey::StoredKey(std::string_view key, std::uint64_t hash_seed) : bytes_(key) {
  if (key.size() <= kMaxPlainKey) return;
  XXH128_canonical_t hash;
  XXH128_canonicalFromHash(&hash, XXH3_128bits_withSeed(key.data(), key.size(), hash_seed));
  std::memcpy(hashed_.data(), key.data(), kKeyPrefix);
  std::memcpy(hashed_.data() + kKeyPrefix, hash.digest, sizeof hash.digest);
  bytes_ = std::string_view(hashed_.data(), hashed_.size());
  beside_value_ = key;
}

void encode_record(const StoredKey& key, const BaseRecord& record, char* to) {
  const std::string_view whole = key.beside_value();
  RecordHeader header{record.version.hlc,
                      record.version.origin,
                      static_cast<std::uint8_t>(record.operation),
                      record.flags,
                      static_cast<std::uint16_t>(whole.size()),
                      0};
  char* const rest = to + sizeof header;
  if (!whole.empty()) std::memcpy(rest, whole.data(), whole.size());
  if (!record.value.empty()) std::memcpy(rest + whole.size(), record.value.data(), record.value.size());
  header.checksum = checksum_of(key.bytes(), header, rest, whole.size() + record.value.size());
  std::memcpy(to, &header, sizeof header);
}

bool checksum_holds(std::string_view stored_key, std::string_view bytes) {
  RecordHeader header;
  if (bytes.size() < sizeof header) return false;
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::string_view rest = bytes.substr(sizeof header);
  return header.checksum == checksum_of(stored_key, header, rest.data(), rest.size());
}

Result<StoredRecord> decode_record(Table table, std::string_view stored_key, std::string_view bytes) {
  if (bytes.size() < sizeof(RecordHeader)) {
    return corrupt("a record of " + std::to_string(bytes.size()) + " bytes, shorter than its header");
  }
  RecordHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (!operation_fits(table, header.operation)) {
    return corrupt("a record with operation " + std::to_string(header.operation) +
                   ", which its table does not hold");
  }
  const std::string_view after_header = bytes.substr(sizeof header);
  if (auto checked = check_key(stored_key, header, after_header); !checked)
    return tl::unexpected(checked.error());

  StoredRecord stored;
  stored.key = header.key_bytes == 0 ? stored_key : after_header.substr(0, header.key_bytes);
  stored.record.operation = static_cast<Operation>(header.operation);
  stored.record.flags = header.flags;
  stored.record.version = {header.hlc, header.origin};
  stored.record.value = after_header.substr(header.key_bytes);
  return stored;
}

bool decode_usual(Table table, std::string_view stored_key, std::string_view bytes, BaseRecord& record) {
  if (bytes.size() < sizeof(RecordHeader) || stored_key.size() > kMaxPlainKey) return false;
  RecordHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.key_bytes != 0 || !operation_fits(table, header.operation)) return false;
  record = {static_cast<Operation>(header.operation),
            header.flags,
            {header.hlc, header.origin},
            bytes.substr(sizeof header)};
  return true;
}

Operation operation_of(std::string_view stored_key, std::string_view bytes) {
  RecordHeader header;
  if (bytes.size() < sizeof header) return Operation::kSet;
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::string_view rest = bytes.substr(sizeof header);
  const auto is = [&](Operation operation) {
    header.operation = static_cast<std::uint8_t>(operation);
    return header.checksum == checksum_of(stored_key, header, rest.data(), rest.size());
  };
  const Operation read =
      static_cast<Operation>(header.operation) == Operation::kDelete ? Operation::kDelete : Operation::kSet;
  const Operation other = read == Operation::kSet ? Operation::kDelete : Operation::kSet;
  return !is(read) && is(other) ? other : read;
}

std::array<char, kMetaBytes> encode_meta(const BaseMeta& meta) {
  MetaRecord stored{kMetaFormat,        meta.mid_checkpoint ? 1U : 0U,
                    meta.store_id,      meta.node_id,
                    meta.checkpoint,    meta.last_hlc,
                    meta.keys,          meta.tombstones,
                    meta.ring_bytes,    meta.starts,
                    meta.key_hash_seed, 0};
  stored.checksum = checksum_of(stored);
  return std::bit_cast<std::array<char, kMetaBytes>>(stored);
}

Result<BaseMeta> decode_meta(std::string_view bytes) {
  std::uint32_t format = 0;
  if (bytes.size() < sizeof format) return corrupt("the meta record has no format version");
  std::memcpy(&format, bytes.data(), sizeof format);
  if (format > kMetaFormat) {
    return corrupt("written by a newer version (format " + std::to_string(format) + ", this one reads " +
                   std::to_string(kMetaFormat) + ")");
  }
  if (format == 0) return corrupt("the meta record has format 0");
  if (bytes.size() != sizeof(MetaRecord)) {
    return corrupt("the meta record has " + std::to_string(bytes.size()) + " bytes instead of " +
                   std::to_string(sizeof(MetaRecord)));
  }
  MetaRecord stored;
  std::memcpy(&stored, bytes.data(), sizeof stored);
  if (stored.checksum != checksum_of(stored)) return corrupt("the meta record's checksum does not match");

  BaseMeta meta;
  meta.store_id = stored.store_id;
  meta.node_id = stored.node_id;
  meta.checkpoint = stored.checkpoint;
  meta.last_hlc = stored.last_hlc;
  meta.keys = stored.keys;
  meta.tombstones = stored.tombstones;
  meta.ring_bytes = stored.ring_bytes;
  meta.starts = stored.starts;
  meta.key_hash_seed = stored.key_hash_seed;
  meta.mid_checkpoint = stored.mid_checkpoint != 0;
  return meta;
}

}  // namespace minivault::store::base
