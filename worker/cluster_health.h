#pragma once

#include <Poco/JSON/Object.h>

#include "common/config/config.h"
#include "common/shared/layout.h"
#include "common/store/store.h"

namespace minivault::worker {

/// Whether this node can acknowledge writes as far as other nodes go: enough of them are there, nobody else
/// has its id, and it knows what there is.
struct ClusterFitness {
  bool quorum = true;      ///< enough nodes are reachable, or -async asks for none
  bool filled = true;      ///< it holds what its cluster holds
  bool id_taken = false;   ///< another live node has its id
  bool replicates = true;  ///< the replicator came round to its work lately
  bool fits = true;        ///< nothing that the others sent lately was larger than what it can keep
};
[[nodiscard]] ClusterFitness fitness_of(const Config& config, const shared::State& state);

/// For how long the replicator has not come round to its work, though there are other nodes; 0: for less than
/// 3 s. What it says on the board is of before then.
[[nodiscard]] std::uint64_t standstill_ms(const shared::ClusterBoard& board);

/// Nodes that could hold a write now, this one counted.
[[nodiscard]] std::uint32_t reachable_nodes(const shared::ClusterBoard& board);

/// What of this node's own writes a peer has not acknowledged.
struct PeerLag {
  std::uint64_t bytes = 0;
  std::uint64_t ms = 0;  ///< for how long the oldest of it has waited, 200 ms exact
};
[[nodiscard]] PeerLag lag_of(const shared::ClusterBoard& board, const shared::PeerPlace& peer,
                             shared::Lsn tail);

/// What the clock that this node stamps by is ahead of the machine's.
[[nodiscard]] std::int64_t stamp_offset_us(const shared::State& state);

/// Adds `quorum`, `peers`, `members`, `clock` and what was counted of conflicts to the health report.
/// REQUIRES: in a turn.
void describe_cluster(const Config& config, store::Store& store, Poco::JSON::Object& health);

}  // namespace minivault::worker
