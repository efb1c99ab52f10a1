#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/process/roles.h"
#include "supervisor/backoff.h"
#include "supervisor/supervisor_state.h"

namespace minivault::supervisor {

/// Everything the supervisor knows about a role. Titles in `ps`, prefixes of log lines, who runs when and
/// what a death leads to all come from here; no code elsewhere asks "is it a worker?" to decide one of these.
struct RoleSpec {
  shared::Role role;
  std::string_view name;
  int (*entry)(const ChildContext&);
  unsigned (*count)(const Config&);
  bool numbered;  ///< several of it: `worker 1`, not `worker`

  /// Wanted in the phases first_phase <= phase < end_phase. So who starts in kRunning has the checkpointer
  /// ready before it, and the order of end phases is the order of stopping.
  Phase first_phase;
  Phase end_phase;

  bool gets_listeners;
  bool replaced_on_reload;  ///< reads the configuration anew by being replaced

  RestartPolicy restart;
  /// From the request to stop (of the node, if it stops) to SIGKILL. The node promises 10 s for all.
  std::uint64_t stop_limit_ms;
  std::uint64_t hurried_limit_ms;  ///< the same from the second request on
};

[[nodiscard]] std::span<const RoleSpec> role_table();

/// `worker 1`, `checkpointer`.
[[nodiscard]] std::string title_of(const RoleSpec& spec, unsigned number);

[[nodiscard]] inline bool wanted_in(const RoleSpec& spec, Phase phase) {
  return spec.first_phase <= phase && phase < spec.end_phase;
}

}  // namespace minivault::supervisor
