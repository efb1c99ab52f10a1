#include "common/admin/rates.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

namespace minivault::admin {
namespace {

using protocol::MetricSample;
using Filter = std::vector<std::pair<std::string_view, std::string_view>>;

bool matches(const MetricSample& sample, const Filter& filter) {
  return std::all_of(filter.begin(), filter.end(),
                     [&](const auto& wanted) { return sample.label(wanted.first) == wanted.second; });
}

/// Visits the samples of that name (with its suffix) and those labels.
template <typename Visit>
void for_each_sample(const MetricPage& page, std::string_view name, const Filter& filter, Visit&& visit) {
  for (const protocol::MetricFamily& family : page) {
    if (!name.starts_with(family.name)) continue;
    for (const MetricSample& sample : family.samples) {
      if (sample.name == name && matches(sample, filter)) visit(sample);
    }
  }
}

double sum(const MetricPage& page, std::string_view name, const Filter& filter = {}) {
  double total = 0;
  for_each_sample(page, name, filter, [&](const MetricSample& sample) { total += sample.value; });
  return total;
}

/// Two pages and the time between them.
class Between {
 public:
  Between(const MetricPage& before, const MetricPage& after, double seconds)
      : before_(before), after_(after), seconds_(seconds) {}

  [[nodiscard]] double now(std::string_view name, const Filter& filter = {}) const {
    return sum(after_, name, filter);
  }
  [[nodiscard]] double more(std::string_view name, const Filter& filter = {}) const {
    const double then = sum(before_, name, filter);
    const double now = sum(after_, name, filter);
    return now < then ? now : now - then;
  }
  [[nodiscard]] double rate(std::string_view name, const Filter& filter = {}) const {
    return more(name, filter) / seconds_;
  }
  /// As Prometheus has it: even within a bucket, the lower end of the last one.
  [[nodiscard]] double quantile(double fraction, const std::string& name, const Filter& filter = {}) const;
  [[nodiscard]] std::set<std::string> values_of(std::string_view name, std::string_view label) const {
    std::set<std::string> values;
    for_each_sample(after_, name, {},
                    [&](const MetricSample& sample) { values.emplace(sample.label(label)); });
    return values;
  }

 private:
  const MetricPage& before_;
  const MetricPage& after_;
  double seconds_;
};

std::map<double, double> buckets(const MetricPage& page, std::string_view name, const Filter& filter) {
  std::map<double, double> below;
  for_each_sample(page, name, filter, [&](const MetricSample& sample) {
    const std::string le(sample.label("le"));
    below[le == "+Inf" ? HUGE_VAL : std::strtod(le.c_str(), nullptr)] += sample.value;
  });
  return below;
}

double Between::quantile(double fraction, const std::string& name, const Filter& filter) const {
  std::map<double, double> below = buckets(after_, name + "_bucket", filter);
  const std::map<double, double> then = buckets(before_, name + "_bucket", filter);
  if (below.empty()) return 0;
  const bool goes_on = !then.empty() && then.rbegin()->second <= below.rbegin()->second;
  for (auto& [upper, count] : below) {
    const auto earlier = then.find(upper);
    if (goes_on && earlier != then.end()) count -= earlier->second;
  }
  const double wanted = fraction * below.rbegin()->second;
  if (wanted == 0) return 0;
  double lower = 0;
  double under = 0;
  for (const auto& [upper, count] : below) {
    if (count >= wanted && std::isinf(upper)) return lower;
    if (count >= wanted) return lower + (upper - lower) * (wanted - under) / (count - under);
    lower = upper;
    under = count;
  }
  return lower;
}

OpRates op_rates(const Between& between, const std::string& op) {
  const std::string name = "minivault_requests_total";
  const std::string duration = "minivault_request_duration_seconds";
  return {.op = op,
          .per_second = between.rate(name, {{"op", op}}),
          .failed_per_second = between.rate(name, {{"op", op}, {"code", "unavailable"}}) +
                               between.rate(name, {{"op", op}, {"code", "unknown"}}),
          .p50_s = between.quantile(0.5, duration, {{"op", op}}),
          .p99_s = between.quantile(0.99, duration, {{"op", op}})};
}

PeerRates peer_rates(const Between& between, const std::string& peer) {
  const Filter its{{"peer", peer}};
  return {.peer = peer,
          .up = between.now("minivault_peer_up", its) != 0,
          .lag_bytes = between.now("minivault_peer_lag_bytes", its),
          .lag_s = between.now("minivault_peer_lag_seconds", its),
          .sent_per_second = between.rate("minivault_peer_sent_bytes_total", its),
          .errors_per_second = between.rate("minivault_peer_errors_total", its)};
}

void add_log(NodeRates& rates, const Between& between) {
  const std::string sync = "minivault_fdatasync_seconds";
  rates.log_written_per_second = between.rate("minivault_log_position_bytes", {{"mark", "tail"}});
  rates.log_backlog_bytes = between.now("minivault_log_backlog_bytes");
  rates.log_size_bytes = between.now("minivault_log_size_bytes");
  rates.syncs_per_second = between.rate(sync + "_count");
  rates.sync_p50_s = between.quantile(0.5, sync);
  rates.sync_p99_s = between.quantile(0.99, sync);
}

}  // namespace

NodeRates rates_between(const MetricPage& before, const MetricPage& after, double seconds) {
  const Between between(before, after, seconds);
  NodeRates rates;
  rates.seconds = seconds;
  rates.ready = between.now("minivault_ready") != 0;
  for (const std::string& version : between.values_of("minivault_build_info", "version"))
    rates.version = version;
  rates.connections = between.now("minivault_connections");
  rates.keys = between.now("minivault_keys");
  rates.memory_bytes = between.now("minivault_memory_bytes");
  rates.quorum_needed = between.now("minivault_quorum_needed");
  rates.quorum_reachable = between.now("minivault_quorum_reachable");
  rates.cpu_cores = between.rate("minivault_process_cpu_seconds_total");
  const double by_index = between.more("minivault_lookups_total", {{"source", "index"}});
  const double all = between.more("minivault_lookups_total");
  rates.found_by_index = all == 0 ? 0 : by_index / all;
  add_log(rates, between);
  for (const std::string& op : between.values_of("minivault_requests_total", "op")) {
    if (between.now("minivault_requests_total", {{"op", op}}) > 0) rates.ops.push_back(op_rates(between, op));
  }
  for (const std::string& peer : between.values_of("minivault_peer_up", "peer")) {
    rates.peers.push_back(peer_rates(between, peer));
  }
  return rates;
}

}  // namespace minivault::admin
