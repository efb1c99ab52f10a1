#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/config/config.h"
#include "common/shared/region.h"
#include "common/store/ring.h"

namespace minivault::store {

/// The one thread that makes the log durable, for every process (ENGINE.md rule 6). Lives in the
/// checkpointer.
///
/// end = tail; fdatasync; durable = end; wake whoever waits for it. So one sync serves every write appended
/// before it began. It syncs a file description that this process opened itself: a write-back error is
/// reported once per description, and a sibling's would be told that all is well. A failed sync is final:
/// Failure::kLogSync, durable stands still, and the thread ends.
class Syncer {
 public:
  Syncer(shared::Region& region, unsigned slot, Ring ring, const SyncMode& mode);
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;
  ~Syncer();  ///< stops and joins the thread

  /// Returns when durable >= `end`, whatever the mode. Errors: kIo after a failed sync.
  [[nodiscard]] Status sync_to(Lsn end);

 private:
  void run();
  [[nodiscard]] bool sync_now();
  [[nodiscard]] bool ceiling_is_due() const;
  [[nodiscard]] Status sync_log();
  void take_age();
  void publish(Lsn end);
  void wait_for_work();
  /// Sleeps until rung, or `timeout_ms` passes; 0: no limit.
  void sleep(std::uint64_t timeout_ms);
  void write_back(Lsn tail);
  void nudge_checkpointer(Lsn tail) const;
  [[nodiscard]] bool asked() const;

  shared::Region& region_;
  shared::State& state_;
  unsigned slot_;
  Ring ring_;
  SyncMode mode_;
  Lsn written_back_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable published_;
  std::thread thread_;
};

}  // namespace minivault::store
