#include <algorithm>
#include <array>
#include <vector>

#include "worker/metrics_families.h"

namespace minivault::worker {
namespace {

using protocol::Exposition;
using shared::Op;
using shared::Proto;
using shared::Stage;
using shared::TimeHistogram;
using shared::Told;
using Label = Exposition::Label;

// In the order of the enumerations.
constexpr std::array<std::string_view, shared::kProtos> kProtoNames = {"binary", "http"};
constexpr std::array<std::string_view, shared::kOps> kOpNames = {
    "get", "set", "delete", "sync", "health", "monitor", "auth", "backup", "other"};
constexpr std::array<std::string_view, shared::kTolds> kCodeNames = {"ok",      "not_found",    "conflict",
                                                                     "invalid", "unauthorized", "too_large",
                                                                     "limited", "unavailable",  "unknown"};
constexpr std::array<std::string_view, shared::kStages> kStageNames = {"parse", "store", "durable", "quorum",
                                                                       "whole"};

bool knows(Proto proto, Op op) {
  if (op == Op::kSync || op == Op::kAuth) return proto == Proto::kBinary;
  if (op == Op::kMonitor || op == Op::kBackup) return proto == Proto::kHttp;
  return true;
}

/// Only writes wait for more than the store.
bool has_stage(Op op, Stage stage) {
  const bool is_write = op == Op::kSet || op == Op::kDelete;
  return is_write || (stage != Stage::kDurable && stage != Stage::kQuorum);
}

/// Visits the sets of all slots that were ever used.
template <typename Visit>
void for_each_set(const shared::Region& region, Visit&& visit) {
  const unsigned used = region.state().slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) visit(region.metrics(i), region.slot(i));
}

void add_request(Exposition& page, const shared::Region& region, Proto proto, Op op, Told told) {
  std::uint64_t sum = 0;
  for_each_set(region, [&](shared::ProcessMetrics& set, const shared::ChildSlot&) {
    sum += set.request(proto, op, told).load(std::memory_order_relaxed);
  });
  // What cannot be or is rare appears once it has happened; the rest from the start, so that a first event is
  // seen as an increase.
  const bool is_usual = static_cast<std::size_t>(op) < shared::kTimedOps || told == Told::kOk;
  if (sum == 0 && (!knows(proto, op) || !is_usual)) return;
  page.sample(std::vector<Label>{{"proto", kProtoNames[static_cast<std::size_t>(proto)]},
                                 {"op", kOpNames[static_cast<std::size_t>(op)]},
                                 {"code", kCodeNames[static_cast<std::size_t>(told)]}},
              sum);
}

void add_time(Exposition& page, const shared::Region& region, Op op, Stage stage) {
  TimeSum times;
  for_each_set(
      region, [&](shared::ProcessMetrics& set, const shared::ChildSlot&) { times.add(set.time(op, stage)); });
  std::vector<Label> labels{{"op", kOpNames[static_cast<std::size_t>(op)]}};
  if (stage != Stage::kWhole) labels.emplace_back("stage", kStageNames[static_cast<std::size_t>(stage)]);
  times.print(page, labels);
}

void add_times(Exposition& page, const shared::Region& region) {
  page.family("minivault_request_duration_seconds", Exposition::Type::kHistogram,
              "From the turn that read a request until its answer may leave.");
  for (std::size_t op = 0; op < shared::kTimedOps; ++op) {
    add_time(page, region, static_cast<Op>(op), Stage::kWhole);
  }
  page.family("minivault_request_stage_seconds", Exposition::Type::kHistogram,
              "Parts of that: until the store is asked, in the store, until on disk, until with a quorum.");
  for (std::size_t op = 0; op < shared::kTimedOps; ++op) {
    for (const Stage stage : {Stage::kParse, Stage::kStore, Stage::kDurable, Stage::kQuorum}) {
      if (has_stage(static_cast<Op>(op), stage)) add_time(page, region, static_cast<Op>(op), stage);
    }
  }
}

/// What of a request's way does not depend on the request.
struct Sums {
  std::uint64_t by_index = 0, by_cache = 0, by_base = 0, slow = 0, accepted = 0, open = 0;
};

Sums sums_of(const shared::Region& region) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  Sums sums;
  for_each_set(region, [&](shared::ProcessMetrics& set, const shared::ChildSlot& slot) {
    sums.by_index += set.found_by_index.load(kRelaxed);
    sums.by_cache += slot.cache.hits.load(kRelaxed);
    sums.by_base += set.asked_below_window.load(kRelaxed);
    sums.slow += set.slow_operations.load(kRelaxed);
    sums.accepted += slot.counters.connections_accepted.load(kRelaxed);
    sums.open += slot.counters.connections_open.load(kRelaxed);
  });
  sums.by_base -= std::min(sums.by_base, sums.by_cache);
  return sums;
}

}  // namespace

void TimeSum::add(const TimeHistogram& times) {
  sum_ns_ += times.sum_ns.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < TimeHistogram::kBuckets; ++i) {
    buckets_[i] += times.buckets[i].load(std::memory_order_relaxed);
  }
}

void TimeSum::print(Exposition& page, Exposition::Labels labels) const {
  std::vector<Label> with_le(labels.begin(), labels.end());
  with_le.emplace_back("le", "");
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < TimeHistogram::kBuckets; ++i) {
    const bool is_last = i + 1 == TimeHistogram::kBuckets;
    const std::string upper = is_last ? "+Inf" : Exposition::number(seconds_of(TimeHistogram::upper_ns(i)));
    below += buckets_[i];
    with_le.back().second = upper;
    page.sample("_bucket", with_le, std::to_string(below));
  }
  page.sample("_sum", labels, Exposition::number(seconds_of(sum_ns_)));
  page.sample("_count", labels, std::to_string(below));
}

void add_requests(Exposition& page, const shared::Region& region) {
  page.family("minivault_requests_total", Exposition::Type::kCounter,
              "Requests by protocol, operation and what the client was told.");
  for (std::size_t proto = 0; proto < shared::kProtos; ++proto) {
    for (std::size_t op = 0; op < shared::kOps; ++op) {
      for (std::size_t told = 0; told < shared::kTolds; ++told) {
        add_request(page, region, static_cast<Proto>(proto), static_cast<Op>(op), static_cast<Told>(told));
      }
    }
  }
  add_times(page, region);
  const Sums sums = sums_of(region);
  page.family(
      "minivault_lookups_total", Exposition::Type::kCounter,
      "Lookups of a key by what answered: the log by way of the index, a worker's cache, or the base.");
  page.sample(std::vector<Label>{{"source", "index"}}, sums.by_index);
  page.sample(std::vector<Label>{{"source", "cache"}}, sums.by_cache);
  page.sample(std::vector<Label>{{"source", "base"}}, sums.by_base);
  add_counter(page, "minivault_slow_operations_total", "Requests that took as long as -slowlog says.",
              sums.slow);
  add_counter(page, "minivault_connections_accepted_total", "Connections of clients and of other nodes.",
              sums.accepted);
  add_gauge(page, "minivault_connections", "Connections that are open.", sums.open);
}

}  // namespace minivault::worker
