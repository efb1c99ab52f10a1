#pragma once

#include <array>
#include <vector>

#include "common/config/config.h"
#include "common/store/batch.h"
#include "common/store/reader.h"

namespace minivault::store {

/// Appends batches to the log. One a process, one thread.
///
/// The order under the append lock is what makes a death at any instruction harmless (ENGINE.md rule 2):
/// room in the ring and in the index -> bytes (pwritev) -> slots (release) -> tail (release).
/// Nobody waits for room while holding the lock: what does not fit stays unsettled, and the slot takes a
/// ticket, so room is granted in the order of arrival.
class LogWriter {
 public:
  LogWriter(shared::Region& region, unsigned slot, Ring& ring, const Index& index, Reader& reader,
            const SyncMode& sync);

  /// See Store::commit().
  [[nodiscard]] Status commit(Batch& batch);
  void cancel_wait();

 private:
  /// A record that has a place in the ring and in the index, but no bytes there yet.
  struct Planned {
    std::size_t entry;
    std::uint64_t word;
    Lsn lsn;
    Lsn end;
    std::uint64_t key_hash;
    std::uint16_t before;  ///< the next of its chain: 1 + its place in the plan; 0: none
  };
  /// Why planning stopped before the end of the batch.
  enum class Stop { kAtEnd, kChunkFull, kNeedsJudgement, kNotItsTurn, kNoRoom, kNoVersion, kFailed };
  /// What becomes of an entry with a condition; unknown: the base has to be asked (again).
  enum class Verdict { kHolds, kRefused, kUnknown };
  /// The newest record of a key as seen under the lock.
  struct Held {
    bool known = false;
    bool present = false;
    Version version;
    Lsn end = 0;
  };

  void hash_entries(Batch& batch);
  void prefetch_old(const Batch& batch, std::size_t at) const;
  void look_ahead(const Batch& batch, std::size_t at) const;
  void forget_plan();
  [[nodiscard]] std::uint16_t& chain_of(std::uint64_t key_hash);
  [[nodiscard]] Status judge_by_base(Batch& batch);
  static void judge_damaged(Batch::Entry& entry, Lsn at);
  [[nodiscard]] Stop append_some(Batch& batch);
  [[nodiscard]] bool fails(Batch& batch, Batch::Entry& entry, std::uint64_t bytes) const;
  [[nodiscard]] Stop plan_entry(Batch& batch, std::size_t at, Lsn& next);
  /// Where the entry's record goes; kNoWord: nowhere now.
  [[nodiscard]] Index::Place find_place(const Batch& batch, const Batch::Entry& entry);
  [[nodiscard]] const Planned* planned_for(const Batch& batch, const Batch::Entry& entry);
  [[nodiscard]] Verdict decide(const Batch& batch, Batch::Entry& entry, const Planned* planned,
                               Lsn replaces) const;
  [[nodiscard]] Held held(const Batch& batch, const Batch::Entry& entry, const Planned* planned,
                          Lsn replaces) const;
  void refuse(Batch::Entry& entry, const Held& held) const;
  [[nodiscard]] std::uint64_t ghost_floor() const;
  void note_seen(std::uint64_t hlc);
  [[nodiscard]] std::uint64_t next_hlc() const;
  void stamp(Batch& batch, Batch::Entry& entry, Lsn lsn);
  void add_pieces(Batch& batch, const Batch::Entry& entry);
  [[nodiscard]] bool make_room(Lsn end);
  [[nodiscard]] bool others_wait_before_me();
  void take_ticket();
  [[nodiscard]] Status write_and_publish(Batch& batch, Lsn end);
  void settle_failed(Batch& batch);
  void note_unsynced();
  void ask_for_sync();
  [[nodiscard]] bool answers_wait() const;
  [[nodiscard]] bool is_paced(const Batch& batch) const;
  [[nodiscard]] bool may_stamp(const Batch::Entry& entry) const;
  void pace(Lsn end, std::uint64_t bytes);

  shared::Region& region_;
  shared::State& state_;
  unsigned slot_;
  Ring& ring_;
  const Index& index_;
  Reader& reader_;
  SyncMode sync_;
  std::uint64_t clock_hlc_ = 0;    ///< node_clock(), read once a commit
  std::uint64_t largest_hlc_ = 0;  ///< largest_believable_hlc(), the same

  // Of the commit under way; kept for their memory.
  std::vector<Planned> plan_;
  std::vector<iovec> pieces_;
  /// The newest planned record of each index group, modulo: 1 + its place in the plan; 0: none.
  std::array<std::uint16_t, 4'096> chains_{};
};

}  // namespace minivault::store
