#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/mapping.h"
#include "common/store/base.h"

namespace minivault::store {

/// What the base said of keys, their absence too, kept by one process so that the next read of one is two
/// cache misses instead of a walk through LMDB's pages. Of one thread; gone with its process.
///
/// Validity (DESIGN.md, reads, rule 2): what was filled at tail T is good as long as T >= window, for a later
/// write of the key would still be in the index, and whoever asks here has missed there before. Nobody has to
/// be told of a write.
///
/// Memory: `bytes` at most, table and entries, taken from the kernel as it is used. A bucket of the table is
/// one cache line: seven words (tag, uses, place of the entry) and the tags of four keys seen lately that
/// were not taken in. Entries lie in a ring in the order they came. Once it is full, the hand at its oldest
/// end frees room: an entry that was used goes back to the young end, another is dropped (CLOCK); and a key
/// is taken in only when it is asked for again, so a scan drops nothing (S3-FIFO's ghost queue, without its
/// small one).
class ReadCache {
 public:
  static constexpr std::uint64_t kLeastBytes = 256 << 10;  ///< with less it holds nothing, ever
  static constexpr std::size_t kLargestEntry = 4'096;      ///< of a larger value the copy costs what is saved

  explicit ReadCache(std::uint64_t bytes);

  [[nodiscard]] bool enabled() const { return buckets_ != nullptr; }

  // `hash` is always the key's, by the index.

  /// Fetches what find() looks at first.
  void prefetch(std::uint64_t hash) const {
    if (enabled()) __builtin_prefetch(&bucket_of(hash));
  }
  /// The second of its two cache misses.
  void prefetch_entry(std::uint64_t hash) const;

  /// What the base holds of the key: a record or nothing. False: it has to be asked. `window`: loaded after
  /// the miss in the index. The value is good until take_in().
  [[nodiscard]] bool find(std::string_view key, std::uint64_t hash, Lsn window,
                          std::optional<BaseRecord>& found);

  /// What the base said when find() was false; `tail`: as it was before the lookup in the index. The value
  /// must stay where it is until take_in().
  void offer(std::string_view key, std::uint64_t hash, Lsn tail, const std::optional<BaseRecord>& record);
  /// Keeps what was offered; what find() gave is void.
  void take_in();

  struct Counts {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t items = 0;
    std::uint64_t bytes = 0;  ///< of memory that holds something; the kernel may give it in larger pieces
  };
  [[nodiscard]] Counts counts() const;

 private:
  static constexpr unsigned kWords = 7;
  struct Bucket {
    std::uint64_t words[kWords];  // 16 bits of tag, 2 of uses, 46 of place / 8 + 1; 0: empty
    std::uint64_t seen;           // four tags, the youngest lowest
  };
  struct Entry {
    Lsn filled_at;
    std::uint64_t hash;
    Version version;
    std::uint32_t value_size;
    std::uint16_t key_size;
    Operation operation;
    std::uint8_t flags_and_known;
  };
  struct Offer {
    std::uint64_t hash;
    Lsn tail;
    std::size_t key_at;
    std::size_t key_size;
    std::optional<BaseRecord> record;
  };

  [[nodiscard]] Bucket& bucket_of(std::uint64_t hash) const { return buckets_[hash & bucket_mask_]; }
  [[nodiscard]] Entry entry_at(std::uint64_t place) const;
  [[nodiscard]] std::string_view key_at(std::uint64_t place, const Entry& entry) const;
  [[nodiscard]] std::optional<BaseRecord> record_at(std::uint64_t place, const Entry& entry) const;
  [[nodiscard]] std::uint64_t* word_of(std::string_view key, std::uint64_t hash) const;
  /// True if the word's entry says the same as `record`; it then is as good as one filled now.
  [[nodiscard]] bool refresh(std::uint64_t word, Lsn tail, const std::optional<BaseRecord>& record);
  void insert(const Offer& offer, std::string_view key);
  void note_touched(const Bucket& bucket);
  void make_room(std::uint64_t bytes);
  void move_hand(bool may_keep);

  Mapping memory_;
  Bucket* buckets_ = nullptr;  // in memory_, as the entries behind them
  std::uint64_t bucket_mask_ = 0;
  char* entries_ = nullptr;
  std::uint64_t room_ = 0;  // for entries

  // Entries lie in [hand_, lap_end_) and [0, head_) once head_ has gone around, else in [hand_ = 0, head_).
  std::uint64_t head_ = 0;
  std::uint64_t hand_ = 0;
  std::uint64_t lap_end_ = 0;
  bool around_ = false;
  bool full_ = false;  // it was, once
  std::uint64_t highest_ = 0;
  std::vector<bool> touched_;  ///< pages of the table that were ever written
  std::uint64_t touched_pages_ = 0;

  std::vector<Offer> offers_;
  std::string offered_keys_;
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
  std::uint64_t items_ = 0;
};

}  // namespace minivault::store
