#pragma once

#include <cstdint>

#include "common/shared/layout.h"

namespace minivault::store {

/// The machine's clock as this node stamps by it: where it is too far from the other members' (-max-drift),
/// as they have it.
[[nodiscard]] inline std::uint64_t corrected(std::uint64_t wall_hlc, const shared::AppendLock& append) {
  return wall_hlc + static_cast<std::uint64_t>(append.clock_correction.load(std::memory_order_relaxed));
}

}  // namespace minivault::store
