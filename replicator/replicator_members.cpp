// The part of a Replicator that knows who is there: whom it calls, who answers, who becomes a member.

#include <algorithm>
#include <cstring>

#include "common/core/log.h"
#include "replicator/place_text.h"
#include "replicator/replicator.h"

namespace minivault::replicator {
namespace {

/// A stranger that was dialled back and does not answer is dropped after so many tries.
constexpr unsigned kStrangersTries = 3;
/// A caller can make this node dial so many at once, whatever it says.
constexpr std::ptrdiff_t kMostStrangers = 4;
constexpr std::uint64_t kSayAgainMs = 60'000;
/// A set that is agreed on within this is no news.
constexpr std::uint64_t kDisagreesForMs = 5'000;

}  // namespace

/// A node that has moved is found where it answers now, not where it did.
Peer* Replicator::find(NodeId id) const {
  Peer* found = nullptr;
  for (const auto& peer : peers_) {
    if (id == 0 || peer->id() != id) continue;
    if (peer->is_reachable()) return peer.get();
    if (found == nullptr) found = peer.get();
  }
  return found;
}

/// As it said, or, of one that has not answered since this process began, as members are noted; 0: unknown.
NodeId Replicator::id_of(const Peer& peer) const {
  if (peer.id() != 0) return peer.id();
  const cluster::Member* member = home_.members().find_address(peer.address());
  return member == nullptr ? 0 : member->id;
}

void Replicator::forget_on_request() {
  const NodeId id = board_->forget_requested.load(std::memory_order_acquire);
  if (id == 0 || !home_.forget(id)) return;
  log_line(LogLevel::kWarning, "member_forgotten", {{"node", cluster::id_text(id)}});
  if (Peer* gone = find(id); gone != nullptr)
    gone->remove(now_ms_);  // one that is configured stays in the list
  board_->forget_requested.store(0, std::memory_order_release);
}

bool Replicator::is_alias(const std::string& address) const {
  return std::any_of(aliases_.begin(), aliases_.end(),
                     [&](const Alias& alias) { return alias.address == address; });
}

/// Everyone who is configured, and every member that is not one of those.
void Replicator::keep_peers() {
  std::erase_if(aliases_, [this](const Alias& alias) { return home_.members().find(alias.id) == nullptr; });
  const auto has_address = [this](const std::string& address) {
    return std::any_of(peers_.begin(), peers_.end(),
                       [&](const auto& peer) { return peer->address() == address; });
  };
  for (const std::string& address : context_->config.cluster_nodes) {
    if (!is_alias(address) && !has_address(address)) add_peer(address);
  }
  for (const cluster::Member& member : home_.members().members()) {
    const bool here = member.id == home_.id() || member.address == context_->config.public_url;
    if (here || find(member.id) != nullptr || has_address(member.address)) continue;
    add_peer(member.address);
  }
  drop_unwanted();
}

void Replicator::drop_unwanted() {
  std::erase_if(peers_, [this](const std::unique_ptr<Peer>& peer) {
    if (is_wanted(*peer)) return false;
    peer->close(now_ms_, "it is not a member");
    return true;
  });
  for (shared::PeerPlace& place : board_->peers) {
    if (is_in_use(place) || place.state.load(std::memory_order_relaxed) == shared::PeerState::kNone) continue;
    for (std::atomic<std::uint64_t>* word :
         {&place.node_id, &place.epoch, &place.last_epoch, &place.acked, &place.stream_began,
          &place.counts_from_ms, &place.behind_since_ms, &place.last_heard_ms, &place.away_ms}) {
      word->store(0, std::memory_order_relaxed);
    }
    place.owed.store(0, std::memory_order_relaxed);
    place.state.store(shared::PeerState::kNone, std::memory_order_release);
  }
}

bool Replicator::is_in_use(const shared::PeerPlace& place) const {
  return std::any_of(peers_.begin(), peers_.end(),
                     [&](const auto& peer) { return &peer->place() == &place; });
}

bool Replicator::is_wanted(const Peer& peer) const {
  if (is_alias(peer.address())) return false;
  if (is_configured(peer)) return true;
  if (peer.is_itself()) return false;
  if (peer.id() != 0 && home_.members().is_forgotten(peer.id())) return false;
  if (peer.id() != 0 && home_.members().find(peer.id()) != nullptr) return find(peer.id()) == &peer;
  // Somebody else may be a member there, or a stranger is being dialled back.
  const cluster::Member* there = home_.members().find_address(peer.address());
  if (there != nullptr && there->id != home_.id()) return find(there->id) == nullptr;
  return peer.failures() < kStrangersTries;
}

bool Replicator::is_configured(const Peer& peer) const {
  const std::vector<std::string>& nodes = context_->config.cluster_nodes;
  return std::find(nodes.begin(), nodes.end(), peer.address()) != nodes.end();
}

/// By whichever of its names; this node itself is, too.
bool Replicator::is_listed(NodeId id) const {
  if (id == home_.id()) return true;
  const auto names = [id](const Alias& alias) { return alias.id == id; };
  if (std::any_of(aliases_.begin(), aliases_.end(), names)) return true;
  const Peer* peer = find(id);
  if (peer != nullptr && is_configured(*peer)) return true;
  const std::vector<std::string>& nodes = context_->config.cluster_nodes;
  const cluster::Member* member = home_.members().find(id);
  return member != nullptr && std::find(nodes.begin(), nodes.end(), member->address) != nodes.end();
}

/// Neither configured nor a member.
bool Replicator::is_stranger(const Peer& peer) const {
  return !is_configured(peer) && home_.members().find(peer.id()) == nullptr &&
         home_.members().find_address(peer.address()) == nullptr;
}

Peer* Replicator::add_peer(const std::string& address) {
  if (connections_for(peers_.size() + 1) > context_->config.replication_connections) {
    if (now_ms_ >= next_too_few_note_ms_) {
      next_too_few_note_ms_ = now_ms_ + kSayAgainMs;
      log_line(LogLevel::kWarning, "peer_not_called",
               {{"peer", address}, {"reason", "-workers allows for no more connections"}});
    }
    return nullptr;
  }
  shared::PeerPlace* place = find_place(address);
  if (place == nullptr) return nullptr;
  place->state.store(shared::PeerState::kUnreachable, std::memory_order_relaxed);
  return peers_.emplace_back(std::make_unique<Peer>(*services_, address, *place)).get();
}

/// The place that a replicator before this one gave the address, else a free one.
shared::PeerPlace* Replicator::find_place(const std::string& address) const {
  shared::PeerPlace* free = nullptr;
  for (shared::PeerPlace& place : board_->peers) {
    if (is_in_use(place)) continue;
    const bool used = place.state.load(std::memory_order_acquire) != shared::PeerState::kNone;
    if (used && std::strncmp(place.address, address.c_str(), sizeof place.address - 1) == 0) return &place;
    if (!used && free == nullptr) free = &place;
  }
  return free;
}

void Replicator::take_introductions() {
  using shared::Introduction;
  for (Introduction& place : board_->introductions) {
    if (place.state.load(std::memory_order_acquire) != Introduction::kThere) continue;
    const NodeId id = place.node_id;
    const std::string address(place.address, ::strnlen(place.address, sizeof place.address));
    place.state.store(Introduction::kFree, std::memory_order_release);
    if (id == home_.id() || home_.members().is_forgotten(id)) continue;
    Peer* peer = find(id);
    if (peer != nullptr && peer->is_reachable()) {
      peer->expect(now_ms_);
      continue;
    }
    const auto there = std::find_if(peers_.begin(), peers_.end(),
                                    [&](const auto& each) { return each->address() == address; });
    if (peer == nullptr && there != peers_.end()) peer = there->get();
    const auto strangers =
        std::count_if(peers_.begin(), peers_.end(), [this](const auto& each) { return is_stranger(*each); });
    if (peer == nullptr && strangers < kMostStrangers) peer = add_peer(address);
    if (peer != nullptr) peer->expect(now_ms_);
  }
}

PeerOwner::Objection Replicator::met(Peer& peer, const cluster::HelloReply& hello) {
  if (hello.id == home_.id()) {
    if (hello.epoch == home_.epoch()) return Objection::kItself;
    id_is_taken(peer);
    return Objection::kIdTaken;
  }
  if (home_.members().is_forgotten(hello.id)) return Objection::kForgotten;
  // Of two nodes, one a copy of the other, the later is not believed: its set has its own address for the id.
  const bool has_twin = std::any_of(peers_.begin(), peers_.end(), [&](const auto& other) {
    if (other.get() == &peer || other->id() != hello.id || other->epoch() == hello.epoch) return false;
    if (!other->is_believed()) return false;  // a copy that was refused keeps nobody out
    const std::uint64_t heard_ms = other->place().last_heard_ms.load(std::memory_order_relaxed);
    const bool follows = hello.previous_epoch == other->epoch();
    return other->is_reachable() || (!follows && now_ms_ < heard_ms + shared::kForkSilenceMs);
  });
  if (has_twin) return Objection::kIdTaken;
  if (!home_.merge(hello.members, hello.id)) return Objection::kNotStored;
  for (const auto& other : peers_) {
    if (other.get() == &peer || other->id() != hello.id) continue;
    if (other->is_reachable()) {
      if (!forget_replaced(peer, hello)) return Objection::kNotStored;
      // Names of one node are one node; which of them is called does not matter.
      aliases_.push_back({peer.address(), hello.id});
      return Objection::kKnownElsewhere;
    }
    other->close(now_ms_, "the node is called at another address now");
  }
  if (!forget_replaced(peer, hello)) return Objection::kNotStored;
  const Objection objection = take_in(peer, hello);
  if (objection == Objection::kNone && !home_.note_limit(hello.id, hello.largest_value)) {
    return Objection::kNotStored;
  }
  return objection;
}

/// Where this node stands with its member set; agrees where it may.
Accord Replicator::seek_accord() {
  std::vector<Standing> standings;
  for (const cluster::Member& member : home_.members().members()) {
    const Peer* peer = find(member.id);
    const bool recorded = peer != nullptr && peer->has_same_members();
    standings.push_back({.is_self = member.id == home_.id(),
                         .is_old = home_.is_old(member.id),
                         .is_listed = is_listed(member.id),
                         .recorded = recorded,
                         .backs = recorded && peer->backs(),
                         .agreed = recorded && peer->has_agreed(),
                         .knows_later = recorded && peer->agreed_version() > home_.agreed_version()});
  }
  Accord accord = accord_of(standings, home_.old_set(), configured());
  if (accord.agreed && home_.is_changing()) accord.agreed = home_.agree().has_value();
  return accord;
}

/// Who has to start, or to be forgotten, before anything is acknowledged here again.
void Replicator::tell_disagreement() {
  if (board_->needed.load(std::memory_order_relaxed) != shared::kNotYetKnown) {
    disagrees_since_ms_ = 0;
    return;
  }
  if (disagrees_since_ms_ == 0) disagrees_since_ms_ = now_ms_;
  if (now_ms_ < std::max(next_disagreement_note_ms_, disagrees_since_ms_ + kDisagreesForMs)) return;
  next_disagreement_note_ms_ = now_ms_ + kSayAgainMs;
  std::string waits_for;
  for (const cluster::Member& member : home_.members().members()) {
    const Peer* peer = find(member.id);
    if (member.id == home_.id() || (peer != nullptr && peer->is_reachable() && peer->has_same_members()))
      continue;
    waits_for += (waits_for.empty() ? "" : ",") + cluster::id_text(member.id);
  }
  log_line(LogLevel::kWarning, "members_not_agreed",
           {{"members", home_.members().members().size()},
            {"waits_for", waits_for},
            {"remedy",
             "a majority of those who were there before must run; minivault cluster forget who never will"}});
}

/// Makes a node that answered a member: one at a time.
PeerOwner::Objection Replicator::take_in(Peer& peer, const cluster::HelloReply& hello) {
  const NodeId id = hello.id;
  if (home_.members().find(id) != nullptr) return Objection::kNone;
  (void)seek_accord();
  if (home_.is_changing()) return Objection::kChanging;
  if (const Status known = home_.introduce(id, peer.address(), hello.largest_value); !known) {
    log_line(LogLevel::kWarning, "member_not_taken",
             {{"node", cluster::id_text(id)}, {"peer", peer.address()}, {"error", known.error().message}});
    return Objection::kNotStored;
  }
  log_line(LogLevel::kInfo, "member", {{"node", cluster::id_text(id)}, {"peer", peer.address()}});
  return Objection::kNone;
}

/// A node that answers at the address of a member which is nowhere now has taken its place: else every
/// replaced disk would leave a ghost that counts. One that this node has agreed with has only moved there:
/// the other may come back elsewhere. (That it is a member already says nothing: others may have taken a new
/// one in, and told, before this node met it.) Who is new itself knows of nobody whether he has moved, and
/// leaves him to the others unless he is new, too. False: that could not be stored.
bool Replicator::forget_replaced(const Peer& peer, const cluster::HelloReply& hello) {
  const bool has_moved = home_.is_old(hello.id) || (home_.old_set() == OldSet::kNone && hello.has_agreed);
  if (has_moved) return true;
  std::vector<NodeId> gone;
  for (const cluster::Member& member : home_.members().members()) {
    if (member.address != peer.address() || member.id == hello.id || member.id == home_.id()) continue;
    const Peer* elsewhere = find(member.id);
    if (elsewhere == nullptr || !elsewhere->is_reachable()) gone.push_back(member.id);
  }
  return std::all_of(gone.begin(), gone.end(), [&](NodeId replaced) {
    log_line(
        LogLevel::kWarning, "member_replaced",
        {{"node", cluster::id_text(replaced)}, {"by", cluster::id_text(hello.id)}, {"peer", peer.address()}});
    return home_.forget(replaced).has_value();
  });
}

void Replicator::refused(Peer& peer, cluster::Reply reason) {
  if (reason == cluster::Reply::kIdTaken) id_is_taken(peer);
}

/// Of two holders of one id, the one that has reached a majority was there first: the other never will, for
/// all that know the first refuse it.
void Replicator::id_is_taken(const Peer& peer) {
  if (had_majority_) return;
  if (board_->id_taken.exchange(1) != 0) return;
  log_line(LogLevel::kError, "node_id_taken",
           {{"node", cluster::id_text(home_.id())},
            {"peer", peer.address()},
            {"remedy", "stop this node, run minivault new-id on its directory, start it again"}});
}

/// This node, and the configured ones that are not this node, or one more name of another: who has answered
/// under a name is one, and whoever has not may be somebody else.
std::size_t Replicator::configured() const {
  std::set<NodeId> known;
  std::size_t unknown = 0;
  for (const std::string& address : context_->config.cluster_nodes) {
    const auto is_called = [&](const auto& peer) { return peer->address() == address; };
    const auto alias = std::find_if(aliases_.begin(), aliases_.end(),
                                    [&](const Alias& each) { return each.address == address; });
    const auto peer = std::find_if(peers_.begin(), peers_.end(), is_called);
    if (peer != peers_.end() && (*peer)->is_itself()) continue;
    const NodeId id = alias != aliases_.end() ? alias->id : peer != peers_.end() ? (*peer)->id() : 0;
    if (id == 0) {
      ++unknown;
    } else {
      known.insert(id);
    }
  }
  return known.size() + unknown + 1;
}

}  // namespace minivault::replicator
