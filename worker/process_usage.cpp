#include "worker/process_usage.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <fstream>
#include <string>

namespace minivault::worker {
namespace {

std::uint64_t number_after(const std::string& line, std::size_t name_size) {
  const std::size_t digits = line.find_first_of("0123456789", name_size);
  std::uint64_t number = 0;
  if (digits != std::string::npos) std::from_chars(line.data() + digits, line.data() + line.size(), number);
  return number;
}

std::uint64_t cpu_ns_of(std::int32_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(used.tv_nsec);
}

void ask_system(ProcessUsage& usage) {
  std::ifstream status("/proc/" + std::to_string(usage.pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) usage.threads = number_after(line, 8);
    if (line.starts_with("RssAnon:")) usage.private_kb = number_after(line, 8);
    if (line.starts_with("RssShmem:")) usage.shared_kb = number_after(line, 9);
  }
  usage.cpu_ns = cpu_ns_of(usage.pid);
}

}  // namespace

std::string_view name_of(shared::Role role) {
  switch (role) {
    case shared::Role::kNone:
      break;
    case shared::Role::kWorker:
      return "worker";
    case shared::Role::kCheckpointer:
      return "checkpointer";
    case shared::Role::kReplicator:
      return "replicator";
  }
  return "none";
}

std::vector<ProcessUsage> look_at_processes(const shared::State& state) {
  std::vector<ProcessUsage> all;
  const unsigned used = state.slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    const shared::ChildSlot& slot = state.slots[i];
    const std::int32_t pid = slot.pid.load(std::memory_order_acquire);
    if (pid == 0) continue;
    all.push_back({.role = name_of(slot.role.load(std::memory_order_relaxed)),
                   .number = slot.number.load(std::memory_order_relaxed),
                   .pid = pid,
                   .restarts = slot.restarts.load(std::memory_order_relaxed)});
  }
  all.push_back({.role = "supervisor", .pid = ::getppid()});
  for (ProcessUsage& usage : all) ask_system(usage);
  return all;
}

std::uint64_t memory_kb(const std::vector<ProcessUsage>& processes) {
  std::uint64_t private_kb = 0;
  std::uint64_t shared_kb = 0;
  for (const ProcessUsage& usage : processes) {
    private_kb += usage.private_kb;
    shared_kb = std::max(shared_kb, usage.shared_kb);
  }
  return private_kb + shared_kb;
}

}  // namespace minivault::worker
