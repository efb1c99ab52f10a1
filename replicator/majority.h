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
  cluster::SettledWord settled = {};
};

/// Says who is absent, who is not, and how far each of these holds the absent ones' streams (see
/// cluster::SettledWord); 0: nobody is absent.
[[nodiscard]] std::uint64_t fingerprint_of(std::span<const Holdings> present,
                                           std::span<const cluster::NodeId> absent);

/// The HLC value through which every member that is present holds every stream (REPLICATION.md rule 5); 0
/// where somebody has not said so. `absent` are origins for which it does not wait as members: of their
/// streams it is enough that all who are present have settled among each other what any of them holds.
[[nodiscard]] std::uint64_t stable_floor(std::span<const Holdings> present,
                                         std::span<const cluster::NodeId> absent);

/// What a peer holds of the stream of an origin, and this node lacks: 0 nothing, else a number that changes
/// with it.
[[nodiscard]] std::uint64_t lead(std::span<const cluster::Held> own, std::span<const cluster::Held> peers,
                                 cluster::NodeId origin);

}  // namespace minivault::replicator
