#include "replicator/absences.h"

#include <algorithm>

namespace minivault::replicator {
namespace {

constexpr std::uint64_t kLongestLookMs = 1'000;

}  // namespace

void Absences::pass(std::uint64_t passed_ms, bool has_majority, std::span<const Sign> members) {
  if (!has_majority) return;
  std::erase_if(away_, [&](const auto& each) {
    return std::none_of(members.begin(), members.end(),
                        [&](const Sign& sign) { return sign.member == each.first; });
  });
  for (const Sign& sign : members) {
    const auto [before, first] = seen_afar_.try_emplace(sign.member, sign.seen_afar);
    const bool moved = !first && before->second != sign.seen_afar;
    before->second = sign.seen_afar;
    if (sign.heard || moved) {
      away_.erase(sign.member);
    } else {
      away_[sign.member] += std::min(passed_ms, kLongestLookMs);
    }
  }
}

std::uint64_t Absences::away_ms(cluster::NodeId member) const {
  const auto found = away_.find(member);
  return found == away_.end() ? 0 : found->second;
}

bool Absences::is_away(cluster::NodeId member) const {
  return away_.contains(member) && away_ms(member) >= ttl_ms_;
}

bool Absences::note_says_too_much() const {
  return std::any_of(noted_.begin(), noted_.end(),
                     [this](const auto& each) { return each.second > away_ms(each.first); });
}

}  // namespace minivault::replicator
