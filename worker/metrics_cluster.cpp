#include <string>
#include <vector>

#include "common/store/version.h"
#include "worker/cluster_health.h"
#include "worker/metrics_families.h"
#include "worker/peer_text.h"

namespace minivault::worker {
namespace {

using protocol::Exposition;
using shared::PeerPlace;
using shared::PeerState;
using Label = Exposition::Label;

template <typename Number>
Number read(const std::atomic<Number>& word) {
  return word.load(std::memory_order_relaxed);
}

/// A peer's address is read once for all families: it may change.
struct Peer {
  std::string address;
  const PeerPlace* place;
};

std::vector<Peer> peers_of(const shared::ClusterBoard& board) {
  std::vector<Peer> peers;
  for (const PeerPlace& place : board.peers) {
    const PeerState state = read(place.state);
    if (state == PeerState::kNone || state == PeerState::kItself) continue;
    std::string address = read_text(place, place.address);
    const bool is_new =
        std::none_of(peers.begin(), peers.end(), [&](const Peer& peer) { return peer.address == address; });
    if (is_new) peers.push_back({std::move(address), &place});
  }
  return peers;
}

bool is_connected(const PeerPlace& place) {
  const PeerState state = read(place.state);
  return state == PeerState::kStreaming || state == PeerState::kRepairing;
}

template <typename ValueOf>
void add_family(Exposition& page, const std::vector<Peer>& peers, std::string_view name,
                Exposition::Type type, std::string_view help, ValueOf&& value_of) {
  page.family(name, type, help);
  for (const Peer& peer : peers)
    page.sample(std::vector<Label>{{"peer", peer.address}}, value_of(*peer.place));
}

void add_peers(Exposition& page, const shared::State& state) {
  const shared::ClusterBoard& board = state.cluster;
  const shared::Lsn tail = state.marks.tail.load(std::memory_order_acquire);
  const std::vector<Peer> peers = peers_of(board);
  using enum Exposition::Type;
  add_family(page, peers, "minivault_peer_up", kGauge, "1 while writes stream to the peer.",
             [](const PeerPlace& place) { return std::uint64_t{is_connected(place)}; });
  add_family(page, peers, "minivault_peer_counts", kGauge,
             "1 while the peer's acknowledgements count for a quorum.",
             [](const PeerPlace& place) { return std::uint64_t{read(place.counts) != 0}; });
  add_family(page, peers, "minivault_peer_lag_bytes", kGauge,
             "Bytes of the log that the peer has not acknowledged.",
             [&board, tail](const PeerPlace& place) { return lag_of(board, place, tail).bytes; });
  add_family(page, peers, "minivault_peer_lag_seconds", kGauge,
             "For how long the oldest of what the peer has not acknowledged has waited.",
             [&board, tail](const PeerPlace& place) {
               return static_cast<double>(lag_of(board, place, tail).ms) / 1e3;
             });
  add_family(page, peers, "minivault_peer_acked_lsn", kGauge,
             "Up to where the peer has acknowledged the log.",
             [](const PeerPlace& place) { return read(place.acked); });
  add_family(page, peers, "minivault_peer_connections", kGauge, "Open connections to the peer.",
             [](const PeerPlace& place) { return std::uint64_t{read(place.connections)}; });
  add_family(page, peers, "minivault_peer_sent_bytes_total", kCounter, "Bytes of the log sent to the peer.",
             [](const PeerPlace& place) { return read(place.bytes_sent); });
  add_family(page, peers, "minivault_peer_sent_records_total", kCounter, "Records sent to the peer.",
             [](const PeerPlace& place) { return read(place.records_sent); });
  add_family(page, peers, "minivault_peer_errors_total", kCounter, "Connections to the peer that failed.",
             [](const PeerPlace& place) { return read(place.errors); });
  add_family(page, peers, "minivault_peer_repair_owed", kGauge,
             "1: this node lacks something until it has repaired with the peer.",
             [](const PeerPlace& place) { return std::uint64_t{read(place.owed)}; });
  add_family(page, peers, "minivault_peer_lacks_repair", kGauge,
             "1: the peer lacks something of this node's until the two have repaired.",
             [](const PeerPlace& place) { return std::uint64_t{read(place.lacks)}; });
  add_family(page, peers, "minivault_peer_repairs_total", kCounter, "Repairs with the peer.",
             [](const PeerPlace& place) { return read(place.repairs); });
  add_family(page, peers, "minivault_peer_repaired_keys_total", kCounter, "Keys that repairs exchanged.",
             [](const PeerPlace& place) { return read(place.repaired_keys); });
  add_family(page, peers, "minivault_peer_repair_keys", kGauge,
             "Keys that the repair under way is done with; 0: none is.",
             [](const PeerPlace& place) { return read(place.repair_keys); });
  add_family(page, peers, "minivault_peer_repair_keys_of", kGauge,
             "About how many keys the repair under way has to do with; 0: none is.",
             [](const PeerPlace& place) { return read(place.repair_keys_of); });
  add_family(page, peers, "minivault_peer_round_trip_seconds", kGauge, "Round trip to the peer.",
             [](const PeerPlace& place) { return static_cast<double>(read(place.round_trip_us)) / 1e6; });
  add_family(page, peers, "minivault_peer_clock_offset_seconds", kGauge,
             "The peer's clock minus this node's.",
             [](const PeerPlace& place) { return static_cast<double>(read(place.clock_offset_us)) / 1e6; });
}

void add_board(Exposition& page, const shared::State& state) {
  const shared::ClusterBoard& board = state.cluster;
  const std::uint32_t needed = read(board.needed);
  add_gauge(page, "minivault_quorum_needed",
            "Nodes that must hold a write, this one counted; 0: not yet known.",
            std::uint64_t{needed == shared::kNotYetKnown ? 0 : needed + 1});
  add_gauge(page, "minivault_quorum_reachable", "Nodes that could hold one now, this one counted.",
            std::uint64_t{reachable_nodes(board)});
  add_gauge(page, "minivault_members_unheard",
            "Members that count for the majority and that no peer says to be.",
            std::uint64_t{read(board.unheard)});
  add_gauge(page, "minivault_complete", "0 while this node is being filled.",
            std::uint64_t{needed == 0 || read(board.complete) != 0});
  add_gauge(page, "minivault_id_taken", "1: another live node has this node's id.",
            std::uint64_t{read(board.id_taken)});
  add_gauge(page, "minivault_clock_offset_seconds", "The members' median clock minus this node's.",
            static_cast<double>(read(board.median_offset_us)) / 1e6);
  add_gauge(page, "minivault_clock_stamp_offset_seconds",
            "The clock that writes are stamped by minus this machine's.",
            static_cast<double>(stamp_offset_us(state)) / 1e6);
  add_gauge(page, "minivault_clock_confirmed", "0 until the clocks of a majority were heard.",
            std::uint64_t{read(board.clock_confirmed)});
  const std::uint64_t floor = read(state.limits.tombstone_floor_hlc);
  add_gauge(page, "minivault_stable_floor_timestamp_seconds",
            "Until when every member holds every delete, as far as one needed that; 0: no peers.",
            floor == store::kEverything ? 0.0 : static_cast<double>(floor >> store::kHlcCounterBits) / 1e3);
  add_counter(page, "minivault_conflicts_total", "Records that came and were older than what was held.",
              read(board.conflicts));
  add_counter(page, "minivault_restamped_total", "Own writes stamped once more for a conflict.",
              read(board.restamped));
  add_counter(page, "minivault_ghosts_dropped_total", "Records dropped as deleted long ago.",
              read(board.ghosts_dropped));
  add_counter(page, "minivault_equal_versions_total", "One version with two values: damage somewhere.",
              read(board.equal_versions));
}

}  // namespace

void add_cluster(Exposition& page, const shared::State& state) {
  add_board(page, state);
  add_peers(page, state);
}

}  // namespace minivault::worker
