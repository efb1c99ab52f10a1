#include "worker/cluster_health.h"

#include <Poco/JSON/Array.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>

#include "common/cluster/notes.h"
#include "common/core/clock.h"
#include "common/store/node_clock.h"
#include "worker/noted_members.h"
#include "worker/peer_text.h"

namespace minivault::worker {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;
using shared::PeerState;

/// The supervisor kills one that stands still for 10 s (supervisor/watcher.h).
constexpr std::uint64_t kStandstillMs = 3'000;

template <typename Number>
Number read(const std::atomic<Number>& word) {
  return word.load(std::memory_order_relaxed);
}

std::string name_of(PeerState state) {
  switch (state) {
    case PeerState::kNone:
      break;
    case PeerState::kUnreachable:
      return "unreachable";
    case PeerState::kConnecting:
      return "connecting";
    case PeerState::kStreaming:
      return "streaming";
    case PeerState::kRepairing:
      return "repairing";
    case PeerState::kRefused:
      return "refused";
    case PeerState::kItself:
      return "itself";
  }
  return "none";
}

/// Everybody's count includes this node.
Object quorum_of(const shared::ClusterBoard& board) {
  const std::uint32_t needed = read(board.needed);
  Object quorum(Poco::JSON_PRESERVE_KEY_ORDER);
  quorum.set("needed", needed == shared::kNotYetKnown ? 0U : needed + 1);
  quorum.set("reachable", reachable_nodes(board));
  quorum.set("agreed", needed != shared::kNotYetKnown);
  quorum.set("largest_value", read(board.largest_value));
  return quorum;
}

Object describe(const shared::ClusterBoard& board, const shared::PeerPlace& peer, shared::Lsn tail) {
  const std::uint64_t id = read(peer.node_id);
  const PeerLag lag = lag_of(board, peer, tail);
  Object entry(Poco::JSON_PRESERVE_KEY_ORDER);
  entry.set("address", read_text(peer, peer.address));
  entry.set("id", id == 0 ? std::string() : cluster::id_text(id));
  entry.set("state", name_of(read(peer.state)));
  entry.set("counts", read(peer.counts) != 0);
  entry.set("acked", read(peer.acked));
  entry.set("lag_bytes", lag.bytes);
  entry.set("lag_ms", lag.ms);
  entry.set("connections", read(peer.connections));
  entry.set("round_trip_us", read(peer.round_trip_us));
  entry.set("clock_offset_us", read(peer.clock_offset_us));
  entry.set("bytes_sent", read(peer.bytes_sent));
  entry.set("records_sent", read(peer.records_sent));
  entry.set("repair_owed", read(peer.owed) != 0);
  entry.set("lacks_repair", read(peer.lacks) != 0);
  entry.set("repairs", read(peer.repairs));
  entry.set("repaired_keys", read(peer.repaired_keys));
  entry.set("repair_keys", read(peer.repair_keys));
  entry.set("repair_keys_of", read(peer.repair_keys_of));
  entry.set("away_ms", read(peer.away_ms));
  entry.set("errors", read(peer.errors));
  entry.set("last_error", read_text(peer, peer.last_error));
  return entry;
}

std::uint64_t repairs_owed(const shared::ClusterBoard& board) {
  return static_cast<std::uint64_t>(
      std::count_if(std::begin(board.peers), std::end(board.peers), [](const shared::PeerPlace& peer) {
        return read(peer.state) != PeerState::kNone && read(peer.owed) != 0;
      }));
}

/// How the member is reached: as the peer with its id is, else as whoever has not answered at its address.
std::string state_of(const cluster::Member& member, const shared::State& state) {
  if (member.id == read(state.limits.node_id)) return name_of(PeerState::kItself);
  std::string found = "not_called";
  for (const shared::PeerPlace& peer : state.cluster.peers) {
    const PeerState its = read(peer.state);
    const std::uint64_t id = read(peer.node_id);
    if (its == PeerState::kNone) continue;
    if (id == member.id) return name_of(its);
    if (id == 0 && read_text(peer, peer.address) == member.address) found = name_of(its);
  }
  return found;
}

/// Everybody who counts for the majority. Not each is a peer: a member under this node's own address is
/// called by nobody.
Array members_of(store::Store& store) {
  Array list;
  const Result<cluster::MemberSet> members = noted_members(store);
  if (!members) return list;
  for (const cluster::Member& member : members->members()) {
    Object entry(Poco::JSON_PRESERVE_KEY_ORDER);
    entry.set("id", cluster::id_text(member.id));
    entry.set("address", member.address);
    entry.set("state", state_of(member, store.region().state()));
    list.add(entry);
  }
  return list;
}

Object clock_of(const Config& config, const shared::State& state) {
  const std::int64_t offset_us = read(state.cluster.median_offset_us);
  Object clock(Poco::JSON_PRESERVE_KEY_ORDER);
  clock.set("median_offset_us", offset_us);
  clock.set("stamp_offset_us", stamp_offset_us(state));
  clock.set("confirmed", read(state.cluster.clock_confirmed) != 0);
  clock.set("drifts", std::llabs(offset_us) > std::chrono::microseconds(config.max_drift).count());
  return clock;
}

}  // namespace

