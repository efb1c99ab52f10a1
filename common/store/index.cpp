#include "common/store/index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace minivault::store {

std::uint64_t Index::hash(std::string_view key, bool is_note) const {
  return XXH3_64bits_withSeed(key.data(), key.size(), seed_ + (is_note ? 1 : 0));
}

std::uint64_t Index::estimate_alive(Lsn window, std::uint64_t sample) const {
  const std::uint64_t groups = group_mask_ + 1;
  const std::uint64_t looked = std::min(sample, groups);
  const std::uint64_t step = groups / looked;
  std::uint64_t alive = 0;
  for (std::uint64_t i = 0; i < looked; ++i) {
    const std::atomic<std::uint64_t>* group = &words_[i * step * kGroupWords];
    for (unsigned at = 0; at < kGroupWords; ++at) {
      const std::uint64_t word = group[at].load(std::memory_order_relaxed);
      if (word != 0 && lsn_of(word, window) != shared::kNoLsn) ++alive;
    }
  }
  return alive * groups / looked;
}

}  // namespace minivault::store
