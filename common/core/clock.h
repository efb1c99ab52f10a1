#pragma once

#include <cstdint>
#include <ctime>

namespace minivault {

/// Nanoseconds since an arbitrary start; never jumps. For time-outs and durations.
[[nodiscard]] inline std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

[[nodiscard]] inline std::uint64_t monotonic_ms() {
  return monotonic_ns() / 1'000'000U;
}

/// Milliseconds since 1970 by the machine's clock, which may jump. For versions and for people.
[[nodiscard]] inline std::uint64_t wall_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000U +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000U;
}

}  // namespace minivault
