#include "common/store/syncer.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>

#include "common/core/clock.h"
#include "common/core/fault_point.h"
#include "common/core/log.h"
#include "common/store/checkpoint.h"
#include "common/store/node_clock.h"
#include "common/store/version.h"
#include "common/store/wake.h"

namespace minivault::store {
namespace {

constexpr std::uint64_t kWritebackBytes = 16ULL << 20;
constexpr std::uint64_t kWritebackTickMs = 10;

}  // namespace

Syncer::Syncer(shared::Region& region, unsigned slot, Ring ring, const SyncMode& mode)
    : region_(region), state_(region.state()), slot_(slot), ring_(std::move(ring)), mode_(mode) {
  written_back_ = state_.marks.durable.load(std::memory_order_relaxed);
  thread_ = std::thread([this] { run(); });
}

Syncer::~Syncer() {
  stopping_.store(true, std::memory_order_seq_cst);
  ring_syncer(state_.bell);
  thread_.join();
}

Status Syncer::sync_to(Lsn end) {
  while (state_.marks.durable.load(std::memory_order_acquire) < end) {
    if (state_.failure.load(std::memory_order_acquire) != shared::Failure::kNone) {
      return fail(Code::kIo, "the log cannot be synced");
    }
    state_.bell.sync_requested.store(1, std::memory_order_seq_cst);
    ring_syncer(state_.bell);
    std::unique_lock lock(mutex_);
    published_.wait_for(lock, std::chrono::milliseconds(20));
  }
  return {};
}

void Syncer::run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    if (state_.failure.load(std::memory_order_acquire) != shared::Failure::kNone || !sync_now()) return;
    wait_for_work();
  }
}

bool Syncer::sync_now() {
  shared::SyncerBell& bell = state_.bell;
  const bool requested = bell.sync_requested.exchange(0, std::memory_order_acq_rel) != 0;
  if (mode_.kind == SyncMode::Kind::kNone && !requested) return true;
  take_age();
  const Lsn end = state_.marks.tail.load(std::memory_order_acquire);
  if (end > state_.marks.durable.load(std::memory_order_relaxed) || ceiling_is_due()) {
    const std::uint64_t began = monotonic_ns();
    if (Status synced = sync_log(); !synced) {
      MV_FAULT_POINT("syncer.before_failure");
      state_.failure.store(shared::Failure::kLogSync, std::memory_order_release);
      log_line(LogLevel::kError, "log_sync_failed", {{"error", synced.error().message}});
      published_.notify_all();
      region_.ring_all();
      return false;
    }
    MV_FAULT_POINT("syncer.before_durable");
    state_.totals.sync_times.record(monotonic_ns() - began);
    publish(end);
  }
  bell.syncing_since_ns.store(0, std::memory_order_release);
  return true;
}

bool Syncer::ceiling_is_due() const {
  return hlc_ceiling_is_due(state_.append.hlc_ceiling.load(std::memory_order_relaxed),
                            node_clock(state_.append),
                            state_.append.last_hlc.load(std::memory_order_relaxed));
}

/// With the log goes the clock's ceiling (version.h).
Status Syncer::sync_log() {
  if (!ceiling_is_due()) return ring_.sync();
  shared::AppendLock& append = state_.append;
  const std::uint64_t ceiling =
      next_hlc_ceiling(node_clock(append), append.last_hlc.load(std::memory_order_relaxed));
  if (Status written = ring_.write_hlc_ceiling(ceiling); !written) return written;
  if (Status synced = ring_.sync(); !synced) return synced;
  append.hlc_ceiling.store(ceiling, std::memory_order_release);
  return {};
}

/// Moves the age of the oldest unsynced write over to the sync that begins. Before the tail is read (partner:
/// LogWriter::note_unsynced), and never with both ages 0 while a write is at risk. A syncer that died in its
/// sync left an age behind: that one is older, and stays.
void Syncer::take_age() {
  shared::SyncerBell& bell = state_.bell;
  const bool left_behind = bell.syncing_since_ns.load(std::memory_order_relaxed) != 0;
  std::uint64_t oldest = bell.oldest_unsynced_ns.load(std::memory_order_acquire);
  do {
    if (!left_behind) bell.syncing_since_ns.store(oldest, std::memory_order_release);
  } while (!bell.oldest_unsynced_ns.compare_exchange_weak(oldest, 0, std::memory_order_acq_rel));
}

