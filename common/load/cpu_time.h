#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/error.h"

namespace minivault::load {

/// Seconds of processor time.
struct CpuTime {
  double user_s = 0;
  double system_s = 0;

  [[nodiscard]] double total_s() const { return user_s + system_s; }
};

/// A process as /proc/PID/stat tells it.
struct ProcessCpu {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string name;  ///< at most 15 bytes
  CpuTime time;      ///< its own
  CpuTime ended;     ///< of its children that have ended and been waited for, and of theirs
};

/// Reads the line of /proc/PID/stat, whatever the process is called. Errors: kCorrupt.
[[nodiscard]] Result<ProcessCpu> parse_process_stat(std::string_view line);

/// Errors: kNotFound.
[[nodiscard]] Result<ProcessCpu> read_process(pid_t pid);

/// The processes of `roots` and all their descendants, each once. The kernel counts in steps of 10 ms.
/// Errors: kNotFound, naming a root that does not run.
[[nodiscard]] Result<std::vector<ProcessCpu>> read_processes(std::span<const pid_t> roots);

/// What each process of `after` used since `before`; the whole where it was not there. What a process that
/// ended in between used until then counts as its parent's `time`; no `ended` is left.
[[nodiscard]] std::vector<ProcessCpu> used_between(std::span<const ProcessCpu> before,
                                                   std::span<const ProcessCpu> after);

/// This process, all threads.
[[nodiscard]] CpuTime own_cpu_time();

}  // namespace minivault::load
