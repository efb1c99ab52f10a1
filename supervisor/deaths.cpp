#include "supervisor/deaths.h"

#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "common/process/exit_code.h"

namespace minivault::supervisor {
namespace {

Event checkpointer_event(const Child& dead, int wait_status, bool recovered) {
  if (WIFSIGNALED(wait_status)) {
    // Asked before there was anything that would need a clean end.
    const bool obeyed = dead.asked() && WTERMSIG(wait_status) == SIGTERM && !recovered;
    return obeyed ? Event::kCheckpointerDone : Event::kCheckpointerKilled;
  }
  switch (WEXITSTATUS(wait_status)) {
    case kExitOk:
      return Event::kCheckpointerDone;
    case kExitRefused:
      return Event::kCheckpointerRefused;
    default:
      return Event::kCheckpointerFailed;
  }
}

}  // namespace

std::string cause_of(int wait_status) {
  if (!WIFSIGNALED(wait_status)) return "exit status " + std::to_string(WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  return "signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
}

Event death_event(const Child& dead, int wait_status, bool recovered) {
  return dead.spec->role == shared::Role::kCheckpointer ? checkpointer_event(dead, wait_status, recovered)
                                                        : Event::kWorkerDied;
}

const char* event_of(Verdict::Reason reason) {
  switch (reason) {
    case Verdict::Reason::kLockHeld:
      return "child_holding_append_lock_killed";
    case Verdict::Reason::kRingPinned:
      return "child_pinning_log_killed";
    case Verdict::Reason::kStandsStill:
      return "child_standing_still_killed";
  }
  return "child_killed";
}

}  // namespace minivault::supervisor
