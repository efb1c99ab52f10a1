// The part of a Replicator that tells the node's other processes: what a write needs, how far it is.

#include <algorithm>
#include <vector>

#include "common/core/log.h"
#include "common/store/node_clock.h"
#include "replicator/majority.h"
#include "replicator/replicator.h"

namespace minivault::replicator {
namespace {

/// A majority that begins empty waits this long for the others before it says that all there is is here.
constexpr std::uint64_t kBirthPatienceMs = 10'000;

}  // namespace

void Replicator::publish_members() {
  const std::size_t copies = cluster::copies_needed(roster().configured(), home_.members().members().size());
  const Accord accord = seek_accord();
  const auto needed = accord.agreed ? static_cast<std::uint32_t>(copies - 1) : shared::kNotYetKnown;
  published_digest_ = home_.digest();
  board_->backed_digest.store(accord.backs ? home_.digest() : 0, std::memory_order_relaxed);
  board_->agreed_version.store(home_.agreed_version(), std::memory_order_relaxed);
  board_->agreed_digest.store(accord.agreed ? home_.digest() : 0, std::memory_order_release);
  std::uint64_t largest = home_.largest_value();
  for (const auto& peer : peers_) {
    if (peer->largest_value() != 0) largest = std::min(largest, peer->largest_value());
  }
  board_->largest_value.store(largest, std::memory_order_relaxed);
  const std::uint32_t before = board_->needed.load(std::memory_order_relaxed);
  if (before == needed) return;
  board_->needed.store(needed, std::memory_order_seq_cst);
  // What it took while it needed nobody was acknowledged then: no conflict of it is undecided.
  if (before == 0) {
    shared::raise(board_->given_up, context_->region.state().marks.tail.load(std::memory_order_seq_cst));
  }
  ring_waiting(shared::kNoLsn - 1);
}

void Replicator::publish_quorum() {
  // Before anybody is counted who has recorded the set that has just come about.
  const bool is_other_set = published_digest_ != home_.digest();
  if (is_other_set || board_->needed.load(std::memory_order_relaxed) == shared::kNotYetKnown) {
    publish_members();
  }
  const std::uint32_t needed = board_->needed.load(std::memory_order_relaxed);
  std::vector<Lsn> acked;
  std::uint32_t reachable = 0;
  for (const auto& peer : peers_) {
    const bool counts = peer->counts(now_ms_);
    peer->place().counts.store(counts && peer->is_streaming() ? 1 : 0, std::memory_order_relaxed);
    if (!counts) continue;
    acked.push_back(peer->acked());
    if (peer->is_streaming()) ++reachable;
  }
  board_->reachable.store(reachable, std::memory_order_relaxed);
  if (needed == 0 || needed == shared::kNotYetKnown) {
    (void)restamps_.cap(0, home_.told());  // what waits to be written again and was told waits no longer
    return;
  }
  const Lsn quorum = restamps_.cap(quorum_of(std::move(acked), needed), home_.told());
  if (quorum <= board_->quorum.load(std::memory_order_relaxed)) return;
  shared::raise(board_->quorum, quorum);
  ring_waiting(quorum);
}

/// Rule 7: quorum, full fence, look at the wishes. Partner: worker::Quorum::ring_when_reached.
void Replicator::ring_waiting(Lsn quorum) const {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const shared::Region& region = context_->region;
  const unsigned used = region.state().slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    std::atomic<Lsn>& want = region.slot(i).quorum_want;
    if (want.load(std::memory_order_relaxed) > quorum) continue;
    want.store(shared::kNoLsn, std::memory_order_relaxed);
    region.ring(i);
  }
}

void Replicator::note_given_up() {
  marks_.push_back({now_ms_, context_->region.state().marks.tail.load(std::memory_order_acquire)});
  const auto timeout_ms = static_cast<std::uint64_t>(context_->config.write_timeout.count());
  while (marks_.front().at_ms + timeout_ms < now_ms_) {
    shared::raise(board_->given_up, marks_.front().tail);
    marks_.pop_front();
  }
}

