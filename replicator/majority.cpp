#include "replicator/majority.h"

#include <xxhash.h>

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

bool is_filled(const Filling& filling) {
  if (filling.sources >= sources_needed(filling.members, filling.has_lost)) return true;
  std::size_t held = 1;
  bool any_complete = false;
  for (const Source& other : filling.others) {
    any_complete = any_complete || other.is_complete;
    if (other.is_streaming && other.gave_all) ++held;
  }
  if (held <= filling.needed) return false;
  if (any_complete) return held == filling.members;
  return held == filling.others.size() + 1 || filling.has_waited;
}

namespace {

cluster::Position position_in(std::span<const cluster::Held> held, cluster::NodeId origin) {
  const auto found = std::find_if(held.begin(), held.end(),
                                  [origin](const cluster::Held& each) { return each.origin == origin; });
  return found == held.end() ? cluster::Position{} : found->position;
}

}  // namespace

std::uint64_t fingerprint_of(std::span<const Holdings> present, std::span<const cluster::NodeId> absent) {
  if (absent.empty()) return 0;
  std::vector<const Holdings*> by_id;
  for (const Holdings& one : present) by_id.push_back(&one);
  std::sort(by_id.begin(), by_id.end(),
            [](const Holdings* a, const Holdings* b) { return a->member < b->member; });
  std::vector<cluster::NodeId> origins(absent.begin(), absent.end());
  std::sort(origins.begin(), origins.end());
  std::vector<std::uint64_t> words = origins;
  for (const Holdings* one : by_id) {
    words.push_back(one->member);
    for (const cluster::NodeId origin : origins) {
      const cluster::Position position = position_in(one->held, origin);
      words.insert(words.end(), {position.epoch, position.lsn});
    }
  }
  return XXH3_64bits(words.data(), words.size() * sizeof words[0]) | 1U;
}

std::uint64_t stable_floor(std::span<const Holdings> present, std::span<const cluster::NodeId> absent) {
  if (present.empty()) return 0;
  const std::uint64_t fingerprint = fingerprint_of(present, absent);
  const bool settled = std::all_of(present.begin(), present.end(), [fingerprint](const Holdings& one) {
    return one.settled.fingerprint == fingerprint;
  });
  std::uint64_t floor = std::numeric_limits<std::uint64_t>::max();
  for (const Holdings& one : present) {
    for (const Holdings& origin : present) {
      floor = std::min(floor, position_in(one.held, origin.member).hlc);
    }
    for (const cluster::NodeId origin : absent) {
      floor = std::min(floor, settled ? one.settled.hlc : position_in(one.held, origin).hlc);
    }
  }
  return floor;
}

std::uint64_t lead(std::span<const cluster::Held> own, std::span<const cluster::Held> peers,
                   cluster::NodeId origin, const store::Version& debt) {
  const cluster::Position ours = position_in(own, origin);
  const cluster::Position theirs = position_in(peers, origin);
  if (debt != store::Version()) {
    const std::uint64_t words[] = {debt.hlc, theirs.epoch, theirs.lsn, theirs.hlc};
    return XXH3_64bits(words, sizeof words) | 1U;
  }
  if (theirs.epoch == 0) return 0;
  // Only the origin knows which of two epochs is the later one.
  const bool ahead = theirs.epoch == ours.epoch ? theirs.lsn > ours.lsn : theirs.hlc >= ours.hlc;
  return ahead ? (theirs.epoch ^ theirs.lsn) | 1U : 0;
}

}  // namespace minivault::replicator
