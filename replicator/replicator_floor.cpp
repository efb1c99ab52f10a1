// The part of a Replicator that knows what every member holds for good: the stable floor (REPLICATION.md rule
// 5), and for whom it does not wait.

#include <algorithm>

#include "common/core/log.h"
#include "replicator/replicator.h"

namespace minivault::replicator {
namespace {

constexpr std::uint64_t kNotesATtl = 16;

/// Between two notes of one name: each costs a sync and moves the log, and what is counted in -tombstone-ttl
/// is in no hurry.
std::uint64_t pause_ms(const Config& config, std::uint64_t longest_ms) {
  constexpr std::uint64_t kShortestMs = 1'000;
  return std::clamp(static_cast<std::uint64_t>(config.tombstone_ttl.count()) / kNotesATtl, kShortestMs,
                    longest_ms);
}

constexpr std::uint64_t kFloorNoteMs = 5'000;
constexpr std::uint64_t kSettledNoteMs = 10'000;
constexpr std::uint64_t kAwayNoteMs = 12 * 3'600'000;

}  // namespace

void Replicator::publish_floor() {
  std::atomic<std::uint64_t>& floor = context_->region.state().limits.tombstone_floor_hlc;
  if (roster().configured() == 1 && home_.members().members().size() == 1) {
    floor.store(store::kEverything, std::memory_order_relaxed);
    return;
  }
  // A floor of somebody who was alone until now is none. Release: it is on disk (partner: Checkpoint).
  const bool was_alone = floor.load(std::memory_order_relaxed) == store::kEverything;
  const bool on_disk =
      context_->region.state().marks.durable.load(std::memory_order_acquire) >= home_.floor_counts_at();
  if (was_alone || on_disk) floor.store(on_disk ? home_.floor() : 0, std::memory_order_release);
  count_absences();
  const std::optional<Presence> presence = look_who_is_there();
  is_settled_ = false;
  if (!presence) return;
  settle(*presence);
  raise_floor(stable_floor(presence->present, presence->absent));
}

void Replicator::count_absences() {
  const std::uint64_t since_ms = std::exchange(absences_counted_ms_, now_ms_);
  const auto ttl_ms = static_cast<std::uint64_t>(context_->config.tombstone_ttl.count());
  if (since_ms == 0) {
    if (Result<cluster::Away> known = home_.away()) absences_ = Absences(std::move(*known), ttl_ms);
    return;
  }
  const bool has_majority =
      board_->reachable.load(std::memory_order_relaxed) >= board_->needed.load(std::memory_order_relaxed);
  absences_.pass(now_ms_ - since_ms, has_majority, signs_of_life());
  for (const auto& peer : peers_) {
    peer->place().away_ms.store(absences_.away_ms(id_of(*peer)), std::memory_order_relaxed);
  }
  const bool goes_on = !absences_.away().empty() && now_ms_ >= next_away_note_ms_;
  if (!has_majority || (!absences_.note_says_too_much() && !goes_on)) return;
  next_away_note_ms_ = now_ms_ + pause_ms(context_->config, kAwayNoteMs);
  if (home_.note_away(absences_.away())) absences_.noted();  // else at the next look
}

/// Only from what the same teller said before: that one is heard for the first time since this start, and
/// holds more than this node, is no sign of life.
void Replicator::look_for_moves(NodeId teller, std::span<const cluster::Held> held) {
  for (const cluster::Held& each : held) {
    const auto [before, first] = held_afar_.try_emplace({teller, each.origin}, each.position.lsn);
    if (!first && before->second != each.position.lsn) ++moves_afar_[each.origin];
    before->second = each.position.lsn;
  }
}

std::vector<Absences::Sign> Replicator::signs_of_life() {
  look_for_moves(home_.id(), home_.held());
  for (const auto& peer : peers_) look_for_moves(peer->id(), peer->held());
  std::vector<Absences::Sign> signs;
  for (const cluster::Member& member : home_.members().members()) {
    if (member.id == home_.id()) continue;
    const Peer* itself = find(member.id);
    signs.push_back({member.id, itself != nullptr && itself->is_reachable(), moves_afar_[member.id]});
  }
  return signs;
}

/// None: somebody that the floor waits for has not spoken, or of another member set: somebody may have come
/// in that one of the two does not know yet. Or this node speaks for a minority.
std::optional<Replicator::Presence> Replicator::look_who_is_there() const {
  Presence there;
  there.own = home_.held();
  there.absent = home_.members().forgotten();
  for (const cluster::Member& member : home_.members().members()) {
    const Peer* peer = find(member.id);
    if (member.id == home_.id()) {
      there.present.push_back({member.id, there.own, home_.settled().told});
    } else if (absences_.is_away(member.id)) {
      there.absent.push_back(member.id);
      there.has_members_absent = true;
    } else if (peer == nullptr || peer->held().empty() || peer->held_digest() != home_.digest()) {
      return std::nullopt;
    } else {
      there.present.push_back({member.id, peer->held(), peer->settled()});
    }
  }
  const std::uint32_t needed = board_->needed.load(std::memory_order_relaxed);
  if (needed == shared::kNotYetKnown || there.present.size() <= needed) return std::nullopt;
  return there;
}

/// What any of those present holds of the absent ones' streams must be at all of them before the floor passes
/// it: each repairs with each, and says so.
void Replicator::settle(const Presence& presence) {
  const std::uint64_t fingerprint = fingerprint_of(presence.present, presence.absent);
  if (fingerprint == home_.settled().told.fingerprint || fingerprint == 0) {
    settling_ = 0;
    is_settled_ = true;
    const bool worth_it = fingerprint != 0 && presence.has_members_absent &&
                          now_ms_ >= next_settled_note_ms_ &&
                          context_->region.state().totals.tombstones.load(std::memory_order_relaxed) > 0;
    if (worth_it) write_settled(presence, fingerprint);
    return;
  }
  if (settling_ != fingerprint) {
    settling_ = fingerprint;
    settling_since_ms_ = now_ms_ + 1;  // not by one that began in this very millisecond, before the look
  }
  const bool done = std::all_of(presence.present.begin(), presence.present.end(), [&](const Holdings& one) {
    return one.member == home_.id() || repairs_->last_began_ms(one.member) >= settling_since_ms_;
  });
  if (done && home_.is_complete()) write_settled(presence, fingerprint);
}

void Replicator::write_settled(const Presence& presence, std::uint64_t fingerprint) {
  next_settled_note_ms_ = now_ms_ + pause_ms(context_->config, kSettledNoteMs);
  const std::uint64_t hlc = presence.has_members_absent
                                ? context_->region.state().append.last_hlc.load(std::memory_order_acquire)
                                : store::kEverything;
  cluster::Settled next{{fingerprint, hlc}, home_.settled().passed_up_to};
  std::erase_if(next.passed_up_to,
                [this](const auto& each) { return home_.members().find(each.first) == nullptr; });
  for (const NodeId id : presence.absent) {
    if (home_.members().find(id) != nullptr) next.passed_up_to[id] = hlc;
  }
  (void)home_.settle(std::move(next));  // what went wrong goes wrong again, or right, at the next look
}

/// Whether this node has forgotten some of its own stream only those who hold it can tell. Before all of them
/// have, and before it has that again, nobody may take later records of it for a sign of having had these.
void Replicator::vouch() {
  const std::vector<cluster::Member>& members = home_.members().members();
  if (home_.vouches() || !home_.is_complete() || members.size() < 2) return;
  const bool known = std::all_of(members.begin(), members.end(), [this](const cluster::Member& member) {
    if (member.id == home_.id() || absences_.is_away(member.id)) return true;
    const Peer* peer = find(member.id);
    return peer != nullptr && peer->has_same_members() && home_.debt(member.id) == store::Version();
  });
  if (known) (void)home_.vouch();  // else at the next look
}

/// Only a tombstone needs a higher one.
void Replicator::raise_floor(std::uint64_t stable) {
  const bool wanted = context_->region.state().totals.tombstones.load(std::memory_order_relaxed) > 0;
  if (!wanted || stable <= home_.floor() || stable == store::kEverything || now_ms_ < next_floor_note_ms_)
    return;
  next_floor_note_ms_ = now_ms_ + pause_ms(context_->config, kFloorNoteMs);
  (void)home_.raise_floor(stable);
}

}  // namespace minivault::replicator
