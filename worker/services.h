#pragma once

#include <algorithm>
#include <string>

#include "common/core/clock.h"
#include "common/net/list.h"
#include "common/net/memory_budget.h"
#include "common/net/rate_bucket.h"
#include "common/process/roles.h"
#include "common/protocol/compression.h"
#include "common/protocol/http_date.h"
#include "common/store/store.h"
#include "worker/access.h"
#include "worker/client.h"
#include "worker/health.h"
#include "worker/large_values.h"
#include "worker/meter.h"
#include "worker/metrics_page.h"
#include "worker/quorum.h"
#include "worker/write_queue.h"

namespace minivault::worker {

/// What the sessions of all clients of this process share.
struct Services {
  Services(const ChildContext& context, store::Store& opened, std::size_t memory_bytes,
           std::size_t sync_bytes, WriteQueue::Settled settled, Quorum::Settled quorum_settled)
      : config(context.config),
        store(opened),
        state(context.region.state()),
        counters(context.region.slot(context.slot).counters),
        meter(context.region.metrics(context.slot), context.config),
        access(context.config),
        rate(state.rate_due_ns, context.config.rate_limit),
        memory(memory_bytes),
        sync_memory(sync_bytes),
        writes(opened, meter, context.config, std::move(settled)),
        quorum(context.config, context.region, context.slot, std::move(quorum_settled)),
        health(context.config, opened),
        metrics(context.config, opened),
        large_values(context.config.bytes_a_cache()) {}

  const Config& config;
  store::Store& store;
  shared::State& state;
  shared::Counters& counters;
  Meter meter;
  const AccessRules access;
  const net::RateBucket rate;
  net::MemoryBudget memory;
  net::MemoryBudget sync_memory;  ///< for what other nodes' messages unfold to (SyncSession::memory_limit())
  net::List<Client, LineTag> memory_line;  ///< first come, first served
  WriteQueue writes;
  Quorum quorum;
  HealthReport health;
  MetricsPage metrics;
  LargeValues large_values;
  protocol::Decompressor decompressor;
  std::string scratch;  ///< an answer under construction
  std::string body;     ///< and its JSON
  protocol::DateLine date;
  bool draining = false;

  /// What became of the writes whose times are taken.
  void settle_times();

  // Answers. Running out of memory breaks the client's stream, and the client is dropped for it.
  void append(Client& client, std::string_view bytes);
  void append_borrowed(Client& client, std::string_view bytes);  ///< see net::OutputBuffer
  /// `part` of the value that the store found just now, a large one not copied more often than it must be.
  void append_value(Client& client, const store::Found& found, std::string_view part);
  /// What is appended from now on leaves when the log is durable up to `answer_after`.
  void hold(Client& client, shared::Lsn answer_after);
  /// Whether an answer that waits for `answer_after` will ever leave: not after a failed sync.
  [[nodiscard]] bool will_leave(shared::Lsn answer_after) const;

  /// Takes memory for a large request or answer; false: the client must wait in memory_line.
  [[nodiscard]] bool reserve(Client& client, net::Reservation& reservation, std::uint64_t bytes);

  /// The largest value that a key of `key_size` bytes can have: here, and at every other member. REQUIRES: in
  /// a turn of the store.
  [[nodiscard]] std::uint64_t largest_value(std::size_t key_size) const {
    const std::uint64_t here = store.largest_value(key_size);
    std::uint64_t cluster = state.cluster.largest_value.load(std::memory_order_relaxed);
    if (cluster == 0) cluster = noted_limit();
    // Nobody else is known, or all take as much, and what bounds it here may not be the room for key and
    // value.
    if (cluster == 0 || cluster == store.largest_value(1)) return here;
    return std::min(here, cluster < key_size ? 0 : cluster + 1 - key_size);  // theirs is of keys of one byte
  }

  /// What all members take as far as they are noted: before the replicator has said so. 0: nobody is known.
  [[nodiscard]] std::uint64_t noted_limit() const;

  /// May this request happen? Asked once a request, however often it is tried.
  enum class Admission { kGranted, kUnauthorized, kRateLimited };
  [[nodiscard]] Admission admit(Client& client, Access needed, bool has_key);
  /// It may, and so may all that follow: nobody counts them.
  [[nodiscard]] bool admits_all(Access needed, bool has_key) const {
    return !rate.limited() && (has_key || !access.needs_key(needed));
  }
};

}  // namespace minivault::worker
