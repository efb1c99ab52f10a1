#pragma once

#include <cstddef>
#include <span>

namespace minivault::replicator {

/// One member of this node's set, as far as this node knows.
struct Standing {
  bool is_self = false;
  bool is_old = false;       ///< was in the set that this node agreed on last
  bool is_listed = false;    ///< configured here, this node itself included
  bool recorded = false;     ///< it said last that it has the same set on disk
  bool backs = false;        ///< and that a majority of its own list has it
  bool agreed = false;       ///< and that it is agreed on
  bool knows_later = false;  ///< and that it knows of a later set that was agreed on
};

/// The set that this node agreed on last.
enum class OldSet {
  kNone,   ///< it knows of no set but itself
  kWhole,  ///< all who were in it are still members
  kParted  ///< some were forgotten since
};

struct Accord {
  bool backs = false;
  bool agreed = false;
};

/// Whether a set is agreed on: nobody can count a majority of another set any more that shares no node with
/// each majority of this one. `configured`: nodes on this node's list, itself included. Single-server changes
/// as in Ongaro, "Consensus: bridging theory and practice" 4.1, but without a leader: two nodes may let in
/// different newcomers at once, so a set counts only when it is agreed on.
///
/// 1. Nobody has come in since the last one.
/// 2. One who recorded it says so: it is true of the set, not of who says it.
/// 3. A majority of the old set has recorded it, and none of those who did knows of a later one.
/// 4. At a birth, or for one node more than was there then: a majority of this list backs it, and all who
///    came in are on the list; or all members back it. A list is the word of whoever wrote it for who there
///    is; one that is too short counts only beside those of all others.
[[nodiscard]] Accord accord_of(std::span<const Standing> members, OldSet old_set, std::size_t configured);

}  // namespace minivault::replicator
