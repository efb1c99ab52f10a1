#include "replicator/clock_choice.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace minivault::replicator {
namespace {

/// Clocks that are slewed move by less between two looks.
constexpr std::int64_t kNearUs = 500'000;

/// The middle two of all clocks, this machine's among them; twice the same where their number is odd.
std::pair<std::int64_t, std::int64_t> middle_of(const Clocks& clocks) {
  std::vector<std::int64_t> all = clocks.peers_us;
  all.push_back(clocks.wall_us);
  std::sort(all.begin(), all.end());
  return {all[(all.size() - 1) / 2], all[all.size() / 2]};
}

}  // namespace

std::optional<std::int64_t> choose_clock(const Clocks& clocks) {
  if (clocks.peers_us.size() < clocks.needed) return std::nullopt;
  const auto [low, high] = middle_of(clocks);
  if (high - low > clocks.allowed_us) return clocks.stamped_us ? std::nullopt : std::optional(low);
  const bool usual = clocks.wall_us >= low - clocks.allowed_us && clocks.wall_us <= high + clocks.allowed_us;
  return usual ? clocks.wall_us : low + (high - low) / 2;
}

std::optional<std::int64_t> SteadyChoice::take(const Clocks& clocks, std::uint64_t now_ms) {
  const std::optional<std::int64_t> chosen = choose_clock(clocks);
  const auto near = [&](const std::optional<std::int64_t>& other) {
    return chosen && other && std::abs(*chosen - *other) <= kNearUs;
  };
  if (!chosen || !clocks.stamped_us || near(clocks.stamped_us)) {
    candidate_us_.reset();
    return chosen;
  }
  if (!near(candidate_us_)) {
    candidate_us_ = chosen;
    since_ms_ = now_ms;
  }
  return now_ms < since_ms_ + kStaysMs ? std::nullopt : chosen;
}

std::int64_t median_offset(const Clocks& clocks) {
  const auto [low, high] = middle_of(clocks);
  return low + (high - low) / 2 - clocks.wall_us;
}

}  // namespace minivault::replicator
