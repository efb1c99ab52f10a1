#include "common/store/record.h"

#include "common/store/large_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace minivault::store {

std::uint64_t hash_payload(std::string_view key, std::string_view value, std::uint64_t secret) {
  const std::uint64_t key_hash = XXH3_64bits_withSeed(key.data(), key.size(), secret);
  if (value.size() >= kLargeHash) return hash_large(value, key_hash);
  return XXH3_64bits_withSeed(value.data(), value.size(), key_hash);
}

std::uint32_t hash_header(RecordHeader header, std::uint64_t secret) {
  header.header_hash = 0;
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(&header, sizeof header, secret));
}

bool verify_record(const std::byte* bytes, Lsn lsn, std::uint64_t largest, std::uint64_t secret,
                   RecordView& out) {
  if (!view_record(bytes, lsn, largest, out)) return false;
  const RecordHeader& header = out.header;
  if (header.header_hash != hash_header(header, secret)) return false;
  const bool known = header.operation == Operation::kSet || header.operation == Operation::kDelete ||
                     header.operation == Operation::kNote;
  if (!known || header.key_size == 0) return false;
  return header.payload_hash == hash_payload(out.key, out.value, secret);
}

}  // namespace minivault::store
