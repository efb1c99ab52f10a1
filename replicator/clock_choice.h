#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace minivault::replicator {

/// What a node knows of the clocks, each as what it is ahead of this machine's boot_us(), which nobody sets.
struct Clocks {
  std::int64_t wall_us = 0;                ///< this machine's wall clock
  std::optional<std::int64_t> stamped_us;  ///< by what it stamps, where that was chosen here before
  std::vector<std::int64_t> peers_us;      ///< the wall clocks of the members that are there
  std::size_t needed = 0;                  ///< so many of them and this node are a majority of the members
  std::int64_t allowed_us = 0;             ///< -max-drift
};

/// By what a node stamps from now on; none: as before, for nothing is known. Its wall clock, where that is
/// within -max-drift of the members' median, and else the median. Where half of those that are there are
/// farther than that from the other half nobody knows who is right: then as before, and if there is no before
/// as the slower half does, for what is stamped too late takes nobody along.
///
/// Clocks of fewer than a majority are no reason to change anything: nothing that is stamped meanwhile is
/// acknowledged either.
[[nodiscard]] std::optional<std::int64_t> choose_clock(const Clocks& clocks);

/// Takes a choice only once it has stayed: right after a clock was set, and more so after several were, some
/// of what is known of the others is from before.
class SteadyChoice {
 public:
  /// Pulses tell the clocks five times a second.
  static constexpr std::uint64_t kStaysMs = 1'000;

  /// The choice of this look, if it is the first of all, hardly another than before, or one that has stayed.
  [[nodiscard]] std::optional<std::int64_t> take(const Clocks& clocks, std::uint64_t now_ms);

 private:
  std::optional<std::int64_t> candidate_us_;
  std::uint64_t since_ms_ = 0;
};

/// The members' median minus the wall clock; the mean of the middle two.
[[nodiscard]] std::int64_t median_offset(const Clocks& clocks);

}  // namespace minivault::replicator
