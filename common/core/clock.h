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

/// Milliseconds since 1970 by the machine's clock, which may jump. For people, and for the other nodes.
[[nodiscard]] inline std::uint64_t wall_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000U +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000U;
}

/// Microseconds since the machine was started: runs at the rate of the wall clock, through a suspend too, and
/// is never set.
[[nodiscard]] inline std::int64_t boot_us() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

/// The same as the 64 bits of a hybrid logical clock: milliseconds, and 16 bits of fraction, so that what
/// different nodes write within one millisecond is still ordered as far as their clocks agree.
[[nodiscard]] inline std::uint64_t boot_hlc() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  constexpr std::uint64_t kNsAMs = 1'000'000;
  const auto ns = static_cast<std::uint64_t>(now.tv_nsec);
  const std::uint64_t ms = static_cast<std::uint64_t>(now.tv_sec) * 1'000U + ns / kNsAMs;
  return ms << 16U | (ns % kNsAMs << 16U) / kNsAMs;
}

/// What the wall clock is ahead of boot_us(): changes only when somebody sets it, a time service that slews
/// it does not.
[[nodiscard]] inline std::int64_t wall_minus_boot_us() {
  constexpr std::int64_t kAtOnceUs = 20;
  std::int64_t best = 0;
  std::int64_t shortest = -1;
  for (int i = 0; i < 5 && (shortest < 0 || shortest > kAtOnceUs); ++i) {
    const std::int64_t before = boot_us();
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const std::int64_t took = boot_us() - before;
    if (shortest >= 0 && took >= shortest) continue;
    shortest = took;
    best = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000 - before - took / 2;
  }
  return best;
}

}  // namespace minivault
