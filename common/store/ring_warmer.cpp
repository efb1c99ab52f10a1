#include "common/store/ring_warmer.h"

#include <algorithm>
#include <vector>

#include "common/core/fault_point.h"
#include "common/store/append_lock.h"

namespace minivault::store {
namespace {

constexpr std::uint64_t kStepBytes = 1ULL << 20;
constexpr std::uint64_t kAheadBytes = 16ULL << 20;

}  // namespace

RingWarmer::RingWarmer(shared::State& state, Ring& ring, const Index& index, unsigned slot)
    : state_(state), ring_(ring), index_(index), slot_(slot) {
  const RingHeader& header = ring.header();
  const Lsn born = header.first_lsn;
  // LSNs leap a whole ring at an unclean stop, so only a start where the ring began is known to be on its
  // first lap, be it the node's first or that of a new size. Zeros must never meet what the ring still holds:
  // from `born` around to `born`, no further.
  const bool first_lap = header.boundary == born && ring.size() > Ring::kPrewrittenAtBirth;
  first_lap_end_ = first_lap ? born + ring.size() : born;
  prewritten_ = born;
}

/// The first LSN from `at` on that the ring's birth did not write.
Lsn RingWarmer::behind_birth(Lsn at) const {
  const std::uint64_t offset = at % ring_.size();
  return offset < Ring::kPrewrittenAtBirth ? at + (Ring::kPrewrittenAtBirth - offset) : at;
}

bool RingWarmer::step() {
  return prewritten_ < first_lap_end_ ? prewrite() : read_ahead();
}

bool RingWarmer::prewrite() {
  static constexpr std::uint64_t kAlignment = 4096;
  MV_FAULT_POINT("warmer.before_zeros");
  Lsn from = 0;
  {
    const AppendGuard guard(state_, ring_, index_, slot_);
    // Under the lock the tail stands still: zeros go in above it or not at all.
    const Lsn tail = state_.marks.tail.load(std::memory_order_relaxed);
    prewritten_ = behind_birth(std::max(prewritten_, (tail + kAlignment) / kAlignment * kAlignment));
    if (prewritten_ >= first_lap_end_) return false;
    from = prewritten_;
    const std::uint64_t to_file_end = ring_.size() - from % ring_.size();
    std::vector<char> zeros(std::min({kStepBytes, first_lap_end_ - from, to_file_end}));
    iovec piece{zeros.data(), zeros.size()};
    if (!ring_.write(from, {&piece, 1})) {
      first_lap_end_ = from;  // a failing disk shows itself where it matters
      return false;
    }
    prewritten_ += zeros.size();
  }
  ring_.start_writeback(from, prewritten_);  // nothing below: records may be there
  return true;
}

bool RingWarmer::read_ahead() {
  const Lsn tail = state_.marks.tail.load(std::memory_order_acquire);
  if (read_to_ >= tail + kAheadBytes / 2) return false;
  read_to_ = std::max(read_to_, tail);
  ring_.read_ahead(read_to_, kAheadBytes);
  read_to_ += kAheadBytes;
  return true;
}

}  // namespace minivault::store
