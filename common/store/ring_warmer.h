#pragma once

#include "common/shared/region.h"
#include "common/store/index.h"
#include "common/store/ring.h"

namespace minivault::store {

/// Prepares the stretch of the ring that the tail will reach next, a megabyte at a time: a ring on its first
/// lap is written with zeros (half the cost of a later append, and no metadata for its sync to journal), an
/// older one is read ahead (an unaligned write into a page that is not in memory reads it first). Only speed
/// depends on it. Checkpointer only.
class RingWarmer {
 public:
  RingWarmer(shared::State& state, Ring& ring, const Index& index, unsigned slot);

  /// Does one step. False: nothing to do for now.
  [[nodiscard]] bool step();

 private:
  [[nodiscard]] bool prewrite();
  [[nodiscard]] Lsn behind_birth(Lsn at) const;
  [[nodiscard]] bool read_ahead();

  shared::State& state_;
  Ring& ring_;
  const Index& index_;
  unsigned slot_;
  Lsn first_lap_end_;  ///< where zeros end
  Lsn prewritten_;     ///< zeros up to here
  Lsn read_to_ = 0;
};

}  // namespace minivault::store
