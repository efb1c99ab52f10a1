// The part of a Replicator that says by which clock this node stamps.

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/store/node_clock.h"
#include "replicator/clock_choice.h"
#include "replicator/replicator.h"

namespace minivault::replicator {
namespace {

constexpr std::uint64_t kDriftNoteMs = 60'000;
/// With the first of several peers alone a start takes itself for wrong where that one is.
constexpr std::uint64_t kDriftsForMs = 1'000;

}  // namespace

Clocks Replicator::clocks() const {
  const std::atomic<std::int64_t>& offset = context_->region.state().append.clock_offset;
  Clocks clocks;
  clocks.wall_us = wall_minus_boot_us();
  if (board_->clock_confirmed.load(std::memory_order_relaxed) != 0) {
    clocks.stamped_us = store::us_of_hlc(offset.load(std::memory_order_relaxed));
  }
  for (const auto& peer : peers_) {
    const bool is_member = home_.members().find(peer->id()) != nullptr;
    if (is_member && peer->is_reachable()) clocks.peers_us.push_back(peer->clock_us());
  }
  clocks.needed = board_->needed.load(std::memory_order_relaxed);
  clocks.allowed_us = std::chrono::microseconds(context_->config.max_drift).count();
  return clocks;
}

void Replicator::choose_clock() {
  const Clocks known = clocks();  // as long as nobody knows how many are needed, there are not enough
  std::optional<std::int64_t> chosen = clock_choice_.take(known, now_ms_);
  const bool is_first = chosen && board_->clock_confirmed.exchange(1, std::memory_order_relaxed) == 0;
  if (is_first && known.needed > 0) {
    log_line(LogLevel::kInfo, "clock_confirmed",
             {{"clocks", known.peers_us.size() + 1}, {"ms_from_own", (*chosen - known.wall_us) / 1'000}});
  }
  // With -async writes are acknowledged at once, so they cannot wait for the others' clocks.
  if (!chosen && !known.stamped_us && context_->config.async) chosen = known.wall_us;
  if (chosen) {
    context_->region.state().append.clock_offset.store(store::hlc_of_us(*chosen), std::memory_order_relaxed);
  }
  if (is_first) tell_future();
  tell_drift(known);
}

/// A clock that was a century ahead once has left records that nobody else will take.
void Replicator::tell_future() const {
  const shared::AppendLock& append = context_->region.state().append;
  const std::uint64_t last_hlc = append.last_hlc.load(std::memory_order_acquire);
  if (last_hlc <= store::largest_believable_hlc(append)) return;
  log_line(
      LogLevel::kError, "records_of_a_wrong_clock",
      {{"newest", store::hlc_text(last_hlc)},
       {"remedy", "other nodes refuse what this one writes: minivault dump, and load into a new directory"}});
}

void Replicator::tell_drift(const Clocks& known) {
  for (const auto& peer : peers_) {
    const std::int64_t offset_us = peer->is_reachable() ? peer->clock_us() - known.wall_us : 0;
    peer->place().clock_offset_us.store(offset_us, std::memory_order_relaxed);
  }
  const std::int64_t median = median_offset(known);
  board_->median_offset_us.store(median, std::memory_order_release);
  if (std::abs(median) <= known.allowed_us) {
    drifts_since_ms_ = 0;
    return;
  }
  if (drifts_since_ms_ == 0) drifts_since_ms_ = now_ms_;
  if (now_ms_ < std::max(next_drift_note_ms_, drifts_since_ms_ + kDriftsForMs)) return;
  next_drift_note_ms_ = now_ms_ + kDriftNoteMs;
  log_line(LogLevel::kWarning, "clock_drift", {{"ms_ahead_of_peers", -median / 1'000}});
}

/// What others stamped is not to be stamped below, whoever heard of it.
void Replicator::follow_clocks() {
  std::uint64_t hlc = 0;
  for (const auto& peer : peers_) {
    for (const cluster::Held& held : peer->held()) {
      if (held.origin == peer->id()) hlc = std::max(hlc, held.position.hlc);
    }
  }
  (void)home_.catch_up(hlc);
}

}  // namespace minivault::replicator
