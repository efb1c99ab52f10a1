#pragma once

#include <sys/types.h>

#include <span>

#include "common/core/error.h"
#include "common/process/title.h"
#include "supervisor/role_table.h"

namespace minivault::supervisor {

struct Birth {
  const RoleSpec& spec;
  unsigned number;
  unsigned restarts;
  ChildContext context;
  std::span<const int> foreign;  ///< descriptors that only the supervisor may have
  ProcessTitle& title;
};

/// Forks a child that runs `birth.spec.entry` in its slot and exits with what that returns. In the child this
/// call does not return. Errors: kIo (the slot is free again).
[[nodiscard]] Result<pid_t> spawn(const Birth& birth);

}  // namespace minivault::supervisor
