#include "common/store/ring_warmer.h"

#include <algorithm>
#include <vector>

#include "common/core/fault_point.h"
#include "common/store/append_lock.h"

namespace minivault::store {
namespace {

constexpr std::uint64_t kStepBytes = 1ULL << 20;
constexpr std::uint64_t kFirstStart = 2;  // starts count in twos
constexpr std::uint64_t kAheadBytes = 16ULL << 20;

}  // namespace

RingWarmer::RingWarmer(shared::State& state, Ring& ring, const Index& index, unsigned slot)
    : state_(state), ring_(ring), index_(index), slot_(slot) {
  const RingHeader& header = ring.header();
  const Lsn born = header.first_lsn;
  // LSNs leap a whole ring at an unclean stop, so only a ring's first start is known to be on its first lap.
  // Zeros must never meet what the ring still holds: from `born` to the end of the file, no further.
  first_lap_end_ = header.starts <= kFirstStart ? born + ring.size() - born % ring.size() : born;
  prewritten_ = std::min(first_lap_end_, born - born % ring.size() + Ring::kPrewrittenAtBirth);
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
    prewritten_ = std::max(prewritten_, (tail + kAlignment) / kAlignment * kAlignment);
    if (prewritten_ >= first_lap_end_) return false;
    from = prewritten_;
    std::vector<char> zeros(std::min(kStepBytes, first_lap_end_ - from));
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