std::uint64_t standstill_ms(const shared::ClusterBoard& board) {
  const std::uint64_t turn_ms = read(board.replicator_turn_ms);
  const std::uint64_t now_ms = monotonic_ms();
  const bool stands = turn_ms != 0 && read(board.needed) != 0 && now_ms >= turn_ms + kStandstillMs;
  return stands ? now_ms - turn_ms : 0;
}

std::uint32_t reachable_nodes(const shared::ClusterBoard& board) {
  return 1 + (standstill_ms(board) == 0 ? read(board.reachable) : 0);
}

PeerLag lag_of(const shared::ClusterBoard& board, const shared::PeerPlace& peer, shared::Lsn tail) {
  const std::uint64_t acked = read(peer.acked);
  if (acked >= tail || read(peer.state) == PeerState::kItself) return {};
  std::uint64_t since_ms = read(peer.behind_since_ms);
  // Who does not move notes nothing: what waits may have been written as soon as it had looked.
  if (since_ms == 0 && standstill_ms(board) > 0) since_ms = read(board.replicator_turn_ms);
  const std::uint64_t now_ms = monotonic_ms();
  return {tail - acked, since_ms == 0 || now_ms < since_ms ? 0 : now_ms - since_ms};
}

std::int64_t stamp_offset_us(const shared::State& state) {
  return store::us_of_hlc(read(state.append.clock_offset)) - wall_minus_boot_us();
}

ClusterFitness fitness_of(const Config& config, const shared::State& state) {
  const shared::ClusterBoard& board = state.cluster;
  const std::uint32_t needed = read(board.needed);
  ClusterFitness fitness;
  fitness.replicates = standstill_ms(board) == 0;
  fitness.quorum =
      needed == 0 || config.async || (needed != shared::kNotYetKnown && reachable_nodes(board) > needed);
  fitness.filled = needed == 0 || read(board.complete) != 0;
  fitness.id_taken = read(board.id_taken) != 0;
  const std::uint64_t too_large_ms = read(board.too_large_ms);
  fitness.fits = too_large_ms == 0 || monotonic_ms() >= too_large_ms + 2 * shared::kTooLargePauseMs;
  return fitness;
}

void describe_cluster(const Config& config, store::Store& store, Object& health) {
  const shared::State& state = store.region().state();
  const shared::ClusterBoard& board = state.cluster;
  const shared::Lsn tail = state.marks.tail.load(std::memory_order_acquire);
  Array peers;
  for (const shared::PeerPlace& peer : board.peers) {
    if (read(peer.state) != PeerState::kNone) peers.add(describe(board, peer, tail));
  }
  health.set("quorum", quorum_of(board));
  health.set("peers", peers);
  health.set("members", members_of(store));
  const ClusterFitness fitness = fitness_of(config, state);
  health.set("complete", fitness.filled);
  health.set("repairs_owed", repairs_owed(board));
  health.set("too_large", fitness.fits ? 0 : read(board.too_large_bytes));
  health.set("clock", clock_of(config, state));
  health.set("conflicts", read(board.conflicts));
  health.set("restamped", read(board.restamped));
  health.set("ghosts", read(board.ghosts_dropped));
  health.set("equal_versions", read(board.equal_versions));
  health.set("tombstones", read(state.totals.tombstones));
  health.set("floor_hlc", read(state.limits.tombstone_floor_hlc));
}

}  // namespace minivault::worker
