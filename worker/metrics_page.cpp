#include "worker/metrics_page.h"

#include <vector>

#include "common/cluster/notes.h"
#include "common/core/clock.h"
#include "worker/metrics_families.h"
#include "worker/process_usage.h"
#include "worker/readiness.h"

namespace minivault::worker {
namespace {

using protocol::Exposition;
using Label = Exposition::Label;

std::string_view compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

void add_processes(Exposition& page, const shared::State& state) {
  const std::vector<ProcessUsage> processes = look_at_processes(state);
  const auto family = [&](const char* name, Exposition::Type type, const char* help, auto value_of) {
    page.family(name, type, help);
    for (const ProcessUsage& process : processes) {
      const std::string number = std::to_string(process.number);
      page.sample(std::vector<Label>{{"role", process.role}, {"number", number}}, value_of(process));
    }
  };
  family("minivault_process_private_memory_bytes", Exposition::Type::kGauge,
         "Resident memory of a process that is neither shared nor backed by a file.",
         [](const ProcessUsage& process) { return process.private_kb * 1024; });
  family("minivault_process_cpu_seconds_total", Exposition::Type::kCounter,
         "Processor time of a process; begins anew when it is replaced.",
         [](const ProcessUsage& process) { return seconds_of(process.cpu_ns); });
  family("minivault_process_threads", Exposition::Type::kGauge, "Threads of a process.",
         [](const ProcessUsage& process) { return process.threads; });
  add_gauge(page, "minivault_memory_bytes", "Memory of all processes: private, and shared memory once.",
            memory_kb(processes) * 1024);
  page.family("minivault_process_restarts_total", Exposition::Type::kCounter,
              "Processes that ended without being asked to, and were replaced.");
  for (const shared::Role role :
       {shared::Role::kWorker, shared::Role::kCheckpointer, shared::Role::kReplicator}) {
    const auto& deaths = state.unasked_deaths[static_cast<std::size_t>(role)];
    page.sample(std::vector<Label>{{"role", name_of(role)}}, deaths.load(std::memory_order_relaxed));
  }
}

}  // namespace

void add_node(Exposition& page, const Config& config, const shared::State& state) {
  page.family("minivault_build_info", Exposition::Type::kGauge, "Always 1; what was built, and by what.");
  const std::string id = cluster::id_text(state.limits.node_id.load(std::memory_order_relaxed));
  page.sample(std::vector<Label>{{"version", MINIVAULT_VERSION}, {"compiler", compiler()}, {"node", id}},
              std::uint64_t{1});
  const std::uint64_t uptime_ms = monotonic_ms() - state.started_ms.load(std::memory_order_relaxed);
  add_gauge(page, "minivault_start_time_seconds", "When the node started, in seconds since 1970.",
            static_cast<double>(wall_ms() - uptime_ms) / 1e3);
  add_gauge(page, "minivault_ready", "1 when /_/ready says 200: reads and writes of a quorum can be taken.",
            std::uint64_t{obstacles(config, state).empty()});
  add_gauge(page, "minivault_failed", "1 after a failed write or sync: nothing is acknowledged any more.",
            std::uint64_t{state.failure.load(std::memory_order_acquire) != shared::Failure::kNone});
  add_gauge(page, "minivault_disk_full", "1 while a checkpoint finds no room on the disk.",
            std::uint64_t{state.base_full.load(std::memory_order_relaxed)});
  add_gauge(page, "minivault_base_damaged", "1 while records are missing from the base that it had.",
            std::uint64_t{state.base_damage.load(std::memory_order_relaxed) != shared::kNoDamage});
  add_processes(page, state);
}

const std::string& MetricsPage::look() {
  const std::uint64_t now_ms = monotonic_ms();
  if (!text_.empty() && now_ms - looked_ms_ < kFreshMs) return text_;
  looked_ms_ = now_ms;
  const shared::Region& region = store_->region();
  Exposition page;
  add_node(page, *config_, region.state());
  add_requests(page, region);
  add_engine(page, region);
  add_cluster(page, region.state());
  text_ = page.text();
  return text_;
}

}  // namespace minivault::worker
