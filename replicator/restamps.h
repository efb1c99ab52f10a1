#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "common/cluster/message.h"
#include "common/store/store.h"

namespace minivault::replicator {

using cluster::Lsn;

/// Makes later acknowledged writes win (REPLICATION.md rule 7): a write of this node that nobody was told of
/// yet, and that a peer found older than what it holds, is written once more above that version, and
/// acknowledged with the new record.
///
/// Until then the quorum stays below the first record: were its writer told earlier, a third write could
/// begin, get a version between the two, and lose.
class Restamps {
 public:
  Restamps(store::Store& store, cluster::NodeId id) : store_(&store), id_(id) {}

  /// `told_up_to`: writes that end at or below it are acknowledged, or were given up. REQUIRES: in a turn;
  /// `record` is of this node and still in the log.
  void conflict(const store::Change& record, const store::Version& held, Lsn told_up_to);
  /// Tries again what found no room. REQUIRES: in a turn.
  void retry();
  [[nodiscard]] bool has_to_retry() const { return !waiting_.empty(); }

  /// How far `quorum` may be told.
  [[nodiscard]] Lsn cap(Lsn quorum);

 private:
  /// A write that is stamped again: quorum stays at or below `lsn` until it reaches `until`.
  struct Hold {
    Lsn lsn;
    Lsn until;  ///< shared::kNoLsn: not written again yet
  };
  struct Waiting {
    Lsn lsn;
    store::Operation operation;
    std::uint8_t flags;
    store::Version version;
    store::Version held;
    std::string key;
    std::string value;
  };

  /// False: there was no room.
  [[nodiscard]] bool write_again(const Waiting& record);
  void settle(Lsn lsn, Lsn until);

  store::Store* store_;
  cluster::NodeId id_;
  std::vector<Hold> holds_;
  std::deque<Waiting> waiting_;
  std::set<Lsn> once_;  ///< records that were written again, and those that were written for it
};

}  // namespace minivault::replicator
