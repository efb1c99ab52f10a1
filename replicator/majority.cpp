#include "replicator/majority.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "common/core/assert.h"

namespace minivault::replicator {

cluster::Lsn quorum_of(std::vector<cluster::Lsn> acked, std::size_t needed) {
  MV_ASSERT(needed > 0);
  if (acked.size() < needed) return 0;
  const auto place = acked.begin() + static_cast<std::ptrdiff_t>(needed - 1);
  std::nth_element(acked.begin(), place, acked.end(), std::greater<>());
  return *place;
}

std::uint64_t stable_floor(std::span<const Holdings> all) {
  std::uint64_t floor = std::numeric_limits<std::uint64_t>::max();
  for (const Holdings& one : all) {
    for (const Holdings& origin : all) {
      const auto held = std::find_if(one.held.begin(), one.held.end(),
                                     [&](const cluster::Held& each) { return each.origin == origin.member; });
      if (held == one.held.end()) return 0;
      floor = std::min(floor, held->position.hlc);
    }
  }
  return all.empty() ? 0 : floor;
}

std::uint64_t lead(std::span<const cluster::Held> own, std::span<const cluster::Held> peers,
                   cluster::NodeId origin) {
  const auto position_in = [origin](std::span<const cluster::Held> held) {
    const auto found = std::find_if(held.begin(), held.end(),
                                    [origin](const cluster::Held& each) { return each.origin == origin; });
    return found == held.end() ? cluster::Position{} : found->position;
  };
  const cluster::Position ours = position_in(own);
  const cluster::Position theirs = position_in(peers);
  if (theirs.epoch == 0) return 0;
  // Only the origin knows which of two epochs is the later one.
  const bool ahead = theirs.epoch == ours.epoch ? theirs.lsn > ours.lsn : theirs.hlc >= ours.hlc;
  return ahead ? (theirs.epoch ^ theirs.lsn) | 1U : 0;
}

std::int64_t median_offset(std::vector<std::int64_t> peers) {
  peers.push_back(0);
  std::sort(peers.begin(), peers.end());
  const std::size_t middle = peers.size() / 2;
  if (peers.size() % 2 == 1) return peers[middle];
  return peers[middle - 1] + (peers[middle] - peers[middle - 1]) / 2;
}

}  // namespace minivault::replicator
