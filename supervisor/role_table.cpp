#include "supervisor/role_table.h"

#include <algorithm>
#include <array>

namespace minivault::supervisor {
namespace {

constexpr RestartPolicy kRestart{.first_delay_ms = 100, .longest_delay_ms = 5'000, .good_life_ms = 10'000};

/// A place can be crowded by three during a roll-out (fleet.cpp), and others need slots too.
constexpr unsigned kMaxWorkers = (shared::kMaxChildren - 16) / 3;

unsigned one(const Config&) {
  return 1;
}

unsigned workers(const Config& config) {
  return std::clamp(config.worker_processes, 1U, kMaxWorkers);
}

constexpr std::array kRoles{
    RoleSpec{.role = shared::Role::kCheckpointer,
             .name = "checkpointer",
             .entry = run_checkpointer,
             .count = one,
             .numbered = false,
             .first_phase = Phase::kStarting,
             .end_phase = Phase::kFinishing,
             .gets_listeners = false,
             .replaced_on_reload = false,
             .restart = kRestart,
             .stop_limit_ms = 9'500,
             .hurried_limit_ms = 2'000},
    RoleSpec{.role = shared::Role::kWorker,
             .name = "worker",
             .entry = run_worker,
             .count = workers,
             .numbered = true,
             .first_phase = Phase::kRunning,
             .end_phase = Phase::kDraining,
             .gets_listeners = true,
             .replaced_on_reload = true,
             .restart = kRestart,
             .stop_limit_ms = 8'000,
             .hurried_limit_ms = 0},
    // Asked to end together with the workers, it goes after them: their last answers may wait for peers.
    RoleSpec{.role = shared::Role::kReplicator,
             .name = "replicator",
             .entry = run_replicator,
             .count = one,
             .numbered = false,
             .first_phase = Phase::kRunning,
             .end_phase = Phase::kDraining,
             .gets_listeners = false,
             .replaced_on_reload = true,
             .restart = kRestart,
             .stop_limit_ms = 9'000,
             .hurried_limit_ms = 0},
};

}  // namespace

std::span<const RoleSpec> role_table() {
  return kRoles;
}

std::string title_of(const RoleSpec& spec, unsigned number) {
  std::string title(spec.name);
  if (spec.numbered) title += ' ' + std::to_string(number);
  return title;
}

}  // namespace minivault::supervisor
