// The part of a Replicator that knows who is there: whom it calls, who answers, who becomes a member.

#include <algorithm>
#include <cstring>

#include "common/core/log.h"
#include "replicator/place_text.h"
#include "replicator/replicator.h"

namespace minivault::replicator {
namespace {

static_assert(kMostPeers == shared::kMaxPeers && kMostPeers + 1 == cluster::MemberSet::kMost);
static_assert(cluster::kLongestAddress < shared::kPeerAddressBytes);
/// A caller can make this node dial so many at once, whatever it says.
constexpr std::ptrdiff_t kMostStrangers = 4;
constexpr std::uint64_t kSayAgainMs = 60'000;
/// A set that is agreed on within this is no news.
constexpr std::uint64_t kDisagreesForMs = 5'000;

}  // namespace

Roster Replicator::roster() const {
  std::vector<Contact> contacts;
  contacts.reserve(peers_.size());
  for (const auto& peer : peers_) {
    contacts.push_back({.address = peer->address(),
                        .id = peer->id(),
                        .reachable = peer->is_reachable(),
                        .is_itself = peer->is_itself(),
                        .failures = peer->failures(),
                        .recorded = peer->has_same_members(),
                        .backs = peer->backs(),
                        .agreed = peer->has_agreed(),
                        .agreed_version = peer->agreed_version()});
  }
  const Config& config = context_->config;
  return {home_.memory(), {config.cluster_nodes, config.public_url, aliases_}, std::move(contacts)};
}

Peer* Replicator::find(NodeId id) const {
  const std::size_t found = roster().find(id);
  return found == SIZE_MAX ? nullptr : peers_[found].get();
}

/// As it said, or, of one that has not answered since this process began, as members are noted; 0: unknown.
NodeId Replicator::id_of(const Peer& peer) const {
  if (peer.id() != 0) return peer.id();
  const cluster::Member* member = home_.members().find_address(peer.address());
  return member == nullptr ? 0 : member->id;
}

void Replicator::forget_on_request() {
  const NodeId id = board_->forget_requested.load(std::memory_order_acquire);
  if (id == 0) return;
  if (const Status done = forget(id); !done) {
    // Whatever else it is may pass: it is tried again.
    if (done.error().code == Code::kTooLarge) board_->forget_requested.store(0, std::memory_order_release);
    return;
  }
  log_line(LogLevel::kWarning, "member_forgotten", {{"node", cluster::id_text(id)}});
  if (Peer* gone = find(id); gone != nullptr)
    gone->remove(now_ms_);  // one that is configured stays in the list
  board_->forget_requested.store(0, std::memory_order_release);
}

Status Replicator::forget(NodeId id) {
  Status done = home_.forget(id);
  if (!done) {
    log_line(LogLevel::kWarning, "member_not_forgotten",
             {{"node", cluster::id_text(id)}, {"error", done.error().message}});
  }
  return done;
}

/// Everyone who is configured, and every member that is not one of those.
void Replicator::keep_peers() {
  std::erase_if(aliases_, [this](const Alias& alias) { return home_.members().find(alias.id) == nullptr; });
  for (const std::string& address : roster().missing()) add_peer(address);
  drop_unwanted();
}

void Replicator::drop_unwanted() {
  const Roster all = roster();  // before any of them is gone
  for (std::size_t i = all.contacts().size(); i-- > 0;) {
    if (all.is_wanted(all.contacts()[i])) continue;
    peers_[i]->close(now_ms_, "it is not a member");
    peers_.erase(peers_.begin() + static_cast<std::ptrdiff_t>(i));
  }
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

Peer* Replicator::add_peer(const std::string& address) {
  const bool has_connections = connections_for(peers_.size() + 1) <= context_->config.replication_connections;
  shared::PeerPlace* place = has_connections ? find_place(address) : nullptr;
  if (place == nullptr) {
    if (now_ms_ >= next_too_few_note_ms_) {
      next_too_few_note_ms_ = now_ms_ + kSayAgainMs;
      log_line(LogLevel::kWarning, "peer_not_called",
               {{"peer", address},
                {"reason", has_connections ? "a node calls 63 others at most"
                                           : "-workers allows for no more connections"}});
    }
    return nullptr;
  }
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

std::ptrdiff_t Replicator::strangers() const {
  const Roster all = roster();
  return std::count_if(all.contacts().begin(), all.contacts().end(),
                       [&](const Contact& contact) { return all.is_stranger(contact); });
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
    if (peer == nullptr && strangers() < kMostStrangers) peer = add_peer(address);
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
  const Objection objection = take_in(peer, hello);
  if (objection == Objection::kNone && !home_.note_limit(hello.id, hello.largest_value)) {
    return Objection::kNotStored;
  }
  return objection;
}

/// Where this node stands with its member set; agrees where it may.
Accord Replicator::seek_accord() {
  Accord accord = roster().accord();
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
  const auto place =
      std::find_if(peers_.begin(), peers_.end(), [&](const auto& each) { return each.get() == &peer; });
  const Meeting meeting = roster().meet(static_cast<std::size_t>(place - peers_.begin()), hello.id,
                                        hello.address, hello.has_agreed);
  for (const NodeId replaced : meeting.replaced) {
    if (!forget(replaced)) return Objection::kNotStored;
    log_line(
        LogLevel::kWarning, "member_replaced",
        {{"node", cluster::id_text(replaced)}, {"by", cluster::id_text(hello.id)}, {"peer", peer.address()}});
  }
  std::erase_if(aliases_, [&](const Alias& alias) { return alias.address == peer.address(); });
  if (meeting.is_known_elsewhere) {
    // Names of one node are one node; which of them is called does not matter.
    aliases_.push_back({peer.address(), hello.id});
    return Objection::kKnownElsewhere;
  }
  if (meeting.is_expected_elsewhere) return Objection::kExpectedElsewhere;
  for (const std::size_t stale : meeting.stale) {
    peers_[stale]->close(now_ms_, "the node is called at another address now");
  }
  if (home_.members().find(hello.id) != nullptr) return Objection::kNone;
  (void)seek_accord();
  if (home_.is_changing()) return Objection::kChanging;
  if (const Status known = home_.introduce(hello.id, peer.address(), hello.largest_value); !known) {
    log_line(
        LogLevel::kWarning, "member_not_taken",
        {{"node", cluster::id_text(hello.id)}, {"peer", peer.address()}, {"error", known.error().message}});
    return Objection::kNotStored;
  }
  log_line(LogLevel::kInfo, "member", {{"node", cluster::id_text(hello.id)}, {"peer", peer.address()}});
  return Objection::kNone;
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

}  // namespace minivault::replicator
