#include "worker/health.h"

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include <cmath>
#include <sstream>
#include <string_view>
#include <vector>

#include "common/cluster/notes.h"
#include "common/core/clock.h"
#include "common/shared/layout.h"
#include "common/store/index.h"
#include "worker/cluster_health.h"
#include "worker/process_usage.h"
#include "worker/readiness.h"

namespace minivault::worker {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

constexpr std::uint64_t kSampledGroups = 256;

std::uint64_t read(const std::atomic<std::uint64_t>& word) {
  return word.load(std::memory_order_relaxed);
}

Object ordered() {
  return Object(Poco::JSON_PRESERVE_KEY_ORDER);
}

Array list_of(const std::vector<ProcessUsage>& processes) {
  Array list;
  for (const ProcessUsage& usage : processes) {
    if (usage.role == "supervisor") continue;  // it has no slot
    Object process = ordered();
    process.set("role", std::string(usage.role));
    process.set("number", usage.number);
    process.set("pid", usage.pid);
    process.set("restarts", usage.restarts);
    list.add(process);
  }
  return list;
}

std::uint64_t threads_of(const std::vector<ProcessUsage>& processes) {
  std::uint64_t threads = 0;
  for (const ProcessUsage& usage : processes) threads += usage.threads;
  return threads;
}

Object log_of(const store::Store& store) {
  const shared::State& state = store.region().state();
  Object log = ordered();
  log.set("tail", read(state.marks.tail));
  log.set("durable", read(state.marks.durable));
  log.set("checkpoint", read(state.marks.checkpoint));
  log.set("window", read(state.marks.window));
  log.set("size", read(state.limits.ring_bytes));
  log.set("largest_value", store.largest_value(1));
  return log;
}

/// The workers' read caches together. What was counted outlives a worker; what it held does not.
struct CacheUse {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;
};

CacheUse look_at_caches(const shared::State& state) {
  CacheUse all;
  const unsigned used = state.slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    const shared::CacheCounters& one = state.slots[i].cache;
    all.hits += read(one.hits);
    all.misses += read(one.misses);
    all.items += read(one.items);
    all.bytes += read(one.bytes);
  }
  return all;
}

Object read_cache_of(const CacheUse& use, const Config& config) {
  const double asked = static_cast<double>(use.hits + use.misses);
  Object cache = ordered();
  cache.set("size", config.bytes_a_cache() * config.worker_processes);
  cache.set("bytes", use.bytes);
  cache.set("items", use.items);
  cache.set("hits", use.hits);
  cache.set("misses", use.misses);
  cache.set("hit_rate", asked == 0 ? 0.0 : std::round(1'000 * static_cast<double>(use.hits) / asked) / 1'000);
  return cache;
}

/// What the node cannot do: anything, acknowledge writes, or nothing.
struct Standing {
  std::string_view status;
  bool able;
};

Standing standing_of(const Config& config, const shared::State& state) {
  const ClusterFitness fitness = fitness_of(config, state);
  const bool failed = state.failure.load(std::memory_order_acquire) != shared::Failure::kNone;
  if (failed || !has_checkpointer(state) || fitness.id_taken) return {"unhealthy", false};
  if (!fitness.filled) return {"degraded", false};
  const bool full = state.base_full.load(std::memory_order_relaxed) != 0;
  const bool damaged = state.base_damage.load(std::memory_order_relaxed) != shared::kNoDamage;
  const bool lacking = full || damaged || !fitness.quorum || !fitness.replicates || !fitness.fits;
  return {lacking ? "degraded" : "healthy", true};
}

}  // namespace

const HealthReport::Look& HealthReport::look() {
  const std::uint64_t now_ms = monotonic_ms();
  if (!look_.json.empty() && now_ms - looked_ms_ < kFreshMs) return look_;
  looked_ms_ = now_ms;

  const shared::Region& region = store_->region();
  const shared::State& state = region.state();
  const std::vector<ProcessUsage> processes = look_at_processes(state);
  const Standing standing = standing_of(*config_, state);
  const shared::Lsn window = read(state.marks.window);
  const store::Index index(region.index_words(), read(state.limits.index_seed));

  Object health = ordered();
  health.set("status", std::string(standing.status));
  health.set("uptime_seconds", (now_ms - read(state.started_ms)) / 1000);
  const CacheUse cache = look_at_caches(state);
  health.set("cache_items", index.estimate_alive(window, kSampledGroups) + cache.items);
  health.set("cache_size_mb", (read(state.marks.tail) - window + cache.bytes) >> 20U);
  health.set("storage_size_mb", (read(state.totals.base_bytes) + read(state.limits.ring_bytes)) >> 20U);
  health.set("goroutines", threads_of(processes));
  health.set("memory_mb", memory_kb(processes) >> 10U);
  health.set("version", std::string(MINIVAULT_VERSION));
  health.set("node", cluster::id_text(read(state.limits.node_id)));
  health.set("keys", read(state.totals.keys));
  health.set("processes", list_of(processes));
  health.set("log", log_of(*store_));
  health.set("read_cache", read_cache_of(cache, *config_));
  health.set("damage", std::string(damage_text(state)));
  describe_cluster(*config_, *store_, health);
  std::ostringstream text;
  health.stringify(text);
  look_ = {text.str(), standing.able};
  return look_;
}

}  // namespace minivault::worker
