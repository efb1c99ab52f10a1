#pragma once

#include <atomic>
#include <cstdint>
#include <span>

namespace minivault::store {

/// Touches the pages of the index once, from a start on, a megabyte a step. Keys are spread over all of it,
/// so the first writes after a start would each pay for a page of zeros: some microseconds, with every other
/// writer waiting for the lock. Only speed depends on it. Checkpointer only.
class IndexWarmer {
 public:
  explicit IndexWarmer(std::span<std::atomic<std::uint64_t>> words) : left_(words) {}

  /// Does one step, which changes no word. False: all is done.
  [[nodiscard]] bool step();

 private:
  std::span<std::atomic<std::uint64_t>> left_;
};

}  // namespace minivault::store
