#include "common/store/checkpointer.h"

#include <algorithm>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/store/append_lock.h"
#include "common/store/base_opening.h"
#include "common/store/wake.h"

namespace minivault::store {
namespace {

// A trickle of writes reaches the base within this. Not sooner: a checkpoint rewrites the pages of all keys
// that it touches, so few large ones cost a fraction of many small ones.
constexpr std::uint64_t kLongestBacklogMs = 5'000;
constexpr std::uint64_t kLookMs = 500;
constexpr std::uint64_t kRetryMs = 1'000;  // after a full disk, or a lack of memory

/// For a checkpointer that follows a dead one, before it syncs. The dead one may have been told of a failed
/// sync and died before it could tell the others; the kernel tells each error once, then takes the pages for
/// clean. So what is not known to be on disk is written once more.
Status write_again(shared::State& state, Ring& ring, const Index& index, unsigned slot) {
  {  // Who holds the lock has written bytes that the tail does not cover yet.
    const AppendGuard mends_what_a_dead_holder_left(state, ring, index, slot);
  }
  const Lsn tail = state.marks.tail.load(std::memory_order_acquire);
  RecordView record;
  for (Lsn at = state.marks.durable.load(std::memory_order_acquire); at < tail; at = record.end()) {
    if (!ring.verify(at, record)) {
      return fail(Code::kCorrupt, "the log has no record at LSN " + std::to_string(at));
    }
    std::string bytes(reinterpret_cast<const char*>(ring.at(at)), record.end() - at);
    iovec piece{bytes.data(), bytes.size()};
    if (Status written = ring.write(at, {&piece, 1}); !written) return written;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Checkpointer>> Checkpointer::open(shared::Region& region, const Config& config,
                                                         unsigned slot) {
  shared::State& state = region.state();
  const BaseOpening alone(state);
  const bool first = state.limits.recovered.load(std::memory_order_acquire) == 0;
  Result<RecoveredStore> store = first ? recover(state, region.index_words(), config) : reopen(state, config);
  if (!store) return tl::unexpected(store.error());
  if (first) {
    log_line(LogLevel::kInfo, "store_open",
             {{"log_mb", store->ring.size() >> 20},
              {"largest_value_bytes", largest_value_in(store->ring, 1, config.max_value_bytes)}});
  }
  if (!first) {
    const Index index(region.index_words(), state.limits.index_seed.load());
    if (Status written = write_again(state, store->ring, index, slot); !written) {
      state.failure.store(shared::Failure::kLogWrite, std::memory_order_release);
      log_line(LogLevel::kError, "log_write_failed", {{"error", written.error().message}});
      region.ring_all();
    }
  }
  Result<Ring> syncers_ring = Ring::open(log_path(config));
  if (!syncers_ring) return tl::unexpected(syncers_ring.error());
  return std::unique_ptr<Checkpointer>(
      new Checkpointer(region, config, slot, std::move(*store), std::move(*syncers_ring)));
}

Checkpointer::Checkpointer(shared::Region& region, const Config& config, unsigned slot, RecoveredStore store,
                           Ring syncers_ring)
    : region_(region),
      state_(region.state()),
      slot_(slot),
      sync_(config.sync),
      base_(std::move(store.base)),
      ring_(std::move(store.ring)),
      index_(region.index_words(), state_.limits.index_seed.load()),
      checkpoint_(state_, ring_, index_, base_),
      recount_(state_, base_),
      warmer_(state_, ring_, index_, slot),
      index_warmer_(region.index_words()),
      syncer_(region, slot, std::move(syncers_ring), config.sync),
      deaths_seen_(state_.deaths.load() -
                   1),  // look once at the start: the one before may have died in the lock
      last_run_ms_(monotonic_ms()) {}

int Checkpointer::tick() {
  mend_after_deaths();
  const std::uint64_t now_ms = monotonic_ms();
  readers_.look(state_.totals, base_, now_ms);
  if (now_ms >= retry_at_ms_ && checkpoint_is_due(now_ms)) {
    report(checkpoint());
    (void)recount(now_ms);  // where checkpoint follows upon checkpoint, too
    return 0;
  }
  sweep(now_ms);
  const bool counts_on = recount(now_ms);
  if (index_warmer_.step()) return 0;
  const bool warms_on = warmer_.step();
  return counts_on ? 0 : warms_on ? 1 : static_cast<int>(kLookMs);
}

void Checkpointer::sweep(std::uint64_t now_ms) {
  if (now_ms < std::max(retry_at_ms_, next_sweep_ms_) || !checkpoint_.sweep_is_due()) return;
  if (state_.failure.load(std::memory_order_acquire) != shared::Failure::kNone) return;
  next_sweep_ms_ = now_ms + kLookMs;
  report(checkpoint_.sweep());
}

/// True: there is more to read, at once.
bool Checkpointer::recount(std::uint64_t now_ms) {
  if (!recount_.is_due() || state_.failure.load(std::memory_order_acquire) != shared::Failure::kNone)
    return false;
  if (recount_.go_on()) return true;
  if (recount_.is_counted() && now_ms >= retry_at_ms_) report(recount_.finish());
  return false;
}

void Checkpointer::mend_after_deaths() {
  const std::uint32_t deaths = state_.deaths.load(std::memory_order_acquire);
  if (deaths == deaths_seen_) return;
  deaths_seen_ = deaths;
  { const AppendGuard mends_what_a_dead_holder_left(state_, ring_, index_, slot_); }
  // Where nothing was left to mend too: the dead one may have moved the tail, and nobody else would ring.
  wake_sleepers(region_);
  if (Result<unsigned> reaped = base_.reap_readers(); !reaped) {
    log_line(LogLevel::kWarning, "reader_check_failed", {{"error", reaped.error().message}});
  }
}

/// Only what is on disk may enter the base. Where all writes wait for that, the syncer brings it there
/// without being asked, and a checkpoint goes as far as it has come; else the checkpoint asks.
Lsn Checkpointer::within_reach() const {
  const bool syncs_are_on_their_way = sync_.kind == SyncMode::Kind::kAlways;
  return (syncs_are_on_their_way ? state_.marks.durable : state_.marks.tail).load(std::memory_order_acquire);
}

bool Checkpointer::checkpoint_is_due(std::uint64_t now_ms) const {
  if (state_.failure.load(std::memory_order_acquire) != shared::Failure::kNone) return false;
  const Lsn checkpoint = state_.marks.checkpoint.load(std::memory_order_relaxed);
  // While a sync takes its time there is nothing to do, however much is wanted: the syncer rings.
  if (within_reach() <= checkpoint) return false;
  const Lsn tail = state_.marks.tail.load(std::memory_order_acquire);
  return tail - checkpoint > Checkpoint::due_bytes(ring_) || now_ms >= last_run_ms_ + kLongestBacklogMs ||
         checkpoint < state_.checkpoint_wanted.load(std::memory_order_acquire) || somebody_waits();
}

bool Checkpointer::somebody_waits() const {
  if (state_.append.waiting.load(std::memory_order_relaxed) == 0)
    return false;  // a hint that may be stale upwards
  const unsigned used = state_.slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    if (region_.slot(i).space_ticket.load(std::memory_order_relaxed) != 0) return true;
  }
  return false;
}

Status Checkpointer::checkpoint() {
  const Lsn until = within_reach();
  if (Status synced = syncer_.sync_to(until); !synced) return synced;
  Result<Lsn> done = checkpoint_.run(until);
  if (!done) return tl::unexpected(done.error());
  last_run_ms_ = monotonic_ms();
  return {};
}

void Checkpointer::report(const Status& done) {
  if (done) {
    if (state_.base_full.exchange(0) != 0) log_line(LogLevel::kInfo, "disk_has_room_again");
    retry_at_ms_ = 0;
  } else if (done.error().code == Code::kNoSpace) {
    if (state_.base_full.exchange(1) == 0) {
      log_line(LogLevel::kError, "disk_full", {{"error", done.error().message}});
    }
    retry_at_ms_ = monotonic_ms() + kRetryMs;
  } else if (done.error().code == Code::kUnavailable) {
    // A lack of memory. No commit was tried, so the base is what it was, and the log keeps the rest.
    log_line(LogLevel::kError, "checkpoint_put_off", {{"error", done.error().message}});
    retry_at_ms_ = monotonic_ms() + kRetryMs;
  } else {
    shared::Failure none = shared::Failure::kNone;
    state_.failure.compare_exchange_strong(none, shared::Failure::kBaseSync);
    log_line(LogLevel::kError, "checkpoint_failed", {{"error", done.error().message}});
    region_.ring_all();
  }
  wake_waiting();
}

void Checkpointer::wake_waiting() {
  const unsigned used = state_.slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    if (region_.slot(i).space_ticket.load(std::memory_order_relaxed) != 0) region_.ring(i);
  }
}

Status Checkpointer::stop() {
  // A writer that died in the lock left its records to whoever takes it next. If nobody did, the log would go
  // on beyond the end that the mark names, and the next start would refuse it.
  { const AppendGuard mends_what_a_dead_holder_left(state_, ring_, index_, slot_); }
  const Lsn tail = state_.marks.tail.load(std::memory_order_acquire);
  if (state_.failure.load(std::memory_order_acquire) != shared::Failure::kNone) {
    return fail(Code::kIo, "the node had failed: the next start recovers");
  }
  if (Status synced = syncer_.sync_to(tail); !synced) return synced;
  while (state_.marks.checkpoint.load(std::memory_order_relaxed) < tail) {
    if (Result<Lsn> done = checkpoint_.run(tail); !done) return tl::unexpected(done.error());
  }
  return mark_clean(ring_, tail);
}

}  // namespace minivault::store
