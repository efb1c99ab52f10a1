#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>

namespace minivault::store {

inline constexpr unsigned kHlcCounterBits = 16;

/// When and where a record was written: a hybrid logical clock value (48 bits of ms since 1970, 16 bits of
/// fraction and counter; Kulkarni et al., "Logical Physical Clocks", 2014) and the id of the node that
/// stamped it. Totally ordered; the larger version of a key wins on every node.
struct Version {
  std::uint64_t hlc = 0;
  std::uint64_t origin = 0;

  auto operator<=>(const Version&) const = default;
};

/// The end of the year 9999: beyond, it is no clock. Nothing is stamped from here on, and no record from here
/// on is taken.
inline constexpr std::uint64_t kEndOfTime = 253'402'300'800'000ULL << kHlcCounterBits;

/// The stable floor (shared::Limits) of a node without peers: no delete needs a tombstone there.
inline constexpr std::uint64_t kEverything = std::numeric_limits<std::uint64_t>::max();

/// Tombstones are purged once they lie this far below the floor: what was read before they went is no longer
/// on its way to anybody then.
inline constexpr std::uint64_t kTombstoneGrace = 10'000ULL << kHlcCounterBits;
/// Tombstones up to this need not be kept.
[[nodiscard]] constexpr std::uint64_t purge_up_to(std::uint64_t floor) {
  if (floor == kEverything) return floor;
  return floor > kTombstoneGrace ? floor - kTombstoneGrace : 0;
}

// No version is handed out twice, though a power cut takes records away and somebody sets the clock back:
// only HLC values below a ceiling are stamped that was durable before, and a start after a crash stamps above
// it. So the clock runs ahead by up to this after a crash; where it is ahead already, by far less, for
// crashes may come one after the other.
inline constexpr std::uint64_t kCeilingAboveClock = 8'000ULL << kHlcCounterBits;
inline constexpr std::uint64_t kCeilingAboveLast = 250ULL << kHlcCounterBits;

/// `clock_hlc`: the node's clock (node_clock.h); `last_hlc`: the largest value stamped or seen.
[[nodiscard]] constexpr std::uint64_t next_hlc_ceiling(std::uint64_t clock_hlc, std::uint64_t last_hlc) {
  return std::min(std::max(clock_hlc + kCeilingAboveClock, last_hlc + kCeilingAboveLast), kEndOfTime);
}
/// Half of what lies below the ceiling is used up.
[[nodiscard]] constexpr bool hlc_ceiling_is_due(std::uint64_t ceiling, std::uint64_t clock_hlc,
                                                std::uint64_t last_hlc) {
  const std::uint64_t half = std::max(clock_hlc + kCeilingAboveClock / 2, last_hlc + kCeilingAboveLast / 2);
  return ceiling < std::min(half, kEndOfTime);
}

}  // namespace minivault::store
