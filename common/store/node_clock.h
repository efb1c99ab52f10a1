#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/clock.h"
#include "common/core/log_format.h"
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

/// So far above what this node knows of the time another's clock is believed. HLC values merge upwards, so
/// one record takes every clock along; where the bound is a fixed time, one that lies just below it leaves
/// nobody a version that the others take. This one moves on by 65,536 values a ms, faster than anybody
/// stamps: a clock that was taken along up to it is below it again a moment later.
inline constexpr std::uint64_t kCenturyMs = 36'525ULL * 86'400'000;

[[nodiscard]] inline std::uint64_t largest_believable_hlc(const shared::AppendLock& append) {
  const bool knows = append.clock_offset.load(std::memory_order_relaxed) != 0;
  const std::uint64_t now = knows ? node_clock(append) : wall_ms() << kHlcCounterBits;
  return std::min(now + (kCenturyMs << kHlcCounterBits), kEndOfTime - 1);
}

/// For logs and errors: what a clock value says.
[[nodiscard]] inline std::string hlc_text(std::uint64_t hlc) {
  return timestamp(hlc >> kHlcCounterBits);
}

/// Why a value beyond largest_believable_hlc() is refused; `what` has it.
[[nodiscard]] inline std::string unbelievable_text(std::string_view what, std::uint64_t hlc) {
  return "the clock of " + std::string(what) + " says " + hlc_text(hlc) +
         ", more than a century above this node's";
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
