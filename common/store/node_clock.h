#pragma once

#include <cstdint>

#include "common/core/clock.h"
#include "common/shared/layout.h"
#include "common/store/version.h"

/// The clock that this node stamps by: the time since the machine was started, which nobody sets, and an
/// offset in shared memory. The wall clock is believed where that offset is chosen, never where a record is
/// stamped: HLC values merge upwards on every node and never go back, so one record stamped by a clock that
/// is an hour ahead would take the whole cluster along. Until the offset was chosen it is 0: a start knows no
/// time but that of the largest value that it had seen, and its notes count on from there.
namespace minivault::store {

/// Microseconds as a difference of HLC values.
[[nodiscard]] constexpr std::int64_t hlc_of_us(std::int64_t us) {
  constexpr std::int64_t kUsAMs = 1'000;
  constexpr std::int64_t kOneMs = std::int64_t{1} << kHlcCounterBits;
  return us / kUsAMs * kOneMs + us % kUsAMs * kOneMs / kUsAMs;
}

[[nodiscard]] constexpr std::int64_t us_of_hlc(std::int64_t hlc) {
  constexpr std::int64_t kUsAMs = 1'000;
  constexpr std::int64_t kOneMs = std::int64_t{1} << kHlcCounterBits;
  return hlc / kOneMs * kUsAMs + hlc % kOneMs * kUsAMs / kOneMs;
}

[[nodiscard]] inline std::uint64_t node_clock(const shared::AppendLock& append) {
  return boot_hlc() + static_cast<std::uint64_t>(append.clock_offset.load(std::memory_order_relaxed));
}

/// Nobody has said what time it is, and this node may have told others of a later one in an earlier life: a
/// directory put back from an older copy would count on from values below that, and below the stable floor
/// that they made of it: what a client writes then would be a ghost. So it waits. With -async it waits at a
/// node that was born at this start, too: nobody else stamps anew what is acknowledged at once.
[[nodiscard]] inline bool awaits_clock(const shared::State& state) {
  return state.limits.clock_first.load(std::memory_order_relaxed) != 0 &&
         state.append.clock_offset.load(std::memory_order_acquire) == 0;
}

}  // namespace minivault::store
