#pragma once

#include <benchmark/benchmark.h>
#include <sys/types.h>

#include <cstdint>
#include <string>

namespace minivault::bench {

/// What a stretch of work took: wall clock, CPU of the calling thread, and CPU of everybody who works for the
/// engine (all threads of this process and a process of the engine's own).
struct Cost {
  double wall_ns = 0;
  double cpu_ns = 0;
  double all_cpu_ns = 0;

  static Cost now(pid_t engines_process);
  Cost operator-(const Cost& earlier) const;
  Cost& operator+=(const Cost& more);
};

/// Sums the stretches of one benchmark; its figures for one operation go into the counters that the table
/// reads.
class Meter {
 public:
  /// `engines_process`: the engine's checkpointer; 0: it has none.
  explicit Meter(pid_t engines_process) : process_(engines_process) {}

  void start() { began_ = Cost::now(process_); }
  void stop(std::uint64_t operations);
  void add(const Cost& cost, std::uint64_t operations);
  void report(benchmark::State& state) const;
  /// For SetIterationTime().
  [[nodiscard]] double last_seconds() const { return last_.wall_ns / 1e9; }

 private:
  pid_t process_;
  Cost began_;
  Cost last_;
  Cost sum_;
  std::uint64_t operations_ = 0;
};

/// CPU time that another process has used in its life; 0 where there is none.
double process_cpu_ns(pid_t pid);

/// Bytes that reached the disk under a directory so far, whoever wrote them; 0 where the kernel does not
/// tell. Not /proc/PID/io: that counts a whole folio, up to megabytes, for each page of it that is written.
std::uint64_t disk_bytes_written(const std::string& directory);
/// Bytes that the files of a directory take on disk.
std::uint64_t disk_bytes_used(const std::string& directory);

}  // namespace minivault::bench
