#pragma once

#include <memory>

#include "common/config/config.h"
#include "common/shared/region.h"
#include "common/store/checkpoint.h"
#include "common/store/index_warmer.h"
#include "common/store/reader_watch.h"
#include "common/store/recount.h"
#include "common/store/recovery.h"
#include "common/store/ring_warmer.h"
#include "common/store/syncer.h"

namespace minivault::store {

/// The work of the checkpointer process, without its signals and its waiting: owns the base's only writer,
/// the syncer thread and the care for the ring. One a node.
class Checkpointer {
 public:
  /// Recovers, or goes on where a dead one stopped. Errors as recover(): the node must not start.
  [[nodiscard]] static Result<std::unique_ptr<Checkpointer>> open(shared::Region& region,
                                                                  const Config& config, unsigned slot);

  /// Does what is due. Returns how many ms may pass until the next call unless the slot's bell rings.
  [[nodiscard]] int tick();
  /// The last checkpoint and the mark of an orderly stop. REQUIRES: nobody appends any more. Errors: kIo,
  /// kNoSpace; then the next start recovers.
  [[nodiscard]] Status stop();

 private:
  Checkpointer(shared::Region& region, const Config& config, unsigned slot, RecoveredStore store,
               Ring syncers_ring);

  void mend_after_deaths();
  void sweep(std::uint64_t now_ms);
  [[nodiscard]] bool recount(std::uint64_t now_ms);
  [[nodiscard]] Lsn within_reach() const;
  [[nodiscard]] bool checkpoint_is_due(std::uint64_t now_ms) const;
  [[nodiscard]] bool somebody_waits() const;
  [[nodiscard]] Status checkpoint();
  void report(const Status& done);
  void wake_waiting();

  shared::Region& region_;
  shared::State& state_;
  unsigned slot_;
  SyncMode sync_;
  Base base_;
  Ring ring_;
  Index index_;
  Checkpoint checkpoint_;
  Recount recount_;
  RingWarmer warmer_;
  IndexWarmer index_warmer_;
  ReaderWatch readers_;
  Syncer syncer_;
  std::uint32_t deaths_seen_ = 0;
  std::uint64_t last_run_ms_ = 0;
  std::uint64_t retry_at_ms_ = 0;
  std::uint64_t next_sweep_ms_ = 0;
};

}  // namespace minivault::store
