#pragma once

#include <sys/types.h>

#include <cstdint>

/// What the kernel tells about a child of this process.
namespace minivault::supervisor {

/// Processor time that it has used, ns; 0 if that cannot be told.
[[nodiscard]] std::uint64_t cpu_ns_of(pid_t pid);

/// The letter of /proc/PID/stat: R runs or could, S sleeps, D waits for a disk, T stopped, t under a
/// debugger, Z dead; 0 if that cannot be told.
[[nodiscard]] char run_state_of(pid_t pid);

}  // namespace minivault::supervisor
