#pragma once

#include <cstdint>

namespace minivault::supervisor {

/// How fast what died is started again. Times in milliseconds of monotonic_ms().
struct RestartPolicy {
  std::uint64_t first_delay_ms;  ///< before the second start in a row; the first is at once
  std::uint64_t longest_delay_ms;
  std::uint64_t good_life_ms;  ///< who lived this long is not in a row with those before
};

/// When one place (`worker 3`) may be filled again. Knows no clock: the caller says what time it is.
class Backoff {
 public:
  explicit Backoff(const RestartPolicy& policy) : policy_(policy) {}

  /// Somebody who lived from `born_ms` to `now_ms` died without being asked to.
  void died(std::uint64_t born_ms, std::uint64_t now_ms);
  [[nodiscard]] std::uint64_t due_ms() const { return due_ms_; }

 private:
  RestartPolicy policy_;
  std::uint64_t next_delay_ms_ = 0;
  std::uint64_t due_ms_ = 0;
};

}  // namespace minivault::supervisor
