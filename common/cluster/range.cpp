#include "common/cluster/range.h"

#include <xxhash.h>

#include <utility>

namespace minivault::cluster {

void add(Fingerprint& fingerprint, const Item& item) {
  const std::uint64_t rest[] = {item.version.hlc, item.version.origin,
                                static_cast<std::uint64_t>(item.operation), item.value_hash};
  const XXH128_hash_t of_rest = XXH3_128bits(rest, sizeof rest);
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(item.key.data(), item.key.size(), of_rest.low64 ^ of_rest.high64);
  const std::uint64_t before = fingerprint.low;
  fingerprint.low += hash.low64;
  fingerprint.high += hash.high64 + (fingerprint.low < before ? 1 : 0);
  ++fingerprint.count;
}

std::uint64_t hash_value(std::uint8_t flags, std::string_view value) {
  return XXH3_64bits_withSeed(value.data(), value.size(), flags);
}

std::string_view boundary(std::string_view before, std::string_view key) {
  const std::string_view first = key.substr(0, kLongestBoundary);
  return before < first ? first : std::string_view();
}

std::size_t bucket_of(std::string_view key) {
  return XXH3_64bits(key.data(), key.size()) % kBuckets;
}

Buckets differing(const std::vector<Fingerprint>& here, const std::vector<Fingerprint>& there) {
  Buckets buckets;
  for (std::size_t i = 0; i < kBuckets; ++i) buckets.set(i, here[i] != there[i]);
  return buckets;
}

bool RangeCutter::add(const Item& item) {
  if (ranges_.back().sum.count >= chunk_) {
    if (const std::string_view begin = boundary(before_, item.key); !begin.empty()) {
      if (ranges_.size() == kMostRanges) {
        next_ = begin;
        return false;
      }
      ranges_.push_back({std::string(begin), {}});
    }
  }
  cluster::add(ranges_.back().sum, item);
  // Long keys come in another order on another node: the largest one is what a boundary must be beyond.
  if (before_ < item.key) before_ = item.key;
  return true;
}

}  // namespace minivault::cluster
