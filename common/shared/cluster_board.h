#pragma once

#include <atomic>
#include <cstdint>

#include "common/shared/beaten_writes.h"

/// What the processes of a node share about the cluster. Part of shared::State; written by the replicator
/// unless said otherwise, read by workers. A replicator that dies leaves it as it is; its successor goes on
/// from here.
namespace minivault::shared {

inline constexpr unsigned kMaxPeers = 63;
/// An address as members have it is shorter (cluster::kLongestAddress): none is cut.
inline constexpr std::size_t kPeerAddressBytes = 320;

/// A node that has an id which somebody else had at another address, and knows nothing of that one's last
/// start, has a copy of its directory. It is not believed before the other was not heard for so long: it may
/// be stopped, or cut off, and come back.
inline constexpr std::uint64_t kForkSilenceMs = 60'000;

/// A stream in which something is too large for its receiver is tried so often.
inline constexpr std::uint64_t kTooLargePauseMs = 60'000;

enum class PeerState : std::uint32_t {
  kNone = 0,     ///< this place is free
  kUnreachable,  ///< no completed hello on any connection
  kConnecting,
  kStreaming,  ///< batches flow
  kRepairing,  ///< and a repair is under way
  kRefused,    ///< it, or this node, refused: see last_error
  kItself      ///< the address turned out to be this node
};

/// One peer, by address until its id is known. `address` and `last_error` are texts behind a sequence lock
/// (`texts`: odd while they change); everything else is a word of its own.
struct PeerPlace {
  alignas(64) std::atomic<PeerState> state;
  std::atomic<std::uint64_t> node_id;  ///< 0: not yet known
  std::atomic<std::uint64_t> epoch;    ///< of the node that answers there, on a live connection; 0: none is
  std::atomic<std::uint64_t> last_epoch;  ///< of the node that answered there last
  std::atomic<std::uint64_t> acked;       ///< LSN: durable at the peer, gap-free since `stream_began`
  std::atomic<std::uint64_t> stream_began;
  std::atomic<std::uint64_t> counts_from_ms;  ///< monotonic; a stream that jumped does not count before
  /// Monotonic, 200 ms exact: when what it has not acknowledged yet began to wait; 0: nothing waits that
  /// long.
  std::atomic<std::uint64_t> behind_since_ms;
  std::atomic<std::uint64_t> last_heard_ms;   ///< monotonic
  std::atomic<std::int64_t> clock_offset_us;  ///< the peer's clock minus ours
  std::atomic<std::uint64_t> round_trip_us;
  std::atomic<std::uint32_t> connections;
  std::atomic<std::uint32_t> counts;  ///< 1: its acknowledgements count for a quorum now
  std::atomic<std::uint32_t> owed;    ///< 1: this node lacks something of its stream until they have repaired
  std::atomic<std::uint32_t> lacks;   ///< 1: so does it of this node's, by its last word
  std::atomic<std::uint64_t> bytes_sent, records_sent, errors, repairs, repaired_keys;
  /// Of the repair under way, by its process: keys that are done with, of about so many; 0: none is under
  /// way, or has not been told yet how many there are.
  std::atomic<std::uint64_t> repair_keys, repair_keys_of;
  std::atomic<std::uint64_t> away_ms;  ///< for how long the stable floor has waited for it; see Absences
  std::atomic<std::uint32_t> texts;
  char address[kPeerAddressBytes];
  char last_error[160];
};

/// A hello that came in, for the replicator to dial back: nobody is believed, and no back-off ended, before.
/// A worker takes a free place (kFree -> kBeingWritten by compare-and-swap), fills it, says kThere and rings
/// the replicator, which takes it and says kFree. Where all are taken the hello is forgotten: the caller's
/// next one comes. A successor of the replicator frees what a dead worker left half-written.
struct Introduction {
  static constexpr std::uint32_t kFree = 0, kBeingWritten = 1, kThere = 2;
  std::atomic<std::uint32_t> state;
  std::uint64_t node_id;
  std::uint64_t epoch;
  char address[kPeerAddressBytes];  ///< as told; a loopback name heard from another host: its source address
};
inline constexpr unsigned kMaxIntroductions = 16;

struct ClusterBoard {
  /// Acknowledgements that a write needs besides this node's own; 0: none, nobody waits. kNotYetKnown until
  /// the replicator has read the member set, and while that is not agreed on: writes wait.
  alignas(64) std::atomic<std::uint32_t> needed;
  std::atomic<std::uint32_t> reachable;  ///< peers that count now
  /// Every write that ends at or below this is durable at `needed` peers. Only grows.
  std::atomic<std::uint64_t> quorum;
  /// Nobody waits any more for writes that end at or below this: their clients were told "unknown" by a
  /// worker, or have left and their time was up. They win over nothing that was acknowledged since. Only
  /// grows; raised by workers too.
  std::atomic<std::uint64_t> given_up;
  BeatenWrites beaten;
  /// Slot + 1 of a replicator that sleeps and wants its bell when the tail moves; 0: none. Store, fence,
  /// look, on both sides (store::wake_sleepers, Replicator::may_sleep). Whoever rings takes it back to 0.
  alignas(64) std::atomic<std::uint32_t> replicator_asleep;
  /// When the replicator last came round to its work (monotonic); 0: it never did. It does five times a
  /// second.
  std::atomic<std::uint64_t> replicator_turn_ms;
  std::atomic<std::uint64_t> epoch;  ///< of this start of the node; 0: not yet drawn
  std::atomic<std::uint64_t> previous_epoch;
  std::atomic<std::uint32_t> complete;  ///< 0: still filling; absence here means nothing
  /// LSN from which on this node's word for its own stream counts: whatever it had forgotten, and others
  /// brought back, is below; 0: it has no word. common/cluster/README.md, "The stable floor" 7.
  std::atomic<std::uint64_t> vouched_from;
  std::atomic<std::uint32_t> id_taken;  ///< 1: another live node has this id; no writes
  /// 1: the note `settled` names members that a stable floor may have passed by. Before the note is written.
  std::atomic<std::uint32_t> passed_some;
  std::atomic<std::uint32_t> unheard;  ///< members that no peer has said to be since the replicator began
  std::atomic<std::uint64_t> members_version;
  std::atomic<std::uint64_t> members_digest;  ///< of the set as stored; in every answer to a peer
  std::atomic<std::uint64_t> backed_digest;   ///< of the set that this node backs (replicator/accord.h)
  std::atomic<std::uint64_t> agreed_digest;   ///< of the present set, if it is agreed on; else 0
  std::atomic<std::uint64_t> agreed_version;  ///< of the set that was agreed on last; 0: none was
  std::atomic<std::uint64_t> largest_value;   ///< the smallest limit among the members; 0: not yet known
  /// By any worker: what another node sent, and this one is too small for; when (monotonic), 0: never.
  std::atomic<std::uint64_t> too_large_bytes, too_large_ms;
  std::atomic<std::int64_t> median_offset_us;  ///< the members' median clock minus ours
  /// 1: AppendLock::clock_offset was chosen with a majority of the members' clocks known (needed of them).
  std::atomic<std::uint32_t> clock_confirmed;
  std::atomic<std::uint64_t> conflicts;  ///< writes found older than what a peer held (any worker)
  std::atomic<std::uint64_t> restamped, ghosts_dropped, equal_versions;
  /// Comparisons that came to nothing, and lines about them, as net::RateBucket counts (worker/compare.h).
  std::atomic<std::uint64_t> vain_comparisons_due_ns, vain_comparison_lines_due_ns;
  std::atomic<std::uint64_t> repair_requested;  ///< raised by a command; the replicator repairs with everyone
  std::atomic<std::uint64_t> forget_requested;  ///< an id that a command names; the replicator takes it
  Introduction introductions[kMaxIntroductions];
  PeerPlace peers[kMaxPeers];
};

inline constexpr std::uint32_t kNotYetKnown = 0xFFFFFFFF;

}  // namespace minivault::shared
