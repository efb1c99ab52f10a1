#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/shared/layout.h"

namespace minivault::worker {

/// A process of the node and what the operating system says of it.
struct ProcessUsage {
  std::string_view role;  ///< "supervisor" for the one without a slot
  std::uint32_t number = 0;
  std::int32_t pid = 0;
  std::uint32_t restarts = 0;
  std::uint64_t threads = 0;
  std::uint64_t private_kb = 0;  ///< resident and not backed by a file or shared: what it costs by itself
  std::uint64_t shared_kb = 0;   ///< of the shared memory, what it touched
  std::uint64_t cpu_ns = 0;
};

/// All that live, the supervisor last. Who is gone meanwhile has zeros.
[[nodiscard]] std::vector<ProcessUsage> look_at_processes(const shared::State& state);

/// Private memory of all, and shared memory as the one that touched most of it has it.
[[nodiscard]] std::uint64_t memory_kb(const std::vector<ProcessUsage>& processes);

[[nodiscard]] std::string_view name_of(shared::Role role);

}  // namespace minivault::worker