/// Of what a peer lacks, the oldest came between the last mark that it has reached and the next one.
void Replicator::publish_lag() const {
  for (const auto& peer : peers_) {
    const auto lacks = [&](const Mark& mark) { return !peer->is_itself() && mark.tail > peer->acked(); };
    const auto first = std::find_if(marks_.begin(), marks_.end(), lacks);
    std::atomic<std::uint64_t>& since = peer->place().behind_since_ms;
    const bool is_older = first == marks_.begin() && since.load(std::memory_order_relaxed) != 0;
    if (first == marks_.end() || !is_older) {
      since.store(first == marks_.end() ? 0 : first->at_ms, std::memory_order_relaxed);
    }
  }
}

void Replicator::publish_debts() const {
  for (const auto& peer : peers_) {
    const NodeId id = id_of(*peer);
    const bool owed = id != 0 && home_.debt(id) != store::Version();
    peer->place().owed.store(owed ? 1 : 0, std::memory_order_relaxed);
  }
}

/// Who counts and was not heard of: away since before this start, or a member that nobody is any more.
void Replicator::publish_unheard() const {
  const Roster all = roster();
  const std::vector<cluster::Member>& members = home_.members().members();
  const auto unheard = std::count_if(members.begin(), members.end(), [&](const cluster::Member& member) {
    return member.id != home_.id() && all.find(member.id) == SIZE_MAX;
  });
  board_->unheard.store(static_cast<std::uint32_t>(unheard), std::memory_order_relaxed);
}

Status Replicator::conflicts(const Peer& peer, const Parcel& parcel,
                             const std::vector<cluster::Conflict>& conflicts) {
  const std::uint64_t believable = store::largest_believable_hlc(context_->region.state().append);
  for (const cluster::Conflict& each : conflicts) {
    if (each.held.hlc <= believable) continue;
    return fail(Code::kUnavailable, store::unbelievable_text("what it holds", each.held.hlc));
  }
  // What was dropped there as deleted long ago must go here, too, or come back as something new.
  const bool dropped = cluster::any_ghost(conflicts);
  if (dropped && !owe(peer.id())) unnoted_debts_.insert(peer.id());
  const Lsn told = home_.told();
  if (parcel.to <= told) return {};
  return shelf_->visit(parcel, conflicts,
                       [&](const store::Change& record, const cluster::Conflict& conflict) {
                         restamps_.conflict(record, conflict.held, told);
                       });
}

/// Nobody who is born with others, or has forgotten something, knows whether they hold more than it does; and
/// one of them alone may not hold what others have acknowledged, complete or not, owing a repair or not. A
/// repair with one of each majority that can have acknowledged without this node tells.
void Replicator::find_completeness() {
  if (home_.is_complete()) return filled_from_.clear();
  shared::State& state = context_->region.state();
  if (state.recount_after.load(std::memory_order_acquire) != 0) return;
  const std::uint32_t needed = board_->needed.load(std::memory_order_relaxed);
  // Before that, this node may not know of all who were there.
  if (!home_.is_open() || needed == shared::kNotYetKnown) return;
  const cluster::MemberSet& set = home_.members();
  const auto sources = std::count_if(filled_from_.begin(), filled_from_.end(), [&](const auto& each) {
    return each.second && set.find(each.first) != nullptr;
  });
  std::vector<Source> others;
  for (const auto& peer : peers_) {
    if (peer->is_itself()) continue;
    const bool repaired = filled_from_.contains(peer->id());
    others.push_back({.is_streaming = peer->is_streaming(),
                      .is_complete = set.find(peer->id()) != nullptr && peer->is_complete(),
                      .gave_all = repaired && home_.debt(peer->id()) == store::Version()});
  }
  const bool filled = is_filled({.others = others,
                                 .members = set.members().size(),
                                 .needed = needed,
                                 .sources = static_cast<std::size_t>(sources),
                                 .has_lost = !set.forgotten().empty() || home_.has_forgotten(),
                                 .has_waited = now_ms_ >= started_ms_ + kBirthPatienceMs});
  if (!filled || !home_.become_complete()) return;
  std::uint32_t healed = shared::kDamageNoted;
  state.base_damage.compare_exchange_strong(healed, shared::kNoDamage);
}

