#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/message.h"
#include "common/process/roles.h"
#include "common/store/store.h"
#include "replicator/roster.h"

namespace minivault::replicator {

using cluster::Lsn;
using cluster::NodeId;

/// Where a peer's stream begins.
struct Beginning {
  Lsn from = 0;
  bool jump = false;   ///< what the peer lacks below is not sent
  bool waits = false;  ///< writes may still wait for what was jumped over: the peer does not count yet
};

/// This node as its peers are told of it: who it is, since when, whom it knows, what it holds of whom. All of
/// it is in notes; here it is read, changed and published on the board. Every call but where noted
/// REQUIRES a turn of the store. Errors: kNoSpace (nothing changed, try again), and as Store::commit().
class Home {
 public:
  Home(const ChildContext& context, store::Store& store);

  /// Reads the notes, draws the epoch of this start of the node unless a replicator before did, introduces
  /// the node to its own member set. To be called again after an error.
  [[nodiscard]] Status open();
  /// The epoch is on disk: peers may be told of it. Needs no turn.
  [[nodiscard]] bool is_open() const;

  [[nodiscard]] NodeId id() const { return id_; }
  [[nodiscard]] std::uint64_t epoch() const { return epochs_.current(); }
  [[nodiscard]] const cluster::MemberSet& members() const { return members_; }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] cluster::Hello hello() const;
  [[nodiscard]] cluster::Pulse pulse() const;
  /// Of every member that this node holds anything of, and its own.
  [[nodiscard]] std::vector<cluster::Held> held() const;

  /// Takes over what somebody else wrote into the note of members (`cluster forget`).
  [[nodiscard]] Status refresh();
  /// Whatever is stamped here from now on is above `hlc`, which others have reached: a node whose clock is
  /// late must not stamp below what all others take for settled. Does nothing for less than a second, nor for
  /// what is no clock (node_clock.h).
  [[nodiscard]] Status catch_up(std::uint64_t hlc);
  /// Takes over what `teller` says of the set (Memory::merged).
  [[nodiscard]] Status merge(const cluster::MemberSet& other, NodeId teller);
  [[nodiscard]] Status introduce(NodeId id, const std::string& address, std::uint64_t largest_value = 0);
  /// What a member says of itself now. Does nothing for others.
  [[nodiscard]] Status note_limit(NodeId id, std::uint64_t largest_value);
  /// The largest value that every member takes: durable, so also those that are not there, and whatever
  /// started since they were.
  [[nodiscard]] std::uint64_t largest_value() const;
  /// Error: kTooLarge (MemberSet::is_full_for).
  [[nodiscard]] Status forget(NodeId id);
  [[nodiscard]] Memory memory() const { return {id_, members_, agreed_}; }
  [[nodiscard]] bool is_changing() const { return memory().is_changing(); }
  [[nodiscard]] std::uint64_t agreed_version() const { return memory().agreed_version(); }
  /// members() is agreed on (accord.h): somebody else may come in.
  [[nodiscard]] Status agree();

  /// What became of the writes that end at or below this is decided, and nothing that a peer says changes it:
  /// they were acknowledged, or given up, or nobody waits for peers. (Of one told at once, with -async, its
  /// record says so: store::kFlagAtOnce.) Needs no turn.
  [[nodiscard]] Lsn told() const;
  /// Judges a peer's position in this node's stream. `answered`: how far its answers were taken; kNoLsn: not
  /// known.
  ///
  /// A position says what the peer has, not what it has found older than something else: that was in its
  /// answer, and the answer may have been lost with its connection, or with the replicator that took it. So
  /// what is undecided is sent again, and so is what was not answered.
  [[nodiscard]] Beginning begin_stream(const cluster::Position& position,
                                       Lsn answered = shared::kNoLsn) const;

  [[nodiscard]] bool is_complete() const;
  [[nodiscard]] Status become_complete();
  /// It was complete once, and has forgotten something since.
  [[nodiscard]] bool has_forgotten() const;
  /// A peer holds more of this node's stream than this node ever sent as far as it remembers: its directory
  /// was put back from an older copy, or the power took the end of its log. What it has forgotten it must not
  /// take for deleted.
  [[nodiscard]] bool is_older_than(const cluster::Position& position) const;
  [[nodiscard]] Status become_incomplete();
  /// … of `peer`, which holds it: it is not complete, and owes that one a repair.
  [[nodiscard]] Status forgot_what_is_at(NodeId peer);
  /// This node's word for its own stream counts (ClusterBoard::vouched_from). Needs no turn.
  [[nodiscard]] bool vouches() const;
  /// It does from now on. REQUIRES: every member that the stable floor waits for has said in this start how
  /// far it holds the stream, and whoever knew more of it was repaired with.
  [[nodiscard]] Status vouch();
  /// The repair that is owed to a peer, by the version of its note; zero: none is.
  [[nodiscard]] store::Version debt(NodeId peer) const;
  /// Unless a newer one was made since: what was jumped over meanwhile is still missing.
  [[nodiscard]] Status pay(NodeId peer, const store::Version& debt);
  /// `anew`: even if it is already, and then a repair that is under way does not pay it.
  [[nodiscard]] Status owe(NodeId peer, bool anew = false);

  /// The stable floor as it is on disk, or will be before the next: what may be purged (limits).
  [[nodiscard]] std::uint64_t floor() const { return floor_; }
  /// Where the log must be durable before that floor counts.
  [[nodiscard]] Lsn floor_counts_at() const { return floor_at_; }
  [[nodiscard]] Status raise_floor(std::uint64_t hlc);
  [[nodiscard]] const cluster::Settled& settled() const { return settled_; }
  [[nodiscard]] Status settle(cluster::Settled settled);
  [[nodiscard]] Result<cluster::Away> away() const;
  [[nodiscard]] Status note_away(const cluster::Away& away);

 private:
  [[nodiscard]] Status draw_epoch();
  [[nodiscard]] Status read_agreed();
  [[nodiscard]] Status read_floor();
  [[nodiscard]] Status read_completeness();
  [[nodiscard]] Status note_birth(std::uint64_t epoch_begin);
  [[nodiscard]] Result<std::string> read(std::string_view name) const;
  [[nodiscard]] Status write(std::string_view name, std::string_view value, std::uint64_t above_hlc = 0);
  [[nodiscard]] Status commit(store::Batch& batch);
  [[nodiscard]] Status store_members(cluster::MemberSet members);
  void publish();

  const ChildContext* context_;
  store::Store* store_;
  shared::State* state_;
  NodeId id_;
  cluster::EpochList epochs_;
  cluster::MemberSet members_;
  cluster::MemberSet agreed_;
  std::uint64_t digest_ = 0;
  std::uint64_t floor_ = 0;
  Lsn floor_at_ = 0;
  cluster::Settled settled_;
  Lsn birth_ = shared::kNoLsn;    ///< the log holds everything from here on; kNoLsn: it never did
  Lsn open_at_ = shared::kNoLsn;  ///< durable once the log is, up to here
};

}  // namespace minivault::replicator
