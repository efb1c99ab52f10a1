#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <vector>

#include "common/shared/layout.h"

namespace minivault::supervisor {

/// How often the watcher looks.
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

/// What one look at shared memory saw. Pids come from the supervisor's own list of children.
struct Sighting {
  struct Turn {
    pid_t pid;
    shared::Lsn pin;
    std::uint64_t turns;
    std::uint64_t cpu_ns = 0;  ///< processor time that the child has used
  };
  pid_t lock_holder = 0;  ///< 0: nobody who lives
  std::uint64_t lock_acquisitions = 0;
  std::vector<Turn> turns = {};  ///< of every child
};

struct Verdict {
  enum class Reason { kLockHeld, kRingPinned } reason;
  pid_t pid;
  std::uint64_t stalled_ms;
};

/// Finds children that hold what others need and no longer move. Pure: memory and clock are handed in.
///
/// Only time between two close looks counts. If the supervisor itself was not running (a stopped process
/// group, a paused machine), the gap says nothing about the children, who were not running either.
class Watcher {
 public:
  [[nodiscard]] std::vector<Verdict> look(const Sighting& seen, std::uint64_t now_ms);

 private:
  struct Stall {
    pid_t pid = 0;
    std::uint64_t progress = 0;  ///< the count that should grow
    std::uint64_t lasted_ms = 0;
  };

  /// Of one child in a turn: both its turns and its processor time only grow.
  struct PinStall {
    Stall idle;  ///< neither grew
    Stall busy;  ///< the turns did not
  };

  static void observe(Stall& stall, pid_t pid, std::uint64_t progress, std::uint64_t step_ms);

  std::uint64_t last_look_ms_ = 0;
  Stall lock_;
  std::map<pid_t, PinStall> pins_;  ///< of children in a turn
};

}  // namespace minivault::supervisor
