#pragma once

#include "common/process/exit_code.h"

/// The life of a node as a state machine without side effects: events go in, the next state comes out. What
/// runs in which phase is the role table's business (role_table.h: wanted from .. until), so entering a phase
/// is all it takes to start or stop something.
namespace minivault::supervisor {

/// In order; a node never goes back.
///
///   Starting   the checkpointer recovers; nobody serves
///   Running    everybody runs; what dies is started again
///   Draining   workers finish what they received; the checkpointer still syncs for them
///   Finishing  the checkpointer makes the last checkpoint; nobody else is left
///   Stopped    no child is left
enum class Phase { kStarting, kRunning, kDraining, kFinishing, kStopped };

enum class Event {
  kCheckpointerReady,
  kCheckpointerDone,     ///< ended with status 0, or by the SIGTERM it was sent
  kCheckpointerKilled,   ///< ended by a signal that the supervisor did not send
  kCheckpointerFailed,   ///< ended by itself with an error
  kCheckpointerRefused,  ///< ended with kExitRefused: what is on disk forbids a start
  kWorkerDied,
  kStopRequested,  ///< SIGTERM or SIGINT
  kPhaseEmpty,     ///< no child is left that this phase stops
};

/// A recovery that is killed is tried again, but not for ever: a node that cannot start has to say so.
inline constexpr unsigned kMaxKilledStarts = 10;

struct NodeState {
  Phase phase = Phase::kStarting;
  bool hurried = false;            ///< asked twice, or nothing is left worth waiting for
  unsigned killed_starts = 0;      ///< deaths of the checkpointer before it was ready once
  int exit_status = kExitFailure;  ///< kExitOk only once the checkpointer left a clean end behind

  bool operator==(const NodeState&) const = default;
};

[[nodiscard]] NodeState next(NodeState state, Event event);

[[nodiscard]] const char* name_of(Phase phase);

}  // namespace minivault::supervisor
