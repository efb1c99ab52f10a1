#pragma once

#include <cstddef>
#include <span>

#include "common/cluster/members.h"

namespace minivault::replicator {

/// With how many complete members a node has to be repaired before it lacks nothing that was acknowledged
/// without it: so many that one of each majority is among them. `has_lost`: it may stand in for one that had
/// acknowledged something (a lost disk, or what it has forgotten itself); else it is one more than there
/// were.
[[nodiscard]] constexpr std::size_t sources_needed(std::size_t members, bool has_lost) {
  const std::size_t enough = (members + (has_lost ? 1 : 0)) / 2;
  return enough == 0 ? 1 : enough;
}

/// Another node, as far as one that is not complete knows it.
struct Source {
  cluster::NodeId id = 0;
  bool is_member = false;
  bool is_there = false;  ///< it is streamed to
  bool complete = false;  ///< by its last word, wherever it is now: what it holds the others may not have
  bool is_paid = false;   ///< this node was repaired with it, and owes it no other repair
};

/// What a node that is not complete has reached so far.
struct Filling {
  std::size_t members = 0;  ///< of its set, itself included
  std::size_t needed = 0;   ///< so many others make a majority
  std::size_t sources = 0;  ///< members with which it was repaired while they were complete
  bool has_lost = false;    ///< as sources_needed() asks
  bool has_waited = false;  ///< long enough for those who are not there
};

/// Whether a node lacks nothing that was acknowledged without it (common/cluster/README.md rule 9).
///
/// Nobody who is born with others, or has forgotten something, knows whether they hold more than it does; and
/// one of them alone may not hold what others have acknowledged, complete or not, owing a repair or not. A
/// repair with one of each majority that can have acknowledged without this node tells.
///
/// Where too few are complete, all that there is was written at those that are there: whoever has been
/// repaired with all of them lacks nothing, and, where nobody is complete, with a majority after a while.
/// What they take meanwhile their streams bring; a stream that jumps leaves a debt.
[[nodiscard]] bool is_filled(const Filling& filling, cluster::NodeId self, std::span<const Source> others);

}  // namespace minivault::replicator
