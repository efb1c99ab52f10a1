#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/cluster/message.h"

namespace minivault::replicator {

/// Every write that ends at or below this is durable at `needed` of the peers whose acknowledged LSNs these
/// are. 0: not so many peers are there. REQUIRES: needed > 0.
[[nodiscard]] cluster::Lsn quorum_of(std::vector<cluster::Lsn> acked, std::size_t needed);

/// With how many complete members a node has to be repaired before it lacks nothing that was acknowledged
/// without it: so many that one of each majority is among them. `has_lost`: it may stand in for one that had
/// acknowledged something (a lost disk, or what it has forgotten itself); else it is one more than there
/// were.
[[nodiscard]] constexpr std::size_t sources_needed(std::size_t members, bool has_lost) {
  const std::size_t enough = (members + (has_lost ? 1 : 0)) / 2;
  return enough == 0 ? 1 : enough;
}

/// Another node that is called, for whoever is not complete.
struct Source {
  bool is_streaming = false;
  bool is_complete = false;  ///< a member, and that by its last word, wherever it is now
  bool gave_all = false;     ///< it was repaired with, and nothing is owed to it since
};

/// Whoever is not complete, once it knows how many are needed. A word about "complete": whoever is may have
/// debts, but has forgotten nothing.
struct Filling {
  std::span<const Source> others;  ///< all that are called but this node itself
  std::size_t members = 0;
  std::size_t needed = 0;   ///< of others, for a quorum
  std::size_t sources = 0;  ///< complete members that it was repaired with
  bool has_lost = false;    ///< see sources_needed()
  bool has_waited = false;  ///< for those who have not come yet
};

/// It lacks nothing that was acknowledged without it. Where too few are complete, all that there is was
/// written at those that are there: whoever has been repaired with all of them lacks nothing, and, where
/// nobody is complete, with a majority after a while. What they take meanwhile their streams bring; a stream
/// that jumps leaves a debt.
[[nodiscard]] bool is_filled(const Filling& filling);

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

/// What a peer holds of the stream of an origin, and this node lacks, or may lack: 0 nothing, else a number
/// that changes with it. `debt`: the repair that this node owes to the origin. As long as there is one its
/// own position says nothing, for a jump has moved that past what is missing; anybody may have that.
[[nodiscard]] std::uint64_t lead(std::span<const cluster::Held> own, std::span<const cluster::Held> peers,
                                 cluster::NodeId origin, const store::Version& debt = {});

}  // namespace minivault::replicator
