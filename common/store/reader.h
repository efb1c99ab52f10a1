#pragma once

#include <string_view>
#include <vector>

#include "common/shared/region.h"
#include "common/store/append_lock.h"
#include "common/store/base.h"
#include "common/store/index.h"
#include "common/store/read_cache.h"
#include "common/store/ring.h"

namespace minivault::store {

/// A key's newest record as this process can see it; `value` is good until the turn ends.
struct Newest {
  bool known = false;  ///< false: no record at all, not even a tombstone
  Operation operation = Operation::kDelete;
  std::uint8_t flags = 0;
  Version version;
  std::string_view value;
  Lsn end = 0;  ///< of the record in the log; 0: it came from the base, so it is durable

  [[nodiscard]] bool is_in_log() const { return end != 0; }
  [[nodiscard]] bool present() const { return known && operation != Operation::kDelete; }
};

/// Reads index, ring and base as one. One thread of one process.
///
/// Pins (ENGINE.md rule 10): while a turn lasts, its slot says which LSN the ring may not be overwritten
/// from, so a view into the ring stays what it was. A base snapshot lives as long as the turn, so LMDB never
/// keeps old pages for a slow client.
class Reader {
 public:
  /// `cache_bytes`: of memory for what the base said (read_cache.h).
  Reader(shared::State& state, shared::ChildSlot& slot, const Ring& ring, const Index& index,
         const Base& base, std::uint64_t cache_bytes);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { end_turn(); }

  void begin_turn();
  void end_turn();
  [[nodiscard]] bool in_turn() const { return in_turn_; }

  /// Where a key may be: what newest() needs that can be found out ahead.
  struct Trace {
    std::uint64_t hash = 0;
    Lsn lsn = shared::kNoLsn;  ///< of a record that may be the key's
  };
  /// Looks ahead for several keys, so that their cache misses overlap. `traces` is as long as `keys`.
  void trace(std::span<const std::string_view> keys, std::span<Trace> traces);

  static constexpr std::size_t kMostAtOnce = Base::Snapshot::kMostAtOnce;
  /// newest() of up to kMostAtOnce keys, whose cache misses overlap. Returns how many were found out before
  /// an error, which newest() of the next one tells. `newest` is as long as `keys`.
  [[nodiscard]] std::size_t newest_of(std::span<const std::string_view> keys, std::span<Newest> newest);

  /// Index, then cache, then base. `hash`: of the key, by the index.
  [[nodiscard]] Result<Newest> newest(std::string_view key, std::uint64_t hash);
  /// Cache, then base, seen at a checkpoint at or above the window as it is now. With a miss in the index
  /// before this call, that is the newest record there is (ENGINE.md rules 1 and 11).
  [[nodiscard]] Result<Newest> newest_below_window(std::string_view key, std::uint64_t hash);
  /// The index alone: known is false on a miss.
  [[nodiscard]] Newest newest_in_log(std::string_view key, std::uint64_t hash, bool is_note = false) const;
  /// The same for notes, which are never cached.
  [[nodiscard]] Result<Newest> note_in_base(std::string_view name);

 private:
  shared::State& state_;
  shared::ChildSlot& slot_;
  const Ring& ring_;
  const Index& index_;
  /// Of a traced key; known is false where the base has to be asked.
  [[nodiscard]] Newest newest_in_log(std::string_view key, const Trace& trace) const;
  /// Takes a snapshot at a checkpoint at or above `window`, unless the turn has one.
  [[nodiscard]] Status see(Lsn window);
  template <typename Look>
  [[nodiscard]] Result<std::optional<BaseRecord>> look_in_base(Lsn window, Look&& look);
  /// `ask`: what the base says, good for `window`.
  template <typename Ask>
  [[nodiscard]] Result<Newest> cached_or_asked(std::string_view key, std::uint64_t hash, Lsn window,
                                               Ask&& ask);
  [[nodiscard]] Result<Newest> newest_base_first(std::string_view key, std::uint64_t hash);
  void publish_counts();

  const Base& base_;
  /// Those of this turn are the first `live_snapshots_`; the rest wait to be renewed. More than one only
  /// where the window moved during a turn: views into the earlier one must stay good.
  std::vector<Base::Snapshot> snapshots_;
  std::size_t live_snapshots_ = 0;
  Lsn snapshot_checkpoint_ = 0;  ///< the newest live snapshot holds at least this much
  ReadCache cache_;
  ReadCache::Counts published_;
  bool asks_cache_ = false;  ///< some of the keys that were traced last are not in the log
  Lsn turn_tail_ = 0;        ///< the tail before every lookup of this turn
  bool in_turn_ = false;
  unsigned base_in_a_row_ = 0;  ///< the last so many lookups all ended in the base
};

}  // namespace minivault::store
