// The part of a Home that knows its own stream: its epochs, where a peer's begins, whether it knows all of
// it.

#include <algorithm>
#include <utility>

#include "common/core/random.h"
#include "replicator/home.h"

namespace minivault::replicator {

bool Home::is_open() const {
  return open_at_ != shared::kNoLsn && state_->marks.durable.load(std::memory_order_acquire) >= open_at_;
}

Status Home::draw_epoch() {
  const shared::Limits& limits = state_->limits;
  const bool is_first = epochs_.epochs().empty();
  if (is_first) {
    if (Status noted = note_birth(limits.first_lsn.load(std::memory_order_relaxed)); !noted) return noted;
  }
  // Not where this start's LSNs begin: a peer's position in between speaks of a tail that was lost here.
  const Lsn found = limits.found_end.load(std::memory_order_relaxed);
  cluster::EpochList next = epochs_;
  next.begin(random_u64(), is_first ? found : std::max(found, epochs_.epochs().back().begin));
  const std::string list = next.encode();
  store::Batch batch;
  batch.add(cluster::note_write(cluster::kEpochsNote, list));
  // Behind it: where a torn log has the first alone, the end is told once more, which costs a repair.
  if (found < limits.first_lsn.load(std::memory_order_relaxed))
    batch.add(cluster::note_write(store::kUntoldEndNote, {}));
  if (Status written = commit(batch); !written) return written;
  epochs_ = std::move(next);
  state_->cluster.previous_epoch.store(epochs_.previous(), std::memory_order_relaxed);
  state_->cluster.epoch.store(epochs_.current(), std::memory_order_release);
  return {};
}

/// A node that begins with nothing can send all it ever had, as long as its ring holds it.
Status Home::note_birth(std::uint64_t epoch_begin) {
  if (state_->totals.keys.load(std::memory_order_relaxed) != 0) return {};
  return write(cluster::kBirthNote, std::to_string(epoch_begin));
}

Lsn Home::told() const {
  const shared::ClusterBoard& board = state_->cluster;
  if (board.needed.load(std::memory_order_relaxed) == 0) return shared::kNoLsn;
  return std::max(board.quorum.load(std::memory_order_relaxed),
                  board.given_up.load(std::memory_order_acquire));
}

Beginning Home::begin_stream(const cluster::Position& position, Lsn answered) const {
  const Lsn tail = state_->marks.tail.load(std::memory_order_acquire);
  const Lsn window = state_->marks.window.load(std::memory_order_acquire);
  if (position.epoch == 0 && birth_ != shared::kNoLsn && birth_ >= window) return {.from = birth_};
  // Nobody waits for a write from before this start of the node.
  const Lsn began = state_->limits.first_lsn.load(std::memory_order_relaxed);
  if (epochs_.knows(position, tail) && position.lsn >= window && position.lsn <= tail) {
    const Lsn undecided = std::min(position.lsn, std::max(told(), began));
    if (undecided < window) return {.from = position.lsn, .waits = true};
    return {.from = answered < window ? undecided : std::min(undecided, answered)};
  }
  if (began >= window) return {.from = began, .jump = true};
  return {.from = tail, .jump = true, .waits = true};
}

bool Home::is_older_than(const cluster::Position& position) const {
  const Lsn tail = state_->marks.tail.load(std::memory_order_acquire);
  const bool remembers_all = epochs_.epochs().size() < cluster::EpochList::kKept;
  return position.epoch != 0 && !epochs_.knows(position, tail) && (remembers_all || position.lsn > tail);
}

bool Home::vouches() const {
  return state_->cluster.vouched_from.load(std::memory_order_acquire) != 0;
}

Status Home::vouch() {
  // A stream tells with what is in the log: of an idle one nobody would hear it.
  if (Status written = write(cluster::kClockNote, {}); !written) return written;
  const Lsn tail = state_->marks.tail.load(std::memory_order_acquire);
  state_->cluster.vouched_from.store(tail, std::memory_order_release);
  return {};
}

}  // namespace minivault::replicator
