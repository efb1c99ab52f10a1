#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/core/unique_fd.h"
#include "common/net/block.h"
#include "common/net/poller.h"
#include "common/process/roles.h"
#include "common/store/store.h"
#include "replicator/absences.h"
#include "replicator/accord.h"
#include "replicator/clock_choice.h"
#include "replicator/home.h"
#include "replicator/majority.h"
#include "replicator/parcel.h"
#include "replicator/peer.h"
#include "replicator/repairs.h"
#include "replicator/restamps.h"
#include "replicator/roster.h"

namespace minivault::replicator {

/// The replicator process: this node's peers and the turns in which they are served.
///
/// A turn: what the poller saw -> answers are taken -> now and then: who is a member, what is published, who
/// is called -> parcels are queued -> the quorum is told -> the turn of the store ends -> sockets are
/// written.
class Replicator final : private PeerOwner {
 public:
  Replicator(const ChildContext& context, store::Store& store, net::Poller poller, UniqueFd signals);

  /// Works until asked to end by SIGTERM and done, or until asked twice.
  [[nodiscard]] Status run();

 private:
  // Turns (replicator.cpp).
  void turn(std::span<const net::Event> events);
  void notice(const net::Event& event);
  void serve();
  void complain(const Error& error);
  void look_around();
  [[nodiscard]] int sleep_ms();
  [[nodiscard]] bool may_sleep();
  [[nodiscard]] bool others_replicate() const;
  [[nodiscard]] bool workers_live() const;
  [[nodiscard]] bool drained();

  // Who is there (replicator_members.cpp).
  void keep_peers();
  void forget_on_request();
  [[nodiscard]] Status forget(NodeId id);
  void drop_unwanted();
  Peer* add_peer(const std::string& address);
  [[nodiscard]] shared::PeerPlace* find_place(const std::string& address) const;
  [[nodiscard]] bool is_in_use(const shared::PeerPlace& place) const;
  [[nodiscard]] Roster roster() const;
  [[nodiscard]] Peer* find(NodeId id) const;
  [[nodiscard]] NodeId id_of(const Peer& peer) const;
  void take_introductions();
  [[nodiscard]] std::ptrdiff_t strangers() const;
  [[nodiscard]] Objection met(Peer& peer, const cluster::HelloReply& hello) override;
  Accord seek_accord();
  void tell_disagreement();
  [[nodiscard]] Objection take_in(Peer& peer, const cluster::HelloReply& hello);
  void refused(Peer& peer, cluster::Reply reason) override;
  void id_is_taken(const Peer& peer);

  // The stable floor (replicator_floor.cpp).
  struct Presence {
    std::vector<cluster::Held> own;
    std::vector<Holdings> present;
    std::vector<NodeId> absent;
    bool has_members_absent = false;  ///< not only some that were forgotten
  };
  void publish_floor();
  void count_absences();
  [[nodiscard]] std::vector<Absences::Sign> signs_of_life();
  void look_for_moves(NodeId teller, std::span<const cluster::Held> held);
  [[nodiscard]] std::optional<Presence> look_who_is_there() const;
  void settle(const Presence& presence);
  void write_settled(const Presence& presence, std::uint64_t fingerprint);
  void raise_floor(std::uint64_t stable);
  void vouch();

  // By which clock it stamps (replicator_clock.cpp).
  [[nodiscard]] Clocks clocks() const;
  void choose_clock();
  void tell_future() const;
  void tell_drift(const Clocks& known);
  void follow_clocks();

  // What is told (replicator_board.cpp).
  void publish_members();
  void publish_quorum();
  void find_completeness();
  void look_at_damage();
  void repair();
  [[nodiscard]] std::uint64_t lead_of(const Peer& peer, std::span<const cluster::Held> own) const;
  [[nodiscard]] Status conflicts(const Peer& peer, const Parcel& parcel,
                                 const std::vector<cluster::Conflict>& conflicts) override;
  /// A repair that is under way may have passed by what makes another one due.
  [[nodiscard]] Status owe(NodeId peer) { return home_.owe(peer, repairs_->under_way(peer)); }
  void ring_waiting(Lsn quorum) const;
  void note_given_up();
  void publish_lag() const;
  void publish_debts() const;
  void publish_unheard() const;

  const ChildContext* context_;
  store::Store* store_;
  shared::ClusterBoard* board_;
  net::Poller poller_;
  UniqueFd signals_;
  net::BlockPool pool_;
  Home home_;
  Restamps restamps_;
  std::unique_ptr<Shelf> shelf_;
  std::unique_ptr<PeerServices> services_;
  std::unique_ptr<Repairs> repairs_;
  std::vector<std::unique_ptr<Peer>> peers_;
  /// A replicator that was there first, until it is gone.
  struct Predecessor {
    unsigned slot;
    std::int32_t pid;
  };
  std::vector<Predecessor> predecessors_;
  std::vector<Alias> aliases_;
  /// While this node is incomplete: with whom it has been repaired since this process began, and whether that
  /// one was complete then.
  std::map<NodeId, bool> filled_from_;
  std::set<NodeId> unnoted_debts_;  ///< there was no room for the note

  /// Where the log ended when, one entry a look: what a write from back then waited for is over.
  struct Mark {
    std::uint64_t at_ms;
    Lsn tail;
  };
  std::deque<Mark> marks_;
  std::uint64_t now_ms_ = 0;
  std::uint64_t started_ms_ = 0;
  std::uint64_t next_look_ms_ = 0;
  std::uint64_t next_repair_look_ms_ = 0;
  SteadyChoice clock_choice_;
  std::uint64_t drifts_since_ms_ = 0;  ///< 0: it does not
  std::uint64_t next_drift_note_ms_ = 0;
  std::uint64_t next_too_few_note_ms_ = 0;
  std::uint64_t disagrees_since_ms_ = 0;  ///< 0: it does not
  std::uint64_t next_disagreement_note_ms_ = 0;
  Absences absences_;
  std::map<std::pair<NodeId, NodeId>, Lsn> held_afar_;  ///< teller and origin: as the teller said last
  std::map<NodeId, std::uint64_t> moves_afar_;  ///< how often somebody came to hold more of its stream
  std::uint64_t absences_counted_ms_ = 0;
  std::uint64_t next_away_note_ms_ = 0;
  std::uint64_t next_floor_note_ms_ = 0;
  std::uint64_t next_settled_note_ms_ = 0;
  bool is_settled_ = false;              ///< at the last look
  std::uint64_t settling_ = 0;           ///< the fingerprint that repairs are made for; 0: none
  std::uint64_t settling_since_ms_ = 0;  ///< when it was first seen
  Lsn seen_tail_ = 0;
  std::uint64_t published_digest_ = 0;  ///< of the member set that board_->needed is for
  bool had_majority_ = false;           ///< since this process began
  bool complained_ = false;
  unsigned stop_requests_ = 0;
  std::uint64_t alone_since_ms_ = 0;  ///< of the drain: when the last worker had gone; 0: not yet
};

}  // namespace minivault::replicator
