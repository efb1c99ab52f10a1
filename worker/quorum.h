#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/config/config.h"
#include "common/net/list.h"
#include "common/shared/region.h"
#include "worker/client.h"

namespace minivault::worker {

/// Writes of this process that wait until enough other nodes have them, and whoever waits with them.
///
/// What other nodes have acknowledged is one number on the board (cluster_board.h): a wait is over once that
/// has passed its end, or its time is up. Then the write has neither failed nor been acknowledged, and the
/// client is told so as far as its protocol can tell.
class Quorum {
 public:
  /// The answers of `wait` may leave: as they are if it was reached, else as those of an unknown outcome.
  using Settled = std::function<void(Client&, const QuorumWait& wait, bool reached)>;

  Quorum(const Config& config, shared::Region& region, unsigned slot, Settled settled)
      : config_(&config),
        region_(&region),
        slot_(slot),
        board_(&region.state().cluster),
        settled_(std::move(settled)) {}

  /// Whether the answer of a write done now has to wait for other nodes.
  [[nodiscard]] bool is_needed() const {
    return board_->needed.load(std::memory_order_relaxed) != 0 && !config_->async;
  }
  /// Another live node has this node's id: a write taken here could not be told from one of its own.
  [[nodiscard]] bool forbids_writes() const { return board_->id_taken.load(std::memory_order_relaxed) != 0; }
  /// While this node is being filled, or does not yet know whether it is, that it has no record of a key
  /// means nothing.
  [[nodiscard]] bool is_filling() const {
    return board_->complete.load(std::memory_order_acquire) == 0 &&
           board_->needed.load(std::memory_order_relaxed) != 0;
  }

  /// The next `answer_bytes` of the client's output wait for everything below `end`, written in a turn that
  /// began at `since_ms`; all of them by the same operation. `conditional_end`: QuorumWait's.
  void park(Client& client, std::size_t answer_bytes, shared::Lsn end, std::uint64_t since_ms, shared::Op op,
            shared::Lsn conditional_end = 0);
  /// Settles the waits that are over. To be called every turn; costs nothing where nobody waits.
  void settle();

  [[nodiscard]] bool empty() const { return line_.empty(); }
  /// Every write that ends at or below this is with enough other nodes.
  [[nodiscard]] shared::Lsn reached() const;
  /// Asks for the slot's bell once the next wait is over. False: one is already, no bell will ring.
  [[nodiscard]] bool ring_when_reached() const;
  [[nodiscard]] std::uint64_t next_deadline_ms() const { return next_deadline_ms_; }

  /// For the client: what is known of a write whose time is up, or that was beaten.
  [[nodiscard]] std::string unknown_outcome(const QuorumWait& wait) const;
  [[nodiscard]] std::uint64_t timeout_ms() const {
    return static_cast<std::uint64_t>(config_->write_timeout.count());
  }

 private:
  void settle(Client& client, shared::Lsn reached, std::uint64_t now_ms);
  void expect(const QuorumWait& wait);
  [[nodiscard]] bool is_beaten(const QuorumWait& wait) const;

  const Config* config_;
  shared::Region* region_;
  unsigned slot_;
  shared::ClusterBoard* board_;
  Settled settled_;
  net::List<Client, QuorumTag> line_;
  shared::Lsn lowest_ = shared::kNoLsn;
  std::uint64_t next_deadline_ms_ = shared::kNoLsn;
};

}  // namespace minivault::worker
