#include "common/store/pace.h"

#include <algorithm>

namespace minivault::store {

std::uint64_t pause_ns(const shared::Drain& drain, std::uint64_t ring_bytes, std::uint64_t backlog,
                       std::uint64_t bytes) {
  const std::uint64_t most = most_backlog(ring_bytes);
  const std::uint64_t left = drain.left.load(std::memory_order_relaxed);
  const bool is_burst = drain.in_a_row.load(std::memory_order_relaxed) == 0;
  if (backlog < most && (left == 0 || (is_burst && backlog < burst_bytes(ring_bytes)))) return 0;
  const double room = backlog < most ? static_cast<double>(most - backlog) / static_cast<double>(left) : 0;
  const std::uint64_t rate = drain.bytes_per_s.load(std::memory_order_relaxed);
  const double allowed_per_s = static_cast<double>(std::max<std::uint64_t>(rate, 1)) * std::max(room, kLeast);
  const double pause = static_cast<double>(bytes) * 1e9 / allowed_per_s;
  return static_cast<std::uint64_t>(std::min(pause, static_cast<double>(kLongestPauseNs)));
}

}  // namespace minivault::store
