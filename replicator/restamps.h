#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/cluster/message.h"
#include "common/store/store.h"
#include "replicator/own_writes.h"

namespace minivault::replicator {

/// Makes later acknowledged writes win (REPLICATION.md rule 7): a write of this node that nobody was told of
/// yet, and that a peer found older than what it holds, is written once more above that version, and
/// acknowledged with the new record.
///
/// Until then the quorum stays below the first record: were its writer told earlier, a third write could
/// begin, get a version between the two, and lose.
///
/// Above the newest that any of the acknowledging majority held when the *first* record came to it: whatever
/// was acknowledged before the write began, one of them held then. They answer in order, so whoever counts
/// for the last record has said so. What they hold newer when a second record comes is of a write that began
/// later, and may win. So a write goes out again at most once for each peer, and two nodes that write the
/// same key do not chase each other.
///
/// Of two writes of this node to one key only the later goes out again, and stands for both: under new
/// versions the earlier would be the newer one, and the clients of one connection would see them turn round.
///
/// A write on a condition does not go out again: its condition was judged without what the peer holds, which
/// may have been acknowledged before it began. It stays beaten, stands for nobody, holds no quorum, and its
/// client is told that its outcome is unknown (common/shared/beaten_writes.h).
class Restamps {
 public:
  Restamps(store::Store& store, cluster::NodeId id) : store_(&store), id_(id), own_(store, id) {}

  /// `told`: writes that end at or below it are acknowledged, or were given up. REQUIRES: in a turn;
  /// `record` is of this node and still in the log.
  void conflict(const store::Change& record, const store::Version& held, Lsn told);
  /// Tries again what found no room and is not told yet. REQUIRES: in a turn.
  void retry(Lsn told);
  [[nodiscard]] bool has_to_retry() const { return waiting_ > 0; }

  /// How far `quorum` may be told. What cannot be written again holds it until it was given up.
  [[nodiscard]] Lsn cap(Lsn quorum, Lsn told);

 private:
  /// A write that was sent, by the LSN of its first record: the quorum stays there until it reaches `until`.
  struct Write {
    Lsn end = 0;                  ///< of the first record
    Lsn until = shared::kNoLsn;   ///< kNoLsn: what is to be acknowledged in its place is not written yet
    std::uint64_t hlc = 0;        ///< of the newest record
    std::uint64_t above_hlc = 0;  ///< the newest record is, or is to be, stamped above this
    // For as long as it waits for room.
    bool waits = false;
    store::Operation operation = store::Operation::kSet;
    std::uint8_t flags = 0;
    std::string key;
    std::string value;
  };
  struct Record {
    store::Operation operation;
    std::uint8_t flags;
    std::string_view key;
    std::string_view value;
  };

  /// False: not now.
  [[nodiscard]] bool write_again(Write& write, const Record& record);
  void await(Write& write, const Record& record);
  void give_up(const store::Change& record);

  store::Store* store_;
  cluster::NodeId id_;
  std::map<Lsn, Write> writes_;
  std::size_t waiting_ = 0;
  OwnWrites own_;
};

}  // namespace minivault::replicator
