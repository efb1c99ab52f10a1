#include "supervisor/spawn.h"

#include <unistd.h>

#include <cerrno>
#include <exception>

#include "common/core/log.h"
#include "common/process/child_init.h"
#include "common/process/exit_code.h"

namespace minivault::supervisor {
namespace {

void fill_slot(const Birth& birth) {
  shared::State& state = birth.context.region.state();
  shared::ChildSlot& slot = birth.context.region.slot(birth.context.slot);
  slot.role.store(birth.spec.role, std::memory_order_relaxed);
  slot.number.store(birth.number, std::memory_order_relaxed);
  slot.restarts.store(birth.restarts, std::memory_order_relaxed);
  slot.state.store(shared::ChildState::kStarting, std::memory_order_relaxed);
  // Release, so that who sees the slot in use (Region::ring_all, health, the watchers of pins) sees the
  // above.
  if (state.slots_used.load(std::memory_order_relaxed) <= birth.context.slot) {
    state.slots_used.store(birth.context.slot + 1, std::memory_order_release);
  }
}

[[noreturn]] void live(const Birth& birth, pid_t supervisor) {
  init_child(supervisor, birth.foreign);
  birth.title.set(title_of(birth.spec, birth.number));
  birth.context.region.slot(birth.context.slot).pid.store(::getpid(), std::memory_order_release);
  int status = kExitFailure;
  try {
    status = birth.spec.entry(birth.context);
  } catch (const std::exception& error) {
    log_line(LogLevel::kError, "child_failed", {{"error", error.what()}});
  }
  // Not exit(): what the supervisor registered to run at its end is none of this process's business.
  ::_exit(status);
}

}  // namespace

Result<pid_t> spawn(const Birth& birth) {
  fill_slot(birth);
  const pid_t supervisor = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) live(birth, supervisor);
  if (pid < 0) {
    const int error = errno;
    birth.context.region.clear_slot(birth.context.slot);
    return fail_errno("cannot start a process", error);
  }
  // The child stores it too: whichever of the two runs first, the slot never has a role without a pid for
  // long.
  birth.context.region.slot(birth.context.slot).pid.store(pid, std::memory_order_release);
  return pid;
}

}  // namespace minivault::supervisor
