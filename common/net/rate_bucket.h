#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace minivault::net {

/// A rate kept by all processes together in one shared word (the generic cell rate algorithm, as in ATM): the
/// word is the time at which the next operation would be due if all came evenly. An operation that is early
/// by no more than the burst is let through and moves the word on; otherwise it is refused and moves nothing.
/// A process that dies holds nothing. Any process, any thread.
class RateBucket {
 public:
  static constexpr std::uint64_t kSecondNs = 1'000'000'000;
  static constexpr std::uint64_t kBurstNs = kSecondNs / 10;

  /// `per_second` 0: no limit.
  RateBucket(std::atomic<std::uint64_t>& due_ns, std::uint64_t per_second)
      : due_ns_(&due_ns),
        step_ns_(per_second == 0 ? 0 : std::max<std::uint64_t>(1, kSecondNs / per_second)),
        // A burst of one operation must always fit, however low the rate.
        early_ns_(step_ns_ < kBurstNs ? kBurstNs - step_ns_ : 0) {}

  /// One operation in each `step_ns`, and `burst` of them at once.
  RateBucket(std::atomic<std::uint64_t>& due_ns, std::uint64_t step_ns, std::uint64_t burst)
      : due_ns_(&due_ns), step_ns_(step_ns), early_ns_(step_ns * (burst - 1)) {}

  [[nodiscard]] bool limited() const { return step_ns_ != 0; }

  /// Whether take() would succeed.
  [[nodiscard]] bool has_room(std::uint64_t now_ns) const {
    return due_ns_->load(std::memory_order_relaxed) <= now_ns + early_ns_;
  }

  /// May one operation happen at `now_ns` (monotonic, the same clock everywhere)?
  [[nodiscard]] bool take(std::uint64_t now_ns) const {
    std::uint64_t due = due_ns_->load(std::memory_order_relaxed);
    std::uint64_t next = 0;
    do {
      if (due > now_ns + early_ns_) return false;
      next = std::max(due, now_ns) + step_ns_;
    } while (!due_ns_->compare_exchange_weak(due, next, std::memory_order_relaxed));
    return true;
  }

  /// How long until take() can succeed, rounded up to whole seconds; at least 1.
  [[nodiscard]] std::uint64_t retry_after_seconds(std::uint64_t now_ns) const {
    const std::uint64_t due = due_ns_->load(std::memory_order_relaxed);
    const std::uint64_t wait = due > now_ns + early_ns_ ? due - now_ns - early_ns_ : 0;
    return std::max<std::uint64_t>(1, (wait + kSecondNs - 1) / kSecondNs);
  }

 private:
  std::atomic<std::uint64_t>* due_ns_;
  std::uint64_t step_ns_;
  std::uint64_t early_ns_;
};

}  // namespace minivault::net
