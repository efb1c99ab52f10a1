#pragma once

#include <sys/types.h>

#include <functional>
#include <span>

#include "common/core/error.h"

namespace minivault {

/// Runs `work` in a process forked from a child of the node, for what that child must not wait for; its exit
/// status is what `work` returns, 1 after an exception. Nothing of the caller's is ended there: its LMDB
/// environment and its sockets are not the errand's. But for `kept`, and the standard ones, every
/// descriptor is closed. Signals are as in a new process, its priority is below that of clients, its name is
/// `name`, and it ends with the caller at the latest. Error: kUnavailable (no process).
[[nodiscard]] Result<pid_t> fork_errand(const char* name, std::span<const int> kept,
                                        const std::function<int()>& work);

}  // namespace minivault
