#include "supervisor/watcher.h"

#include <algorithm>
#include <utility>

namespace minivault::supervisor {

/// Adds `step_ms` if nothing moved since the last look, else starts anew.
void Watcher::observe(Stall& stall, pid_t pid, std::uint64_t progress, std::uint64_t step_ms) {
  if (stall.pid == pid && stall.progress == progress) {
    stall.lasted_ms += step_ms;
  } else {
    stall = {pid, progress, 0};
  }
}

std::vector<Verdict> Watcher::look(const Sighting& seen, std::uint64_t now_ms) {
  const std::uint64_t step_ms = std::min(now_ms - last_look_ms_, kWatchIntervalMs * 3 / 2);
  last_look_ms_ = now_ms;
  std::vector<Verdict> verdicts;

  if (seen.lock_holder == 0) {
    lock_ = {};
  } else {
    observe(lock_, seen.lock_holder, seen.lock_acquisitions, step_ms);
    if (lock_.lasted_ms >= kLockStallMs) {
      verdicts.push_back({Verdict::Reason::kLockHeld, lock_.pid, lock_.lasted_ms});
      lock_ = {};
    }
  }

  std::map<pid_t, PinStall> pins;
  for (const Sighting::Turn& turn : seen.turns) {
    if (turn.pin == shared::kNoLsn) continue;
    PinStall stall = pins_[turn.pid];
    observe(stall.idle, turn.pid, turn.turns + turn.cpu_ns, step_ms);
    observe(stall.busy, turn.pid, turn.turns, step_ms);
    if (stall.idle.lasted_ms >= kPinStallMs || stall.busy.lasted_ms >= kBusyPinStallMs) {
      verdicts.push_back({Verdict::Reason::kRingPinned, turn.pid, stall.busy.lasted_ms});
    } else {
      pins[turn.pid] = stall;
    }
  }
  pins_ = std::move(pins);
  return verdicts;
}

}  // namespace minivault::supervisor
