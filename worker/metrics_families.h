#pragma once

#include "common/config/config.h"
#include "common/protocol/exposition.h"
#include "common/shared/region.h"

/// The parts of the metrics page, each a few families.
namespace minivault::worker {

/// Requests, their times, lookups, connections: sums over the sets of all slots (metrics_requests.cpp).
void add_requests(protocol::Exposition& page, const shared::Region& region);
/// Log, syncs, checkpoints, base (metrics_engine.cpp).
void add_engine(protocol::Exposition& page, const shared::Region& region);
/// Peers, quorum, conflicts, clocks (metrics_cluster.cpp).
void add_cluster(protocol::Exposition& page, const shared::State& state);
/// The node as such, and its processes (metrics_page.cpp).
void add_node(protocol::Exposition& page, const Config& config, const shared::State& state);

/// A family of one sample without labels.
template <typename Number>
void add_gauge(protocol::Exposition& page, std::string_view name, std::string_view help, Number value) {
  page.family(name, protocol::Exposition::Type::kGauge, help);
  page.sample(protocol::Exposition::Labels{}, value);
}
inline void add_counter(protocol::Exposition& page, std::string_view name, std::string_view help,
                        std::uint64_t value) {
  page.family(name, protocol::Exposition::Type::kCounter, help);
  page.sample(protocol::Exposition::Labels{}, value);
}

/// Times of one kind from one or several histograms in shared memory.
class TimeSum {
 public:
  void add(const shared::TimeHistogram& times);
  /// As samples of the histogram family at hand.
  void print(protocol::Exposition& page, protocol::Exposition::Labels labels) const;

 private:
  std::uint64_t sum_ns_ = 0;
  std::uint64_t buckets_[shared::TimeHistogram::kBuckets] = {};
};

[[nodiscard]] constexpr double seconds_of(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

}  // namespace minivault::worker
