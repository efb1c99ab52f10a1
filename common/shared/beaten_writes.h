#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace minivault::shared {

/// Writes on a condition that a peer found older than what it holds, before enough others had them: what is
/// newer there may have been acknowledged earlier, and the condition was judged without it. Nobody is told
/// that they are done. By where they end in the log; the replicator alone writes here, at first all is zero.
struct BeatenWrites {
  static constexpr unsigned kPlaces = 64;
  std::atomic<std::uint64_t> ends[kPlaces];
  /// The largest that had to give its place away: of writes on a condition that end at or below it nobody
  /// knows any more.
  std::atomic<std::uint64_t> forgotten;
};

/// Of a write on a condition. To be asked after ClusterBoard::quorum was read.
[[nodiscard]] inline bool is_beaten(const BeatenWrites& beaten, std::uint64_t end) {
  for (const std::atomic<std::uint64_t>& each : beaten.ends) {
    // Acquire: whoever finds another one in its place sees `forgotten`. Partner: note_beaten().
    if (each.load(std::memory_order_acquire) == end) return true;
  }
  return end <= beaten.forgotten.load(std::memory_order_relaxed);
}

/// To be called before ClusterBoard::quorum passes `end`. Takes the place of the lowest.
inline void note_beaten(BeatenWrites& beaten, std::uint64_t end) {
  if (is_beaten(beaten, end)) return;
  const auto is_lower = [](const std::atomic<std::uint64_t>& a, const std::atomic<std::uint64_t>& b) {
    return a.load(std::memory_order_relaxed) < b.load(std::memory_order_relaxed);
  };
  std::atomic<std::uint64_t>& lowest =
      *std::min_element(beaten.ends, beaten.ends + BeatenWrites::kPlaces, is_lower);
  const std::uint64_t given_away = lowest.load(std::memory_order_relaxed);
  if (given_away > beaten.forgotten.load(std::memory_order_relaxed)) {
    beaten.forgotten.store(given_away, std::memory_order_relaxed);
  }
  lowest.store(end, std::memory_order_release);  // partner: is_beaten()
}

}  // namespace minivault::shared
