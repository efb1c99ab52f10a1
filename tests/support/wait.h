#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

namespace minivault::test {

using std::chrono::milliseconds;

/// How long a test waits for what should happen at once: long enough for a loaded machine, never a cause to
/// pass.
inline constexpr milliseconds kPatience{20'000};

/// Looks again and again until `condition()` holds. Throws, naming `what`, when it still does not after
/// `limit`.
template <typename Condition>
void eventually(const std::string& what, Condition condition, milliseconds limit = kPatience) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) {
      throw std::runtime_error("not within " + std::to_string(limit.count()) + " ms: " + what);
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
}

}  // namespace minivault::test
