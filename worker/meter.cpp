#include "worker/meter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/core/clock.h"
#include "common/core/key_text.h"
#include "common/core/log.h"

namespace minivault::worker {
namespace {

using shared::Op;
using shared::Stage;

/// Where nothing becomes durable for long, the times of later commits are not taken.
constexpr std::size_t kMostWaits = 10'000;

std::uint64_t us(std::uint64_t ns) {
  return ns / 1'000;
}

const char* name_of(shared::Proto proto) {
  return proto == shared::Proto::kHttp ? "http" : "binary";
}

const char* name_of(Op op) {
  switch (op) {
    case Op::kSet:
      return "set";
    case Op::kDelete:
      return "delete";
    case Op::kSync:
      return "sync";
    default:
      return "get";
  }
}

void add_key(std::vector<LogField>& fields, std::string_view key) {
  if (logs(LogLevel::kDebug)) fields.emplace_back("key", shown_key(key));
}

}  // namespace

Meter::Meter(shared::ProcessMetrics& metrics, const Config& config)
    : metrics_(&metrics),
      slow_ns_(static_cast<std::uint64_t>(std::chrono::nanoseconds(config.slow_operation).count())),
      patience_ns_(static_cast<std::uint64_t>(std::chrono::nanoseconds(config.write_timeout).count())) {}

void Meter::looked_up(const Lookup& lookup) {
  const std::uint64_t parse_ns = lookup.asked_ns - turn_ns_;
  const std::uint64_t store_ns = lookup.found_ns - lookup.asked_ns;
  metrics_->time(lookup.op, Stage::kParse).record(parse_ns, lookup.times);
  metrics_->time(lookup.op, Stage::kStore).record(store_ns, lookup.times);
  lookups_[static_cast<std::size_t>(lookup.op)] += lookup.times;
  if (slow_ns_ == 0 || parse_ns + store_ns < slow_ns_) return;
  shared::add(metrics_->slow_operations, lookup.times);
  std::vector<LogField> fields{{"op", name_of(lookup.op)},       {"proto", name_of(lookup.proto)},
                               {"requests", lookup.times},       {"total_us", us(parse_ns + store_ns)},
                               {"parse_us", us(parse_ns)},       {"store_us", us(store_ns)},
                               {"key_bytes", lookup.key.size()}, {"value_bytes", lookup.value_bytes}};
  add_key(fields, lookup.key);
  log_fields(LogLevel::kWarning, "slow_operation", fields);
}

void Meter::end_turn() {
  std::uint64_t now_ns = 0;
  for (std::size_t op = 0; op < shared::kTimedOps; ++op) {
    if (lookups_[op] == 0) continue;
    if (now_ns == 0) now_ns = monotonic_ns();
    metrics_->time(static_cast<Op>(op), Stage::kWhole)
        .record(now_ns - turn_ns_, std::exchange(lookups_[op], 0));
  }
}

void Meter::record(const Commit& commit, Stage stage, std::uint64_t ns) {
  if (commit.sets > 0) metrics_->time(Op::kSet, stage).record(ns, commit.sets);
  if (commit.deletes > 0) metrics_->time(Op::kDelete, stage).record(ns, commit.deletes);
}

void Meter::committed(Commit commit) {
  record(commit, Stage::kParse, commit.asked_ns - commit.begun_ns);
  record(commit, Stage::kStore, commit.stored_ns - commit.asked_ns);
  if (waits_.size() < kMostWaits) waits_.push_back({std::move(commit)});
}

void Meter::settle(shared::Lsn durable, shared::Lsn quorum, std::uint64_t now_ns,
                   std::uint64_t durable_since_ns) {
  const std::uint64_t synced_ns = std::min(now_ns, durable_since_ns);
  for (; durable_ < waits_.size() && waits_[durable_].commit.durable_at <= durable; ++durable_) {
    Wait& wait = waits_[durable_];
    if (wait.commit.durable_at == 0) continue;
    wait.durable_ns = synced_ns - std::min(synced_ns, wait.commit.stored_ns);
    record(wait.commit, Stage::kDurable, wait.durable_ns);
  }
  for (; with_quorum_ < waits_.size(); ++with_quorum_) {
    Wait& wait = waits_[with_quorum_];
    const bool waits = wait.commit.quorum_at != 0 && quorum != shared::kNoLsn;
    if (!waits) continue;
    if (wait.commit.quorum_at > quorum && !out_of_time(wait.commit, now_ns)) break;
    wait.quorum_ns = now_ns - std::min(now_ns, wait.commit.stored_ns);
    record(wait.commit, Stage::kQuorum, wait.quorum_ns);
  }
  while (durable_ > 0 && with_quorum_ > 0) settle_front(now_ns);
}

void Meter::settle_front(std::uint64_t now_ns) {
  const Wait& wait = waits_.front();
  const std::uint64_t whole_ns = std::max(now_ns, wait.commit.stored_ns) - wait.commit.begun_ns;
  record(wait.commit, Stage::kWhole, whole_ns);
  if (slow_ns_ != 0 && whole_ns >= slow_ns_) tell_slow(wait, whole_ns);
  waits_.pop_front();
  --durable_;
  --with_quorum_;
}

void Meter::tell_slow(const Wait& wait, std::uint64_t whole_ns) {
  const Commit& commit = wait.commit;
  shared::add(metrics_->slow_operations, commit.sets + commit.deletes);
  std::vector<LogField> fields{{"op", name_of(commit.op)},
                               {"proto", name_of(commit.proto)},
                               {"requests", commit.sets + commit.deletes},
                               {"total_us", us(whole_ns)},
                               {"parse_us", us(commit.asked_ns - commit.begun_ns)},
                               {"store_us", us(commit.stored_ns - commit.asked_ns)},
                               {"durable_us", us(wait.durable_ns)},
                               {"quorum_us", us(wait.quorum_ns)},
                               {"key_bytes", commit.key_bytes},
                               {"value_bytes", commit.value_bytes}};
  add_key(fields, commit.key);
  log_fields(LogLevel::kWarning, "slow_operation", fields);
}

}  // namespace minivault::worker
