#include "supervisor/supervisor_state.h"

namespace minivault::supervisor {
namespace {

/// Nothing more can be saved: whoever is left is not waited for.
NodeState give_up(NodeState state, int exit_status) {
  state.phase = Phase::kFinishing;
  state.hurried = true;
  state.exit_status = exit_status;
  return state;
}

NodeState enter(NodeState state, Phase phase) {
  state.phase = phase;
  return state;
}

NodeState hurry(NodeState state) {
  state.hurried = true;
  return state;
}

NodeState starting(NodeState state, Event event) {
  switch (event) {
    case Event::kCheckpointerReady:
      return enter(state, Phase::kRunning);
    case Event::kCheckpointerFailed:
      return give_up(state, kExitFailure);
    case Event::kCheckpointerRefused:
      return give_up(state, kExitRefused);
    case Event::kCheckpointerDone:
    case Event::kCheckpointerKilled:
      ++state.killed_starts;
      return state.killed_starts < kMaxKilledStarts ? state : give_up(state, kExitFailure);
    case Event::kStopRequested:
      return enter(state, Phase::kDraining);
    case Event::kWorkerDied:
    case Event::kPhaseEmpty:
      return state;
  }
  return state;
}

NodeState running(NodeState state, Event event) {
  switch (event) {
    case Event::kCheckpointerRefused:
      return give_up(state, kExitRefused);
    case Event::kStopRequested:
      return enter(state, Phase::kDraining);
    // A child that died is started again; workers go on without a checkpointer until the ring is full.
    case Event::kCheckpointerReady:
    case Event::kCheckpointerDone:
    case Event::kCheckpointerKilled:
    case Event::kCheckpointerFailed:
    case Event::kWorkerDied:
    case Event::kPhaseEmpty:
      return state;
  }
  return state;
}

NodeState draining(NodeState state, Event event) {
  switch (event) {
    case Event::kCheckpointerRefused:
      return give_up(state, kExitRefused);
    case Event::kStopRequested:
      return hurry(state);
    case Event::kPhaseEmpty:
      return enter(state, Phase::kFinishing);
    // Started again: parked answers need somebody who syncs.
    case Event::kCheckpointerDone:
    case Event::kCheckpointerKilled:
    case Event::kCheckpointerFailed:
    case Event::kCheckpointerReady:
    case Event::kWorkerDied:
      return state;
  }
  return state;
}

NodeState finishing(NodeState state, Event event) {
  switch (event) {
    case Event::kCheckpointerDone:
      state.exit_status = kExitOk;
      return state;
    case Event::kCheckpointerRefused:
      state.exit_status = kExitRefused;
      return state;
    case Event::kStopRequested:
      return hurry(state);
    case Event::kPhaseEmpty:
      return enter(state, Phase::kStopped);
    case Event::kCheckpointerReady:
    case Event::kCheckpointerKilled:
    case Event::kCheckpointerFailed:
    case Event::kWorkerDied:
      return state;
  }
  return state;
}

}  // namespace

NodeState next(NodeState state, Event event) {
  switch (state.phase) {
    case Phase::kStarting:
      return starting(state, event);
    case Phase::kRunning:
      return running(state, event);
    case Phase::kDraining:
      return draining(state, event);
    case Phase::kFinishing:
      return finishing(state, event);
    case Phase::kStopped:
      return state;
  }
  return state;
}

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::kStarting:
      return "starting";
    case Phase::kRunning:
      return "running";
    case Phase::kDraining:
      return "draining";
    case Phase::kFinishing:
      return "finishing";
    case Phase::kStopped:
      return "stopped";
  }
  return "stopped";
}

}  // namespace minivault::supervisor
