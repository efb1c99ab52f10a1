#pragma once

#include <sys/types.h>

#include <functional>
#include <string_view>

#include "common/load/cpu_time.h"

namespace minivault::load {

/// The process that all processes named in a node's health descend from. A number means nothing on another
/// machine, or outside the container of who wrote it down: so each must be there, as `look_up` tells, with
/// the name of its role, and all must be children of one supervisor. Errors: kCorrupt, kNotFound; they say
/// what is there instead.
[[nodiscard]] Result<pid_t> supervisor_in(std::string_view health,
                                          const std::function<Result<ProcessCpu>(pid_t)>& look_up);

}  // namespace minivault::load
