// For what a LogWriter waits: room in the ring and its turn to have it, the pace of the checkpointer, the
// disk.

#include <algorithm>

#include "common/core/clock.h"
#include "common/store/log_writer.h"
#include "common/store/pace.h"
#include "common/store/wake.h"

namespace minivault::store {
namespace {

// A ticket counts while its owner keeps asking, each ms or so: a stopped process must not hold up the others
// for ever.
constexpr std::uint64_t kTicketLapsesMs = 500;

}  // namespace

/// Notes are few, and what they remember is not written again. With a full disk there is no checkpointer to
/// wait for: what room the log has is given away.
bool LogWriter::is_paced(const Batch& batch) const {
  const std::uint64_t until_ns = state_.append.paced_until_ns.load(std::memory_order_relaxed);
  if (until_ns == 0 || monotonic_ns() >= until_ns) return false;
  const bool notes = batch.size() > 0 && batch.operation(0) == Operation::kNote;
  return !notes && state_.base_full.load(std::memory_order_relaxed) == 0;
}

/// The ring may be overwritten below the window and below every pin. True: bytes up to `end` may be written.
bool LogWriter::make_room(Lsn end) {
  const std::uint64_t ring = ring_.size();
  const Lsn needed = end > ring ? end - ring : 0;
  if (state_.marks.window.load(std::memory_order_relaxed) < needed) {
    const Lsn checkpoint = state_.marks.checkpoint.load(std::memory_order_acquire);
    shared::raise(state_.marks.window, std::min(checkpoint, needed + ring / 64));
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);  // partner: Reader::begin_turn
  Lsn limit = state_.marks.window.load(std::memory_order_seq_cst);
  const unsigned used = state_.slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    limit = std::min(limit, region_.slot(i).pin.load(std::memory_order_seq_cst));
  }
  state_.append.writable_end.store(limit + ring, std::memory_order_relaxed);
  return end <= limit + ring;
}

bool LogWriter::others_wait_before_me() {
  if (state_.append.waiting.load(std::memory_order_relaxed) == 0) return false;
  const std::uint64_t mine = region_.slot(slot_).space_ticket.load(std::memory_order_relaxed);
  const std::uint64_t now_ms = monotonic_ms();
  region_.slot(slot_).space_asked_ms.store(now_ms, std::memory_order_relaxed);
  const unsigned used = state_.slots_used.load(std::memory_order_acquire);
  std::uint32_t waiting = 0;
  bool before_me = false;
  for (unsigned i = 0; i < used; ++i) {
    const std::uint64_t ticket = region_.slot(i).space_ticket.load(std::memory_order_relaxed);
    if (ticket == 0) continue;
    ++waiting;
    const bool asks =
        now_ms <= region_.slot(i).space_asked_ms.load(std::memory_order_relaxed) + kTicketLapsesMs;
    if (i != slot_ && asks && (mine == 0 || ticket < mine)) before_me = true;
  }
  state_.append.waiting.store(waiting, std::memory_order_relaxed);
  return before_me;
}

void LogWriter::take_ticket() {
  std::atomic<std::uint64_t>& ticket = region_.slot(slot_).space_ticket;
  if (ticket.load(std::memory_order_relaxed) != 0) return;
  region_.slot(slot_).space_asked_ms.store(monotonic_ms(), std::memory_order_relaxed);
  ticket.store(state_.append.next_ticket.fetch_add(1, std::memory_order_relaxed) + 1,
               std::memory_order_relaxed);
  state_.append.waiting.fetch_add(1, std::memory_order_relaxed);
  // A small backlog does not wake the checkpointer by itself, yet only a checkpoint frees a crowded index
  // group.
  region_.ring_role(shared::Role::kCheckpointer);
}

void LogWriter::cancel_wait() {
  region_.slot(slot_).space_ticket.store(0, std::memory_order_relaxed);
}

/// REQUIRES: the append lock.
void LogWriter::pace(Lsn end, std::uint64_t bytes) {
  const std::uint64_t backlog = end - state_.marks.checkpoint.load(std::memory_order_relaxed);
  const std::uint64_t pause = pause_ns(state_.drain, ring_.size(), backlog, bytes);
  std::atomic<std::uint64_t>& until = state_.append.paced_until_ns;
  const std::uint64_t before = until.load(std::memory_order_relaxed);
  if (pause == 0) {
    if (before != 0) until.store(0, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t now = monotonic_ns();
  until.store(std::min(std::max(before, now - kLateNs) + pause, now + kLongestPauseNs),
              std::memory_order_relaxed);
}

/// After the tail: the syncer takes the time first and the tail second, so a write it covers may look younger
/// than it is synced, never older (partner: Syncer).
void LogWriter::note_unsynced() {
  if (sync_.kind != SyncMode::Kind::kInterval) return;
  std::uint64_t none = 0;
  state_.bell.oldest_unsynced_ns.compare_exchange_strong(none, monotonic_ns(), std::memory_order_acq_rel);
}

/// Whether answers wait until their records are on disk.
bool LogWriter::answers_wait() const {
  switch (sync_.kind) {
    case SyncMode::Kind::kAlways:
      return true;
    case SyncMode::Kind::kNone:
      return false;
    case SyncMode::Kind::kInterval:
      break;
  }
  const std::uint64_t waiting = state_.bell.oldest_unsynced_ns.load(std::memory_order_acquire);
  const std::uint64_t syncing = state_.bell.syncing_since_ns.load(std::memory_order_acquire);
  const std::uint64_t oldest = syncing != 0 ? syncing : waiting;
  const auto interval_ns = static_cast<std::uint64_t>(sync_.interval.count()) * 1'000'000U;
  return oldest != 0 && monotonic_ns() - oldest > interval_ns;
}

/// The syncer looks at the request after it looked at the rings (partner: Syncer::sleep).
void LogWriter::ask_for_sync() {
  state_.bell.sync_requested.store(1, std::memory_order_seq_cst);
  ring_syncer(state_.bell);
}

}  // namespace minivault::store
