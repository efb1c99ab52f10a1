#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/cluster/message.h"

namespace minivault::replicator {

/// Every write that ends at or below this is durable at `needed` of the peers whose acknowledged LSNs these
/// are. 0: not so many peers are there. REQUIRES: needed > 0.
[[nodiscard]] cluster::Lsn quorum_of(std::vector<cluster::Lsn> acked, std::size_t needed);

/// What one member says that it holds of everyone's streams.
struct Holdings {
  cluster::NodeId member = 0;
  std::span<const cluster::Held> held;
};

/// The HLC value through which every member holds every member's stream (REPLICATION.md rule 5); 0 where
/// somebody has not said so.
[[nodiscard]] std::uint64_t stable_floor(std::span<const Holdings> all);

/// What a peer holds of the stream of an origin, and this node lacks: 0 nothing, else a number that changes
/// with it.
[[nodiscard]] std::uint64_t lead(std::span<const cluster::Held> own, std::span<const cluster::Held> peers,
                                 cluster::NodeId origin);

/// The middle one, this node's own 0 among them; the mean of the middle two.
[[nodiscard]] std::int64_t median_offset(std::vector<std::int64_t> peers);

}  // namespace minivault::replicator
