#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <vector>

#include "common/shared/layout.h"

namespace minivault::supervisor {

/// How often the watcher looks, at least.
inline constexpr std::uint64_t kWatchIntervalMs = 1'000;
/// A holder of the append lock whose count of acquisitions stands still for this long is killed: a stopped or
/// dumping process holds a robust lock too (ENGINE.md rule 20).
inline constexpr std::uint64_t kLockStallMs = 5'000;
/// Whoever pins the ring in a turn of its event loop for this long, and does nothing, is killed (ENGINE.md
/// rule 10).
inline constexpr std::uint64_t kPinStallMs = 2'000;
/// Whoever computes all the while gets longer: one large value takes seconds to parse on a busy machine, and
/// its owner's other clients must not pay for it with their connections.
inline constexpr std::uint64_t kBusyPinStallMs = 20'000;
/// Every bell is rung at every look, so a healthy child runs between two of them. One that holds nothing, but
/// for this long did not run although it could have, is killed as well: stopped, or asleep for good.
inline constexpr std::uint64_t kStillMs = 10'000;
/// Computing without ever coming round to its loop again. The longest that is right: a checkpoint of a
/// quarter of the largest log on a slow disk.
inline constexpr std::uint64_t kBusyStillMs = 600'000;

/// What one look at shared memory and /proc saw. Pids come from the supervisor's own list of children.
struct Sighting {
  struct Turn {
    pid_t pid;
    shared::Lsn pin;
    std::uint64_t turns;
    std::uint64_t cpu_ns = 0;  ///< processor time that the child has used
    bool ready = false;        ///< it said so, and was not asked to end
    char run_state = 'R';      ///< of process_look.h
  };
  pid_t lock_holder = 0;  ///< 0: nobody who lives
  std::uint64_t lock_acquisitions = 0;
  std::vector<Turn> turns = {};  ///< of every child
};

struct Verdict {
  enum class Reason { kLockHeld, kRingPinned, kStandsStill } reason;
  pid_t pid;
  std::uint64_t stalled_ms;
};

/// Finds children that hold what others need, or are needed themselves, and no longer move. Pure: memory and
/// clock are handed in.
///
/// Only time between two close looks counts. If the supervisor itself was not running (a stopped process
/// group, a paused machine), the gap says nothing about the children, who were not running either.
class Watcher {
 public:
  [[nodiscard]] std::vector<Verdict> look(const Sighting& seen, std::uint64_t now_ms);

  /// Whether the child was there at the last look and has moved within `ms` before it.
  [[nodiscard]] bool moved_within(pid_t pid, std::uint64_t ms) const;

 private:
  struct Stall {
    pid_t pid = 0;
    std::uint64_t progress = 0;  ///< the count that should grow
    std::uint64_t lasted_ms = 0;
  };

  /// Of one child: both its turns and its processor time only grow.
  struct Standstill {
    Stall idle;                    ///< neither grew
    Stall busy;                    ///< the turns did not
    std::uint64_t accused_ms = 0;  ///< how long it lasted when it was found; time to die is given after that
  };
  using Standstills = std::map<pid_t, Standstill>;

  static void observe(Stall& stall, pid_t pid, std::uint64_t progress, std::uint64_t step_ms);
  static Standstill observed(const Standstills& before, const Sighting::Turn& turn, std::uint64_t step_ms);
  void look_at_lock(const Sighting& seen, std::uint64_t step_ms, std::vector<Verdict>& verdicts);
  void look_at_pins(const Sighting& seen, std::uint64_t step_ms, std::vector<Verdict>& verdicts);
  void look_at_all(const Sighting& seen, std::uint64_t step_ms, std::vector<Verdict>& verdicts);

  std::uint64_t last_look_ms_ = 0;
  Stall lock_;
  Standstills pins_;  ///< of children in a turn
  Standstills all_;
};

}  // namespace minivault::supervisor
