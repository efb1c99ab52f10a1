#include "supervisor/watcher.h"

#include <algorithm>
#include <utility>

namespace minivault::supervisor {
namespace {

/// Who waits for a disk, for a processor or for a debugger is not to blame; a child that is not ready may
/// sleep until it is its turn to open the base.
bool could_run(const Sighting::Turn& turn) {
  return turn.run_state == 'T' || (turn.ready && turn.run_state == 'S');
}

}  // namespace

/// Adds `step_ms` if nothing moved since the last look, else starts anew.
void Watcher::observe(Stall& stall, pid_t pid, std::uint64_t progress, std::uint64_t step_ms) {
  if (stall.pid == pid && stall.progress == progress) {
    stall.lasted_ms += step_ms;
  } else {
    stall = {pid, progress, 0};
  }
}

Watcher::Standstill Watcher::observed(const Standstills& before, const Sighting::Turn& turn,
                                      std::uint64_t step_ms) {
  const auto known = before.find(turn.pid);
  Standstill still = known == before.end() ? Standstill{} : known->second;
  observe(still.idle, turn.pid, turn.turns + turn.cpu_ns, step_ms);
  observe(still.busy, turn.pid, turn.turns, step_ms);
  return still;
}

std::vector<Verdict> Watcher::look(const Sighting& seen, std::uint64_t now_ms) {
  const std::uint64_t step_ms = std::min(now_ms - last_look_ms_, kWatchIntervalMs * 3 / 2);
  last_look_ms_ = now_ms;
  std::vector<Verdict> verdicts;
  look_at_lock(seen, step_ms, verdicts);
  look_at_pins(seen, step_ms, verdicts);
  look_at_all(seen, step_ms, verdicts);
  return verdicts;
}

void Watcher::look_at_lock(const Sighting& seen, std::uint64_t step_ms, std::vector<Verdict>& verdicts) {
  if (seen.lock_holder == 0) {
    lock_ = {};
    return;
  }
  observe(lock_, seen.lock_holder, seen.lock_acquisitions, step_ms);
  if (lock_.lasted_ms < kLockStallMs) return;
  verdicts.push_back({Verdict::Reason::kLockHeld, lock_.pid, lock_.lasted_ms});
  lock_ = {};
}

void Watcher::look_at_pins(const Sighting& seen, std::uint64_t step_ms, std::vector<Verdict>& verdicts) {
  Standstills pins;
  for (const Sighting::Turn& turn : seen.turns) {
    if (turn.pin == shared::kNoLsn) continue;
    const Standstill still = observed(pins_, turn, step_ms);
    if (still.idle.lasted_ms >= kPinStallMs || still.busy.lasted_ms >= kBusyPinStallMs) {
      verdicts.push_back({Verdict::Reason::kRingPinned, turn.pid, still.busy.lasted_ms});
    } else {
      pins[turn.pid] = still;
    }
  }
  pins_ = std::move(pins);
}

void Watcher::look_at_all(const Sighting& seen, std::uint64_t step_ms, std::vector<Verdict>& verdicts) {
  Standstills all;
  for (const Sighting::Turn& turn : seen.turns) {
    Standstill still = observed(all_, turn, step_ms);
    if (still.busy.lasted_ms == 0) still.accused_ms = 0;
    const bool idle = could_run(turn) && still.idle.lasted_ms >= still.accused_ms + kStillMs;
    const bool busy = turn.ready && still.busy.lasted_ms >= still.accused_ms + kBusyStillMs;
    if (idle || busy) {
      const std::uint64_t lasted_ms = idle ? still.idle.lasted_ms : still.busy.lasted_ms;
      verdicts.push_back({Verdict::Reason::kStandsStill, turn.pid, lasted_ms});
      still.accused_ms = lasted_ms;
    }
    all[turn.pid] = still;
  }
  all_ = std::move(all);
}

bool Watcher::moved_within(pid_t pid, std::uint64_t ms) const {
  const auto found = all_.find(pid);
  return found != all_.end() && found->second.idle.lasted_ms <= ms;
}

}  // namespace minivault::supervisor
