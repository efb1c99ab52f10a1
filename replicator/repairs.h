#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>

#include "common/client/address.h"
#include "common/cluster/members.h"
#include "common/config/config.h"
#include "common/shared/cluster_board.h"
#include "common/store/version.h"
#include "replicator/repair.h"

namespace minivault::replicator {

/// A peer as repairs see it.
struct RepairPeer {
  cluster::NodeId id = 0;
  client::Address address;
  shared::PeerPlace* place = nullptr;
  bool reachable = false;  ///< it answers: one that is under way may go on
  bool streams = false;    ///< one may begin
  bool owed = false;       ///< at once, not when its time comes
  store::Version debt;     ///< what is owed, for whoever pays it
  /// Not 0: it holds what this node lacks of origins that are away, and nobody else may have. Another number:
  /// more than at the last repair.
  std::uint64_t lead = 0;
  /// Not 0: a repair is due that began after this; see Repairs::last_began_ms().
  std::uint64_t settle_since_ms = 0;
};

/// Decides when this node repairs with whom, one after the other: whom it owes one, everyone when asked, and
/// each pair of nodes every -repair-interval (the one with the smaller id begins). One of the latter, which
/// is slow on purpose, is ended where another is pressing.
class Repairs {
 public:
  struct Done {
    cluster::NodeId peer;
    store::Version debt;  ///< as it was when the repair began
    bool peer_was_complete;
  };
  using WhenDone = std::function<void(const Done&)>;

  Repairs(const Config& config, cluster::NodeId id, client::Address here, shared::ClusterBoard& board)
      : config_(config), id_(id), here_(std::move(here)), board_(board) {}

  /// Looks after the one under way and starts the next that is due. Often enough: a few times a second.
  /// `peers`: whom this node calls now. One with who has not been among them, or not reachable, for 5 s is
  /// ended where it is, and tried again like one that failed: nobody else waits for who is silent.
  void tick(std::uint64_t now_ms, std::span<const RepairPeer> peers, const WhenDone& when_done);

  /// The one under way is ended where it is with a node that was forgotten: it would go on bringing its
  /// records.
  void end_with_forgotten(const cluster::MemberSet& members);
  /// The one under way began before this node knew that it has forgotten something: it does not count.
  void begin_anew() { repair_.reset(); }
  /// When the last repair with it that ended well began; 0: none since this process did.
  [[nodiscard]] std::uint64_t last_began_ms(cluster::NodeId peer) const;
  [[nodiscard]] bool under_way(cluster::NodeId peer) const { return repair_ && peer_ == peer; }

 private:
  struct Account {
    std::uint64_t last_ms = 0;  ///< when the last ended well, or the peer was first seen
    std::uint64_t last_began_ms = 0;
    std::uint64_t not_before_ms = 0;
    std::uint64_t delay_ms = 0;    ///< between tries that fail
    std::uint64_t asked_seen = 0;  ///< of board.repair_requested
    std::uint64_t lead_seen = 0;
    std::uint64_t next_lead_ms = 0;  ///< repairs for a lead take a tenth of the time at most
  };

  /// True: the one under way has ended well.
  [[nodiscard]] bool look(std::uint64_t now_ms, const WhenDone& when_done);
  void end_with_lost(std::uint64_t now_ms, std::span<const RepairPeer> peers);
  void failed(std::uint64_t now_ms);
  enum class Need { kNone, kRoutine, kPressing, kOwed };
  [[nodiscard]] Need need_of(const RepairPeer& peer, const Account& account, std::uint64_t now_ms) const;
  void start(const RepairPeer& peer, Account& account, Need need, std::uint64_t now_ms);

  const Config& config_;
  cluster::NodeId id_;
  client::Address here_;
  shared::ClusterBoard& board_;
  std::map<cluster::NodeId, Account> accounts_;
  std::optional<Repair> repair_;
  // Of the one under way.
  Need need_ = Need::kNone;
  cluster::NodeId peer_ = 0;
  shared::PeerPlace* place_ = nullptr;
  store::Version debt_;
  std::uint64_t asked_at_start_ = 0;
  std::uint64_t lead_at_start_ = 0;
  std::uint64_t began_ms_ = 0;
  std::uint64_t reached_ms_ = 0;  ///< when its peer was reachable last
};

}  // namespace minivault::replicator
