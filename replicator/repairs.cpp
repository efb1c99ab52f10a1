#include "replicator/repairs.h"

#include <algorithm>

#include "common/cluster/notes.h"
#include "common/core/log.h"

namespace minivault::replicator {
namespace {

constexpr std::uint64_t kFirstDelayMs = 500;
constexpr std::uint64_t kLongestDelayMs = 30'000;
/// A peer whose pulse is lost may be back at once.
constexpr std::uint64_t kLostMs = 5'000;
/// A comparison that finds what nobody missed is not to be felt by clients.
constexpr std::uint64_t kRoutineBytesASecond = 32 << 20;

}  // namespace

void Repairs::tick(std::uint64_t now_ms, std::span<const RepairPeer> peers, const WhenDone& when_done) {
  // What is owed after one that ended well the next look knows: `peers` is from before it was paid.
  if (look(now_ms, when_done)) return;
  end_with_lost(now_ms, peers);
  for (const Need need : {Need::kOwed, Need::kPressing, Need::kRoutine}) {
    // What is pressing does not wait for what is slow on purpose; that begins anew, and what it has moved is
    // no difference then.
    if (repair_ && (need_ != Need::kRoutine || need == Need::kRoutine)) return;
    for (const RepairPeer& peer : peers) {
      if (!peer.streams) continue;
      Account& account = accounts_.try_emplace(peer.id, Account{.last_ms = now_ms}).first->second;
      if (need_of(peer, account, now_ms) == need) return start(peer, account, need, now_ms);
    }
  }
}

void Repairs::end_with_forgotten(const cluster::MemberSet& members) {
  if (repair_ && members.is_forgotten(peer_)) repair_.reset();
}

/// The process itself would wait as long as a cold disk may take to answer.
void Repairs::end_with_lost(std::uint64_t now_ms, std::span<const RepairPeer> peers) {
  if (!repair_) return;
  const bool reachable = std::any_of(peers.begin(), peers.end(), [this](const RepairPeer& peer) {
    return peer.id == peer_ && peer.reachable;
  });
  if (reachable) reached_ms_ = now_ms;
  if (now_ms < reached_ms_ + kLostMs) return;
  log_line(LogLevel::kWarning, "repair_failed",
           {{"node", cluster::id_text(peer_)}, {"error", "the peer is not reachable any more"}});
  repair_.reset();
  failed(now_ms);
}

void Repairs::failed(std::uint64_t now_ms) {
  Account& account = accounts_[peer_];
  account.delay_ms = std::clamp(account.delay_ms * 2, kFirstDelayMs, kLongestDelayMs);
  account.not_before_ms = now_ms + account.delay_ms;
}

bool Repairs::look(std::uint64_t now_ms, const WhenDone& when_done) {
  if (!repair_) return false;
  const Repair::State state = repair_->look();
  if (state == Repair::State::kRunning) return false;
  repair_.reset();
  if (state == Repair::State::kFailed) {
    failed(now_ms);
    return false;
  }
  accounts_[peer_] = {
      .last_ms = now_ms,
      .last_began_ms = began_ms_,
      .asked_seen = asked_at_start_,
      .lead_seen = lead_at_start_,
      // Repairs for a lead alone wait for one another: a long fill keeps no dead node's copy back.
      .next_lead_ms = lead_at_start_ == 0 ? 0 : now_ms + 10 * (now_ms - began_ms_)};
  place_->repairs.fetch_add(1, std::memory_order_relaxed);
  when_done({peer_, debt_, state == Repair::State::kDoneWithComplete});
  return true;
}

Repairs::Need Repairs::need_of(const RepairPeer& peer, const Account& account, std::uint64_t now_ms) const {
  if (now_ms < account.not_before_ms) return Need::kNone;
  const bool is_asked = account.asked_seen < board_.repair_requested.load();
  const bool settles = peer.settle_since_ms > account.last_began_ms;
  const bool leads = peer.lead != 0 && peer.lead != account.lead_seen && now_ms >= account.next_lead_ms;
  if (peer.owed) return Need::kOwed;
  if (is_asked || settles || leads) return Need::kPressing;
  const auto interval_ms = static_cast<std::uint64_t>(config_.repair_interval.count());
  const bool its_time = interval_ms > 0 && id_ < peer.id && now_ms - account.last_ms >= interval_ms;
  return its_time ? Need::kRoutine : Need::kNone;
}

std::uint64_t Repairs::last_began_ms(cluster::NodeId peer) const {
  const auto account = accounts_.find(peer);
  return account == accounts_.end() ? 0 : account->second.last_began_ms;
}

void Repairs::start(const RepairPeer& peer, Account& account, Need need, std::uint64_t now_ms) {
  RepairTask task;
  task.id = id_;
  task.epoch = board_.epoch.load(std::memory_order_acquire);
  task.previous_epoch = board_.previous_epoch.load(std::memory_order_relaxed);
  task.public_url = config_.public_url;
  task.here = here_;
  task.peer = peer.address;
  task.auth_key = config_.auth_key;
  task.place = peer.place;
  task.bytes_a_second = config_.repair_bytes_a_second;
  if (task.bytes_a_second == 0 && need == Need::kRoutine) task.bytes_a_second = kRoutineBytesASecond;
  repair_.reset();
  asked_at_start_ = board_.repair_requested.load();
  Result<Repair> started = Repair::start(task);
  if (!started) {
    log_line(LogLevel::kWarning, "repair_not_started", {{"error", started.error().message}});
    account.not_before_ms = now_ms + kLongestDelayMs;
    return;
  }
  repair_ = std::move(*started);
  need_ = need;
  peer_ = peer.id;
  place_ = peer.place;
  debt_ = peer.debt;
  lead_at_start_ = peer.lead;
  began_ms_ = reached_ms_ = now_ms;
}

}  // namespace minivault::replicator
