// The part of a Home that knows what it lacks, owes and has let go: whether it is complete, with whom a
// repair is due, the stable floor.

#include <charconv>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "replicator/home.h"

namespace minivault::replicator {

Status Home::read_floor() {
  const Result<std::string> floor = read(cluster::kFloorNote);
  const Result<std::string> settled = read(cluster::kSettledNote);
  if (!floor) return tl::unexpected(floor.error());
  if (!settled) return tl::unexpected(settled.error());
  std::from_chars(floor->data(), floor->data() + floor->size(), floor_);
  floor_at_ = state_->marks.tail.load(std::memory_order_acquire);
  std::uint64_t none = 0;
  state_->limits.tombstone_floor_hlc.compare_exchange_strong(none, floor_);
  if (settled->empty()) return {};
  Result<cluster::Settled> decoded = cluster::decode_settled(*settled);
  if (!decoded) return tl::unexpected(decoded.error());
  settled_ = std::move(*decoded);
  if (!settled_.passed_up_to.empty()) state_->cluster.passed_some.store(1, std::memory_order_release);
  return {};
}

Status Home::read_completeness() {
  const Result<store::Found> filled = store_->note(cluster::kFilledNote);
  if (!filled) return tl::unexpected(filled.error());
  if (filled->value == cluster::id_text(id_)) state_->cluster.complete.store(1, std::memory_order_release);
  return {};
}

Status Home::become_incomplete() {
  state_->cluster.vouched_from.store(0, std::memory_order_release);
  if (!is_complete() && has_forgotten()) return {};
  if (Status written = write(cluster::kFilledNote, ""); !written) return written;
  state_->cluster.complete.store(0, std::memory_order_release);
  log_line(LogLevel::kWarning, "older_than_its_peers_know",
           {{"node", cluster::id_text(id_)}, {"remedy", "what it has forgotten comes back by repair"}});
  return {};
}

Status Home::forgot_what_is_at(NodeId peer) {
  if (Status incomplete = become_incomplete(); !incomplete) return incomplete;
  return owe(peer);
}

bool Home::is_complete() const {
  return state_->cluster.complete.load(std::memory_order_acquire) != 0;
}

Status Home::become_complete() {
  if (is_complete()) return {};
  if (Status written = write(cluster::kFilledNote, cluster::id_text(id_)); !written) return written;
  state_->cluster.complete.store(1, std::memory_order_release);
  log_line(LogLevel::kInfo, "complete");
  return {};
}

bool Home::has_forgotten() const {
  const Result<store::Found> note = store_->note(cluster::kFilledNote);
  return !note || (note->value.empty() && note->version != store::Version());
}

store::Version Home::debt(NodeId peer) const {
  const Result<store::Found> note = store_->note(cluster::debt_note(peer));
  return note && !note->value.empty() ? note->version : store::Version();
}

Status Home::pay(NodeId peer, const store::Version& debt) {
  if (debt == store::Version()) return {};
  store::Batch batch;
  const std::string name = cluster::debt_note(peer);
  store::Write note = cluster::note_write(name, {});
  note.condition = store::Condition::kVersionIs;
  note.expected = debt;
  batch.add(note);
  return store_->commit(batch);
}

Status Home::owe(NodeId peer, bool anew) {
  if (!anew && debt(peer) != store::Version()) return {};
  return write(cluster::debt_note(peer), std::to_string(wall_ms()));
}

Status Home::raise_floor(std::uint64_t hlc) {
  if (Status written = write(cluster::kFloorNote, std::to_string(hlc)); !written) return written;
  floor_ = hlc;
  floor_at_ = state_->marks.tail.load(std::memory_order_acquire);
  return {};
}

Status Home::settle(cluster::Settled settled) {
  if (!settled.passed_up_to.empty()) state_->cluster.passed_some.store(1, std::memory_order_seq_cst);
  if (Status written = write(cluster::kSettledNote, cluster::encode_settled(settled)); !written)
    return written;
  settled_ = std::move(settled);
  return {};
}

Result<cluster::Away> Home::away() const {
  const Result<std::string> note = read(cluster::kAwayNote);
  if (!note) return tl::unexpected(note.error());
  return note->empty() ? cluster::Away() : cluster::decode_away(*note);
}

Status Home::note_away(const cluster::Away& away) {
  return write(cluster::kAwayNote, away.empty() ? std::string() : cluster::encode_away(away));
}

}  // namespace minivault::replicator
