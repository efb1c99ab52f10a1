#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/message.h"
#include "common/config/config.h"
#include "common/shared/region.h"
#include "replicator/home.h"
#include "replicator/line.h"
#include "replicator/parcel.h"
#include "replicator/said_lately.h"
#include "replicator/stream_patience.h"

namespace minivault::replicator {

class Peer;

/// What a peer's answers mean to the others. Called from Peer::run().
class PeerOwner {
 public:
  /// Why the node that answers is not streamed to; kNone: it is.
  enum class Objection {
    kNone,
    kItself,
    kIdTaken,
    kKnownElsewhere,
    kExpectedElsewhere,
    kForgotten,
    kChanging,
    kNotStored
  };

  /// A node said who it is, at an address that this node called.
  [[nodiscard]] virtual Objection met(Peer& peer, const cluster::HelloReply& hello) = 0;
  virtual void refused(Peer& peer, cluster::Reply reason) = 0;
  /// Error: it cannot be told which these are, or there is nothing above them: the parcel is not
  /// acknowledged.
  [[nodiscard]] virtual Status conflicts(const Peer& peer, const Parcel& parcel,
                                         const std::vector<cluster::Conflict>& conflicts) = 0;

 protected:
  ~PeerOwner() = default;
};

/// For people; of kNone nothing.
[[nodiscard]] std::string_view reason_of(PeerOwner::Objection objection);

/// What all peers share.
struct PeerServices {
  const Config& config;
  Home& home;
  Shelf& shelf;
  net::Poller& poller;
  net::BlockPool& pool;
  PeerOwner& owner;
};

/// Another node, by its address: a pulse line and a stream line to it, and how far it is.
///
/// Calls that are said to REQUIRE a turn read the store. Nothing here waits or throws; what goes wrong closes
/// the line, is told on the board, and is tried again after a back-off: a completed hello ends that of the
/// pulse, a batch that was taken that of the stream (StreamPatience).
class Peer {
 public:
  Peer(PeerServices& services, std::string address, shared::PeerPlace& place);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] NodeId id() const { return id_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] shared::PeerPlace& place() const { return *place_; }
  [[nodiscard]] Lsn acked() const { return acked_; }
  [[nodiscard]] bool is_streaming() const { return streaming_; }
  /// A pulse line is greeted: somebody is there.
  [[nodiscard]] bool is_reachable() const { return pulse_.greeted; }
  /// Nothing was held against who answered there last.
  [[nodiscard]] bool is_believed() const { return objection_ == PeerOwner::Objection::kNone; }
  [[nodiscard]] bool is_itself() const { return objection_ == PeerOwner::Objection::kItself; }
  [[nodiscard]] bool is_complete() const { return complete_; }
  [[nodiscard]] std::uint64_t largest_value() const { return largest_value_; }
  /// What its wall clock is ahead of this machine's boot_us(). REQUIRES: is_reachable().
  [[nodiscard]] std::int64_t clock_us() const { return clock_us_; }
  /// What its last pulse said, of the member set that it had then.
  [[nodiscard]] const std::vector<cluster::Held>& held() const { return held_; }
  [[nodiscard]] const cluster::SettledWord& settled() const { return settled_; }
  [[nodiscard]] std::uint64_t held_digest() const { return held_digest_; }
  /// It said last that it has recorded this node's member set.
  [[nodiscard]] bool has_same_members() const;
  /// And that it backs it, or that it is agreed on.
  [[nodiscard]] bool backs() const { return backed_digest_ != 0 && backed_digest_ == digest_; }
  [[nodiscard]] bool has_agreed() const { return agreed_digest_ != 0 && agreed_digest_ == digest_; }
  [[nodiscard]] std::uint64_t agreed_version() const { return agreed_version_; }
  /// Its acknowledgements are of this member set and gap-free for whoever may still wait.
  [[nodiscard]] bool counts(std::uint64_t now_ms) const;
  /// Everything in the log up to `tail` was sent and acknowledged, or nothing can be.
  [[nodiscard]] bool has_all(Lsn tail) const;
  [[nodiscard]] unsigned failures() const { return failures_; }

  /// It called, so it is there: dials at once.
  void expect(std::uint64_t now_ms);
  /// Takes an event of one of its lines.
  [[nodiscard]] bool note(const net::Event& event);
  /// This process stood still for so long: nobody's silence.
  void excuse(std::uint64_t ms) { stream_.since_ms += ms, pulse_.since_ms += ms; }
  /// Takes what was answered. REQUIRES: in a turn.
  void run(std::uint64_t now_ms);
  /// Dials, pulses, gives up on silence. REQUIRES: in a turn.
  void tick(std::uint64_t now_ms);
  /// Queues parcels as far as its window allows. REQUIRES: in a turn.
  void fill(std::uint64_t now_ms, bool last_words);
  void flush();

