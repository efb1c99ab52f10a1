#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/client/address.h"
#include "common/cluster/members.h"
#include "common/core/error.h"
#include "common/shared/cluster_board.h"

namespace minivault::replicator {

/// A repair between this node and a peer (REPLICATION.md rule 6), told from outside: whoever does it is a
/// client of both. To the peer it says for whom: who was forgotten repairs nobody.
struct RepairTask {
  cluster::NodeId id = 0;  ///< this node's
  std::uint64_t epoch = 0;
  std::uint64_t previous_epoch = 0;  ///< as in its hello: one after another start is no copy's
  std::string public_url;
  client::Address here;
  client::Address peer;
  std::string auth_key;
  /// Pause so that no more than this many bytes a second are moved; 0: as fast as it goes.
  std::uint64_t bytes_a_second = 0;
  shared::PeerPlace* place = nullptr;  ///< where progress is told
};

/// A repair under way, in a process of its own: it waits for two nodes, and may compute for long. Nothing is
/// lost when it ends at any moment: what was moved stays moved, and the rest is still different.
class Repair {
 public:
  /// Errors: kUnavailable.
  [[nodiscard]] static Result<Repair> start(const RepairTask& task);
  Repair(Repair&& other) noexcept;
  Repair& operator=(Repair&& other) noexcept;
  Repair(const Repair&) = delete;
  Repair& operator=(const Repair&) = delete;
  ~Repair();  ///< ends it

  enum class State { kRunning, kDone, kDoneWithComplete, kFailed };  ///< the peer said that it is complete
  /// Where it is; does not wait.
  [[nodiscard]] State look();

 private:
  explicit Repair(pid_t pid) : pid_(pid) {}

  pid_t pid_ = 0;  ///< 0: has ended and was reaped
  State state_ = State::kRunning;
};

}  // namespace minivault::replicator
