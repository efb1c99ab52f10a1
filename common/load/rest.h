#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <span>

#include "common/load/options.h"

namespace minivault::load {

/// Waits until the servers have done what the fill before left them to do, which else the requests measured
/// after it would be charged with: a node whose health tells of its log has checkpointed all of it (it may
/// begin only seconds later), and the processes of `pids` with their descendants use next to no processor
/// time. False: not within `limit`, or `go_on` said no. Servers that tell nothing are not waited for.
[[nodiscard]] bool await_rest(const Options& options, std::span<const pid_t> pids,
                              std::chrono::milliseconds limit, const std::function<bool()>& go_on);

}  // namespace minivault::load
