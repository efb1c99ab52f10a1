#pragma once

#include <string>

#include "common/config/config.h"
#include "common/shared/layout.h"
#include "supervisor/supervisor_state.h"

namespace minivault::supervisor {

/// What `systemctl status` shows: what the node does now, in a few words. `serves`: it was announced ready.
/// Reads shared memory, changes nothing.
[[nodiscard]] std::string status_text(Phase phase, bool serves, const Config& config,
                                      const shared::State& state);

}  // namespace minivault::supervisor