/// A base that lost records makes this node one that has forgotten something: what it does not find means
/// nothing until it was repaired with one of each majority, from now on. Once that is on disk the base may
/// take what it has for all there is. Alone there is nobody to bring anything back: there the count stays,
/// for it is all that tells.
void Replicator::look_at_damage() {
  shared::State& state = context_->region.state();
  if (state.base_damage.load(std::memory_order_acquire) != shared::kDamageFound) return;
  if (home_.members().members().size() < 2 || !home_.become_incomplete()) return;
  filled_from_.clear();
  repairs_->begin_anew();
  const Lsn noted = state.marks.tail.load(std::memory_order_acquire);
  Lsn none = 0;
  state.recount_after.compare_exchange_strong(none, noted);
  // Last: whoever is killed before this does it all again.
  state.base_damage.store(shared::kDamageNoted, std::memory_order_release);
  context_->region.ask_for_checkpoint(noted);
}

/// A dead node's acknowledged writes must not wait for the next routine repair while one copy is left; a
/// forgotten node's neither, until all who are there have settled what any of them holds. Repairs with others
/// bring what was acknowledged, and pay no debt: what nobody but the origin has comes when that is back.
std::uint64_t Replicator::lead_of(const Peer& peer, std::span<const cluster::Held> own) const {
  std::uint64_t sum = 0;
  for (const NodeId id : cluster::origins_of(home_.members())) {
    const Peer* origin = find(id);
    const bool is_away = id != home_.id() && (origin == nullptr || !origin->is_streaming());
    if (!is_away || (is_settled_ && home_.members().is_forgotten(id))) continue;
    sum = sum * 31 + lead(own, peer.held(), id, home_.debt(id));
  }
  return sum;
}

/// Looks after repairs: outside of turns, for they fork.
void Replicator::repair() {
  next_repair_look_ms_ = next_look_ms_;
  if (services_ == nullptr || stop_requests_ > 0) return;
  std::vector<RepairPeer> list;
  store_->begin_turn();
  const std::vector<cluster::Held> own = home_.held();
  for (const auto& peer : peers_) {
    peer->show_repairing(repairs_->under_way(peer->id()));
    const Result<client::Address> address = client::parse_address(peer->address());
    if (!address || peer->id() == 0) continue;
    const store::Version debt = home_.debt(peer->id());
    const auto filled = filled_from_.find(peer->id());
    const bool fills =
        !home_.is_complete() && (filled == filled_from_.end() || (peer->is_complete() && !filled->second));
    const bool owed = debt != store::Version() || fills;
    list.push_back({.id = peer->id(),
                    .address = *address,
                    .place = &peer->place(),
                    .reachable = peer->is_reachable(),
                    .streams = peer->is_streaming(),
                    .owed = owed,
                    .debt = debt,
                    .lead = lead_of(*peer, own),
                    .settle_since_ms = settling_ == 0 ? 0 : settling_since_ms_});
  }
  store_->end_turn();
  repairs_->end_with_forgotten(home_.members());
  repairs_->tick(now_ms_, list, [this](const Repairs::Done& done) {
    store_->begin_turn();
    (void)home_.pay(done.peer, done.debt);  // where there is no room the debt stays, and is paid once more
    if (!home_.is_complete()) filled_from_[done.peer] |= done.peer_was_complete;
    find_completeness();
    store_->end_turn();
  });
}

}  // namespace minivault::replicator
