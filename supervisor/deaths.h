#pragma once

#include <string>

#include "supervisor/fleet.h"
#include "supervisor/supervisor_state.h"
#include "supervisor/watcher.h"

/// What the end of a child means, and how the log says it. Pure.
namespace minivault::supervisor {

/// Of a status from waitpid(2): `exit status 1`, `signal 9 (Killed)`.
[[nodiscard]] std::string cause_of(int wait_status);

/// `recovered`: the store was open once, so a clean end is needed.
[[nodiscard]] Event death_event(const Child& dead, int wait_status, bool recovered);

/// The line of the log for a child that is killed.
[[nodiscard]] const char* event_of(Verdict::Reason reason);

}  // namespace minivault::supervisor
