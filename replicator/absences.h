#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "common/cluster/notes.h"

namespace minivault::replicator {

/// For how long members have not been heard of, in time in which this node ran and had a majority: a node
/// that was off, or cut off, knows nothing of others. Beyond -tombstone-ttl the stable floor does not wait
/// for a member. A plain value; durable as the note `away`, written now and then, so that it is little less
/// than it was after a start, and never more: at once when one of those in it has come back.
class Absences {
 public:
  Absences() = default;
  Absences(cluster::Away away, std::uint64_t ttl_ms)
      : away_(std::move(away)), noted_(away_), ttl_ms_(ttl_ms) {}

  /// One who is not this node.
  struct Sign {
    cluster::NodeId member = 0;
    bool heard = false;           ///< it answers this node
    std::uint64_t seen_afar = 0;  ///< changes with what others hold of its stream: it lives, somewhere
  };
  /// `passed_ms` more have gone by since the last call. Whoever gave no sign was away for them, or for one
  /// second: who did not look for longer did not run. Nothing is counted by a node without a majority: it is
  /// away itself.
  void pass(std::uint64_t passed_ms, bool has_majority, std::span<const Sign> members);

  /// Beyond -tombstone-ttl.
  [[nodiscard]] bool is_away(cluster::NodeId member) const;
  [[nodiscard]] std::uint64_t away_ms(cluster::NodeId member) const;
  [[nodiscard]] const cluster::Away& away() const { return away_; }
  /// The note says of somebody more than away() does: it has come back since.
  [[nodiscard]] bool note_says_too_much() const;
  /// away() is in the note.
  void noted() { noted_ = away_; }

 private:
  cluster::Away away_;   ///< ms; those of members that answer are not there
  cluster::Away noted_;  ///< as the note has it
  std::map<cluster::NodeId, std::uint64_t> seen_afar_;
  std::uint64_t ttl_ms_ = 0;
};

}  // namespace minivault::replicator
