#pragma once

#include <cstdint>

#include "common/shared/cluster_board.h"
#include "common/shared/layout.h"

namespace minivault::replicator {

/// When a stream whose batches are refused is tried again. That somebody answers its hello says nothing of
/// that: only what it takes beyond all it took before does, or another start of the peer.
class StreamPatience {
 public:
  /// The peer holds everything up to `to`. True: it has never said so, and the back-off is over.
  [[nodiscard]] bool moved_on(shared::Lsn to) {
    if (to <= furthest_) return false;
    furthest_ = to;
    until_ms_ = 0;
    return true;
  }
  /// Something in it is more than this start of the peer will ever take; the ring forgets it some day.
  void too_large(std::uint64_t now_ms) { until_ms_ = now_ms + shared::kTooLargePauseMs; }
  /// The peer has started anew, or is another one.
  void begin() { *this = {}; }

  [[nodiscard]] std::uint64_t until_ms() const { return until_ms_; }
  /// What was too large is still in the way, as far as is known.
  [[nodiscard]] bool is_held_up() const { return until_ms_ != 0; }

 private:
  shared::Lsn furthest_ = 0;
  std::uint64_t until_ms_ = 0;
};

}  // namespace minivault::replicator
