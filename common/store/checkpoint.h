#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/shared/region.h"
#include "common/store/base.h"
#include "common/store/index.h"
#include "common/store/pace.h"
#include "common/store/ring.h"

namespace minivault::store {

/// Brings the base up to a later LSN of the log. Checkpointer process only; the base's single writer.
///
/// One checkpoint covers at most about an eighth of the ring (pace.h says why), and no more than kMostAtOnce
/// records. Its records are sorted by key
/// and applied in synced transactions of a few thousand keys; only the last of them stores the new checkpoint
/// LSN, so a death in between means doing some of it again, which changes nothing. A record that a newer one
/// of the same checkpoint supersedes is left out (ENGINE.md rule 9). Recovery is this same code over the
/// records that were not in the base yet.
class Checkpoint {
 public:
  /// At 24 bytes a record: what a large log of small records may take of memory.
  static constexpr std::size_t kMostAtOnce = 3'000'000;

  Checkpoint(shared::State& state, const Ring& ring, const Index& index, Base& base,
             std::size_t most_at_once = kMostAtOnce);

  /// A backlog that is due however young it is: small beside a ring, so that little is left to replay after a
  /// crash and the next checkpoint begins long before writers feel it; large enough to leave out most
  /// superseded records.
  [[nodiscard]] static std::uint64_t due_bytes(const Ring& ring) { return checkpoint_bytes(ring.size()); }

  /// Applies [checkpoint, E) with E <= `until` and publishes E. Once more with the same arguments goes on
  /// from there. REQUIRES: the log is durable up to `until`. OK: the new checkpoint LSN. Errors: kNoSpace
  /// (disk full: nothing was lost, try again later), kIo (a failed sync: the base takes no more), kCorrupt
  /// (what the log says is not a record).
  [[nodiscard]] Result<Lsn> run(Lsn until);
  /// The same at a start, while nobody appends: not an eighth of the ring but all of it at once, where memory
  /// allows, for every run writes the pages of all keys that it touches. Sorting alone tells which records
  /// are superseded: the index is empty.
  [[nodiscard]] Result<Lsn> replay(Lsn until);

  /// Takes tombstones that the floor has passed out of the base: the next few records' worth of one walk
  /// through it. Which one is where is in memory alone: a successor begins anew. Errors: as run().
  [[nodiscard]] Status sweep();
  /// There is something to walk for: tombstones, and a floor that has moved since the last walk began.
  [[nodiscard]] bool sweep_is_due() const;

 private:
  /// A record to be applied. Small: a checkpoint has millions of them.
  struct Item {
    /// Eight bytes of the key, big-endian, from the first on in which keys differ: most comparisons end here.
    std::uint64_t prefix;
    Lsn lsn;
    std::uint16_t key_size;
    bool is_note;
  };

  [[nodiscard]] Result<Lsn> collect(Lsn from, Lsn until);
  [[nodiscard]] Result<Lsn> collect_all(Lsn from, Lsn until);
  struct Asked {
    Item item;
    std::string_view key;
    std::uint64_t hash;
  };
  [[nodiscard]] Result<Lsn> collect_some(Lsn from, Lsn end, Lsn window);
  [[nodiscard]] bool take_newest(std::span<const Asked> asked, Lsn end, Lsn window);
  [[nodiscard]] std::string_view key_of(const Item& item) const;
  void sort();
  /// `bytes_of_log`: what the items were collected from.
  [[nodiscard]] Status apply(Lsn end, std::uint64_t bytes_of_log);
  void note_pace(std::uint64_t bytes, std::uint64_t ns, std::uint64_t behind);
  [[nodiscard]] Status apply_item(Base::Transaction& transaction, const Item& item);
  void tell_counts(const BaseMeta& meta);
  void publish(Lsn end);
  [[nodiscard]] std::uint64_t purgeable() const;

  shared::State& state_;
  const Ring& ring_;
  const Index& index_;
  Base& base_;
  std::size_t most_at_once_;
  std::vector<Item> items_;        // kept for its memory
  std::uint64_t largest_hlc_ = 0;  // of the keys' records
  std::size_t records_ = 0;        // that this checkpoint covers
  unsigned fruitless_ = 0;         // groups of keys since one of which the index told something
  bool lets_go_ = false;           ///< the transaction under way drops deletes that only a node alone may
  std::string sweep_from_;         ///< where the walk under way goes on, as stored; empty: none is
  std::uint64_t sweeping_up_to_ = 0;
  std::uint64_t swept_up_to_ = 0;  ///< no tombstone up to this was left by the last walk
};

}  // namespace minivault::store
