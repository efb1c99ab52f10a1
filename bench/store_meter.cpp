#include "bench/store_meter.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <ctime>
#include <filesystem>
#include <fstream>

namespace minivault::bench {
namespace {

double read_clock(clockid_t clock) {
  timespec now{};
  if (::clock_gettime(clock, &now) != 0) return 0;
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace

Cost Cost::now(pid_t engines_process) {
  Cost cost{read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_THREAD_CPUTIME_ID),
            read_clock(CLOCK_PROCESS_CPUTIME_ID)};
  clockid_t other{};
  if (engines_process != 0 && ::clock_getcpuclockid(engines_process, &other) == 0)
    cost.all_cpu_ns += read_clock(other);
  return cost;
}

double process_cpu_ns(pid_t pid) {
  clockid_t clock{};
  return pid != 0 && ::clock_getcpuclockid(pid, &clock) == 0 ? read_clock(clock) : 0;
}

Cost Cost::operator-(const Cost& earlier) const {
  return {wall_ns - earlier.wall_ns, cpu_ns - earlier.cpu_ns, all_cpu_ns - earlier.all_cpu_ns};
}

Cost& Cost::operator+=(const Cost& more) {
  wall_ns += more.wall_ns;
  cpu_ns += more.cpu_ns;
  all_cpu_ns += more.all_cpu_ns;
  return *this;
}

void Meter::stop(std::uint64_t operations) {
  add(Cost::now(process_) - began_, operations);
}

void Meter::add(const Cost& cost, std::uint64_t operations) {
  last_ = cost;
  sum_ += cost;
  operations_ += operations;
}

void Meter::report(benchmark::State& state) const {
  const double operations = operations_ == 0 ? 1 : static_cast<double>(operations_);
  state.counters["wall_ns"] = sum_.wall_ns / operations;
  state.counters["cpu_ns"] = sum_.cpu_ns / operations;
  state.counters["all_cpu_ns"] = sum_.all_cpu_ns / operations;
}

std::uint64_t disk_bytes_written(const std::string& directory) {
  constexpr int kSectorsWritten = 7;  // the field of Documentation/block/stat.rst, from 1 on
  constexpr std::uint64_t kSector = 512;
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return 0;
  std::ifstream counts("/sys/dev/block/" + std::to_string(major(info.st_dev)) + ':' +
                       std::to_string(minor(info.st_dev)) + "/stat");
  std::uint64_t value = 0;
  for (int field = 0; field < kSectorsWritten; ++field) counts >> value;
  return counts ? value * kSector : 0;
}

std::uint64_t disk_bytes_used(const std::string& directory) {
  constexpr std::uint64_t kBlock = 512;
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, ignored)) {
    struct stat info {};
    if (::stat(entry.path().c_str(), &info) == 0)
      bytes += static_cast<std::uint64_t>(info.st_blocks) * kBlock;
  }
  return bytes;
}

}  // namespace minivault::bench