/// Rule 7: durable, full fence, look at the wishes. Partner: Store::ring_when_durable.
void Syncer::publish(Lsn end) {
  state_.bell.durable_since_ns.store(monotonic_ns(), std::memory_order_relaxed);
  shared::raise(state_.marks.durable, end);
  written_back_ = std::max(written_back_, end);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const unsigned used = state_.slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    std::atomic<Lsn>& want = region_.slot(i).durable_want;
    if (want.load(std::memory_order_relaxed) > end) continue;
    want.store(shared::kNoLsn, std::memory_order_relaxed);
    region_.ring(i);
  }
  { const std::lock_guard lock(mutex_); }
  published_.notify_all();
  nudge_checkpointer(end);
}

/// It looks at the backlog by itself now and then; a fast log should not have to wait for that, nor who waits
/// for a checkpoint that waits for this sync.
void Syncer::nudge_checkpointer(Lsn tail) const {
  const Lsn checkpoint = state_.marks.checkpoint.load(std::memory_order_relaxed);
  const bool is_awaited = checkpoint < state_.checkpoint_wanted.load(std::memory_order_relaxed) ||
                          state_.append.waiting.load(std::memory_order_relaxed) != 0;
  if (is_awaited || tail - checkpoint > Checkpoint::due_bytes(ring_)) region_.ring(slot_);
}

bool Syncer::asked() const {
  return stopping_.load(std::memory_order_acquire) ||
         state_.bell.sync_requested.load(std::memory_order_acquire) != 0;
}

void Syncer::wait_for_work() {
  const auto unsynced = [this] {
    return state_.marks.tail.load(std::memory_order_acquire) >
           state_.marks.durable.load(std::memory_order_relaxed);
  };
  if (!asked() && !unsynced()) sleep(0);
  if (mode_.kind == SyncMode::Kind::kAlways) return;

  const auto half_interval = static_cast<std::uint64_t>(mode_.interval.count()) / 2;
  const std::uint64_t limit_ms =
      mode_.kind == SyncMode::Kind::kInterval ? std::max<std::uint64_t>(half_interval, 1) : shared::kNoLsn;
  const std::uint64_t began = monotonic_ms();
  while (!asked()) {
    const std::uint64_t passed = monotonic_ms() - began;
    if (passed >= limit_ms) return;
    const Lsn tail = state_.marks.tail.load(std::memory_order_acquire);
    write_back(tail);
    nudge_checkpointer(tail);
    if (!unsynced()) return;
    sleep(std::min(kWritebackTickMs, limit_ms - passed));
  }
}

void Syncer::sleep(std::uint64_t timeout_ms) {
  shared::SyncerBell& bell = state_.bell;
  const std::uint32_t rings = bell.rings.load(std::memory_order_acquire);
  const bool until_rung = timeout_ms == 0;
  if (until_rung) {
    // Rule 7: say that we sleep, full fence, look once more. Partner: wake_sleepers().
    bell.asleep.store(1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (state_.marks.tail.load(std::memory_order_relaxed) >
        state_.marks.durable.load(std::memory_order_relaxed)) {
      bell.asleep.store(0, std::memory_order_relaxed);
      return;
    }
  }
  if (!asked()) {
    timespec timeout{static_cast<time_t>(timeout_ms / 1'000),
                     static_cast<long>(timeout_ms % 1'000) * 1'000'000L};
    ::syscall(SYS_futex, &bell.rings, FUTEX_WAIT, rings, until_rung ? nullptr : &timeout, nullptr, 0);
  }
  bell.asleep.store(0, std::memory_order_relaxed);
}

/// Without a sync in sight, dirty pages are sent to the disk early, so that the sync before a checkpoint is
/// short.
void Syncer::write_back(Lsn tail) {
  if (tail < written_back_ + kWritebackBytes) return;
  ring_.start_writeback(written_back_, tail);
  written_back_ = tail;
}

}  // namespace minivault::store
