// The part of a Supervisor that looks after its children once a second, and tells a service manager that they
// live.

#include <algorithm>
#include <csignal>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "supervisor/deaths.h"
#include "supervisor/process_look.h"
#include "supervisor/supervisor.h"

namespace minivault::supervisor {
namespace {

/// What a service manager is asked for again and again while the recovery moves.
constexpr std::uint64_t kExtendMs = 30'000;
/// A shorter watchdog still finds that who was rung has had the time to run.
constexpr std::uint64_t kShortestSignMs = 2'000;

}  // namespace

Sighting Supervisor::sight() const {
  const shared::AppendLock& lock = estate_.region.state().append;
  // Hints, read without the lock: a wrong one would have to stay wrong for seconds to matter.
  const std::uint32_t holder = lock.holder.load(std::memory_order_relaxed);
  Sighting seen{.lock_acquisitions = lock.acquisitions.load(std::memory_order_relaxed)};
  for (const Child& child : fleet_.children()) {
    const shared::ChildSlot& slot = estate_.region.slot(child.slot);
    if (child.slot + 1 == holder) seen.lock_holder = child.pid;
    seen.turns.push_back({.pid = child.pid,
                          .pin = slot.pin.load(std::memory_order_relaxed),
                          .turns = slot.turns.load(std::memory_order_relaxed),
                          .cpu_ns = cpu_ns_of(child.pid),
                          .ready = child.ready && !child.asked(),
                          // Who was asked to end has a time limit for that, and no other.
                          .run_state = child.asked() ? 'R' : run_state_of(child.pid)});
  }
  return seen;
}

void Supervisor::watch() {
  const std::uint64_t now_ms = monotonic_ms();
  const std::uint64_t sign_ms = manager_.watchdog_ms().value_or(kNever) / 2;
  next_watch_ms_ = now_ms + std::clamp(sign_ms / 2, std::uint64_t{100}, kWatchIntervalMs);
  for (const Verdict& verdict : watcher_.look(sight(), now_ms)) {
    log_line(LogLevel::kError, event_of(verdict.reason),
             {{"child_pid", verdict.pid}, {"stalled_ms", verdict.stalled_ms}});
    // Its pin is cleared when it was reaped, not before: until then it may still read what it pinned.
    ::kill(verdict.pid, SIGKILL);
  }
  estate_.region.ring_all();  // who is well has moved until the next look
  manager_.status(status_now());
  if (state_.phase == Phase::kStarting && some_child_moves(kStillMs)) manager_.extend(kExtendMs);
  if (every_role_lives(std::clamp(sign_ms, kShortestSignMs, kStillMs))) manager_.alive(now_ms);
}

bool Supervisor::some_child_moves(std::uint64_t within_ms) const {
  const auto children = fleet_.children();
  return std::any_of(children.begin(), children.end(),
                     [&](const Child& child) { return watcher_.moved_within(child.pid, within_ms); });
}

/// Each role that this phase wants has somebody who serves and moves. A place that is empty for a moment, or
/// whose owner crashes again and again beside others that serve, is not the death of the node.
bool Supervisor::every_role_lives(std::uint64_t within_ms) const {
  const auto children = fleet_.children();
  const auto lives = [&](const RoleSpec& spec) {
    return std::any_of(children.begin(), children.end(), [&](const Child& child) {
      return child.spec->role == spec.role && child.ready && !child.asked() &&
             watcher_.moved_within(child.pid, within_ms);
    });
  };
  const auto roles = role_table();
  return std::all_of(roles.begin(), roles.end(),
                     [&](const RoleSpec& spec) { return !wanted_in(spec, state_.phase) || lives(spec); });
}

}  // namespace minivault::supervisor
