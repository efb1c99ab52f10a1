#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/shared/layout.h"

namespace minivault::store {

using shared::Lsn;

/// Where the newest record of each recently written key is: a hash table of single-word slots in shared
/// memory.
///
/// A word is 12 bits of tag and 52 bits of LSN / 8; 0 is empty. A key may live in any of the 16 words of its
/// group (two cache lines). Words are taken from the front, so behind an empty one there is nothing: most
/// lookups touch one line. A slot is alive while its LSN is at or after the
/// window: evicting is advancing one watermark, nothing is ever erased. The record's own LSN and key decide,
/// so a word that says something untrue (a wrapped LSN after 32 PB, a tag that two keys share) costs one
/// comparison and nothing else.
///
/// Readers take no lock. Writers hold the append lock. Dies with the node; recovery starts with all slots
/// dead.
class Index {
 public:
  static constexpr unsigned kGroupWords = 16;
  static constexpr std::uint64_t kNoWord = ~std::uint64_t{0};

  Index(std::span<std::atomic<std::uint64_t>> words, std::uint64_t seed)
      : words_(words), group_mask_(words.size() / kGroupWords - 1), seed_(seed) {}

  /// Notes have names of their own, which never meet a client's keys.
  [[nodiscard]] std::uint64_t hash(std::string_view key, bool is_note) const;
  [[nodiscard]] std::uint64_t group(std::uint64_t hash) const { return hash & group_mask_; }
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(group_of(hash)); }

  /// The newest record of a key, or kNoLsn. `is_key(lsn)` compares the record at `lsn` with the key.
  /// The slot of a key is replaced in place while it is alive, so at most one alive slot of a key exists
  /// under the window of any instant: load `window` (acquire) in the same read, before this call, and the
  /// first match is it.
  template <typename IsKey>
  [[nodiscard]] Lsn find(std::uint64_t hash, Lsn window, IsKey&& is_key) const {
    const std::atomic<std::uint64_t>* group = group_of(hash);
    for (unsigned i = 0; i < kGroupWords; ++i) {
      // Acquire: pairs with publish(), so the record's bytes are there when the slot is seen.
      const std::uint64_t word = group[i].load(std::memory_order_acquire);
      if (word == 0) break;
      if (tag_of(word) != tag_of_hash(hash)) continue;
      const Lsn lsn = lsn_of(word, window);
      if (lsn != shared::kNoLsn && is_key(lsn)) return lsn;
    }
    return shared::kNoLsn;
  }

  /// The record that find() would look at first, or kNoLsn: for a look ahead of it.
  [[nodiscard]] Lsn candidate(std::uint64_t hash, Lsn window) const {
    return find(hash, window, [](Lsn) { return true; });
  }

  /// Where a record of this key can go.
  struct Place {
    std::uint64_t word = kNoWord;   ///< kNoWord: no slot is free
    Lsn replaces = shared::kNoLsn;  ///< the key's alive record that this place holds now
    Lsn oldest = shared::kNoLsn;    ///< of the group's alive slots, where none is free
  };

  /// The key's own slot, else a free one that `is_taken(word)` does not claim. REQUIRES: the append lock.
  template <typename IsKey, typename IsTaken>
  [[nodiscard]] Place place(std::uint64_t hash, Lsn window, IsKey&& is_key, IsTaken&& is_taken) const {
    const std::uint64_t first = group(hash) * kGroupWords;
    Place place;
    for (std::uint64_t at = first; at < first + kGroupWords; ++at) {
      const std::uint64_t word = words_[at].load(std::memory_order_relaxed);
      const Lsn lsn = word == 0 ? shared::kNoLsn : lsn_of(word, window);
      if (lsn == shared::kNoLsn) {
        if (place.word == kNoWord && !is_taken(at)) place.word = at;
        if (word == 0 && place.word != kNoWord) break;
        continue;
      }
      if (tag_of(word) == tag_of_hash(hash) && is_key(lsn)) return {at, lsn, shared::kNoLsn};
      if (lsn < place.oldest) place.oldest = lsn;  // kNoLsn is the largest
    }
    return place;
  }

  /// Makes the record at `lsn` the newest of its key. REQUIRES: the append lock; the bytes are in the ring.
  void publish(std::uint64_t word, std::uint64_t hash, Lsn lsn) const {
    // Release: pairs with find().
    words_[word].store((tag_of_hash(hash) << kLsnBits) | ((lsn >> 3) & kLsnMask), std::memory_order_release);
  }

  /// Of `sample` groups, how many slots are alive, scaled to the whole table. Any process.
  [[nodiscard]] std::uint64_t estimate_alive(Lsn window, std::uint64_t sample) const;

 private:
  static constexpr unsigned kLsnBits = 52;
  static constexpr std::uint64_t kLsnMask = (std::uint64_t{1} << kLsnBits) - 1;

  [[nodiscard]] static std::uint64_t tag_of(std::uint64_t word) { return word >> kLsnBits; }
  [[nodiscard]] static std::uint64_t tag_of_hash(std::uint64_t hash) { return hash >> kLsnBits; }

  /// The LSN of a word if it is alive, that is in [window, window + 2^54), else kNoLsn. An alive slot is at
  /// most one ring ahead of the window, so the distance tells alive from dead without the bits that were cut
  /// off.
  [[nodiscard]] static Lsn lsn_of(std::uint64_t word, Lsn window) {
    const std::uint64_t window8 = (window + 7) >> 3;
    const std::uint64_t ahead = (word - window8) & kLsnMask;  // the tag goes with what is cut off
    return ahead < kLsnMask / 2 ? (window8 + ahead) << 3 : shared::kNoLsn;
  }

  [[nodiscard]] const std::atomic<std::uint64_t>* group_of(std::uint64_t hash) const {
    return &words_[group(hash) * kGroupWords];
  }

  std::span<std::atomic<std::uint64_t>> words_;
  std::uint64_t group_mask_;
  std::uint64_t seed_;
};

}  // namespace minivault::store
