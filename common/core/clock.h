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

/// The same as the 64 bits of a hybrid logical clock: milliseconds, and 16 bits of fraction, so that what
/// different nodes write within one millisecond is still ordered as far as their clocks agree.
[[nodiscard]] inline std::uint64_t wall_hlc() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  constexpr std::uint64_t kNsAMs = 1'000'000;
  const auto ns = static_cast<std::uint64_t>(now.tv_nsec);
  const std::uint64_t ms = static_cast<std::uint64_t>(now.tv_sec) * 1'000U + ns / kNsAMs;
  return ms << 16U | (ns % kNsAMs << 16U) / kNsAMs;
}

}  // namespace minivault