  /// There is something to do that no event will tell.
  [[nodiscard]] bool has_more() const;
  /// It could take more if there was more.
  [[nodiscard]] bool is_hungry() const { return streaming_ && has_window(); }
  [[nodiscard]] std::uint64_t next_look_ms(std::uint64_t now_ms) const;

  /// The node that answers there was forgotten: as if it had said hello since.
  void remove(std::uint64_t now_ms);
  void close(std::uint64_t now_ms, std::string_view why);
  void show_repairing(bool repairing);

 private:
  enum class Kind : std::uint8_t { kAuth, kHello, kPulse, kDebt, kBatch };
  struct Expected {
    Kind kind;
    std::uint64_t sent_us;
  };
  struct Link {
    Link(net::Poller& poller, net::BlockPool& pool) : line(poller, pool) {}
    Line line;
    std::deque<Expected> expected;
    bool said_hello = false;
    bool greeted = false;
    std::uint64_t since_ms = 0;  ///< last progress
    std::uint64_t next_dial_ms = 0;
    std::uint64_t delay_ms = 0;
  };

  static constexpr std::uint64_t kPulseMs = 200;
  [[nodiscard]] static std::uint64_t now_us();

  // The lines (peer.cpp).
  void run(Link& link, std::uint64_t now_ms);
  void tick(Link& link, std::uint64_t now_ms);
  void tell_look_up(const Link& link, std::uint64_t now_ms);
  void greet(Link& link);
  void send(Link& link, Kind kind, std::string_view name, const std::string& message);
  void end(Link& link, std::uint64_t now_ms, std::string_view why);
  [[nodiscard]] bool is_wanted(const Link& link) const;
  [[nodiscard]] bool is_stranger() const;
  [[nodiscard]] std::uint64_t dial_due_ms(const Link& link) const;
  void show_state();

  // What is answered (peer_answers.cpp).
  [[nodiscard]] Status answered(Link& link, std::string_view message, std::uint64_t now_ms);
  [[nodiscard]] Status hello_answered(Link& link, std::string_view message, const Expected& asked);
  [[nodiscard]] Status debt_answered(std::string_view message);
  [[nodiscard]] Status pulse_answered(std::string_view message, const Expected& asked);
  [[nodiscard]] Status refusal(cluster::Reply reply, const Error& error);
  void heard_clock(std::uint64_t clock_us, std::uint64_t sent_us);

  // The stream (peer_stream.cpp).
  [[nodiscard]] Status batch_answered(std::string_view message);
  void begin_stream(const cluster::Position& position);
  void raise_acked(Lsn to);
  void queue(ParcelPtr parcel, std::uint64_t now_us);
  [[nodiscard]] bool has_window() const;

  PeerServices* services_;
  std::string address_;
  shared::PeerPlace* place_;
  Link stream_;
  Link pulse_;
  NodeId id_ = 0;
  std::uint64_t epoch_ = 0;
  PeerOwner::Objection objection_ = PeerOwner::Objection::kNone;
  bool refused_ = false;
  bool repairing_ = false;
  unsigned failures_ = 0;
  SaidLately said_;  ///< to the log, of what went wrong

  // What it told.
  std::uint64_t digest_ = 0;
  std::uint64_t largest_value_ = 0;
  bool complete_ = false;
  bool knows_us_ = false;  ///< this node is in its member set
  std::vector<cluster::Held> held_;
  cluster::SettledWord settled_;
  std::uint64_t held_digest_ = 0;
  std::uint64_t backed_digest_ = 0;
  std::uint64_t agreed_digest_ = 0;
  std::uint64_t agreed_version_ = 0;
  std::int64_t clock_us_ = 0;
  std::uint64_t distance_us_ = 0;  ///< the shortest round trip lately; 0: not measured
  std::uint64_t next_pulse_ms_ = 0;
  std::uint64_t next_debt_ms_ = 0;

  // The stream.
  StreamPatience patience_;
  bool streaming_ = false;
  bool ever_streamed_ = false;
  Lsn cursor_ = 0;  ///< the next parcel begins here
  Lsn acked_ = 0;
  std::uint64_t counts_from_ms_ = 0;
  struct Sent {
    ParcelPtr parcel;
    std::string_view frame;
  };
  std::deque<Sent> in_flight_;
  std::size_t in_flight_bytes_ = 0;  ///< of their frames
  std::uint64_t next_empty_ms_ = 0;
  bool vouched_ = false;  ///< it was told up to which clock value it holds all
  bool may_have_more_ = false;
};

}  // namespace minivault::replicator
