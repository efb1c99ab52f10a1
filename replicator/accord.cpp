#include "replicator/accord.h"

#include <algorithm>

#include "common/cluster/members.h"

namespace minivault::replicator {
namespace {

template <typename Condition>
std::size_t count(std::span<const Standing> members, Condition condition) {
  return static_cast<std::size_t>(std::count_if(members.begin(), members.end(), condition));
}

}  // namespace

Accord accord_of(std::span<const Standing> members, OldSet old_set, std::size_t configured) {
  const bool is_new = old_set == OldSet::kNone;
  const auto is_old = [](const Standing& each) { return each.is_old; };
  // This node itself has come in where it has another id than when it agreed.
  const auto has_come_in = [&](const Standing& each) { return !each.is_old && !(each.is_self && is_new); };
  const auto recorded = [](const Standing& each) { return each.is_self || each.recorded; };
  const auto says_so = [](const Standing& each) { return each.recorded && each.agreed; };
  const std::size_t newcomers = count(members, has_come_in);
  if (newcomers == 0 || count(members, says_so) > 0) return {.backs = true, .agreed = true};

  Accord accord;
  const auto listed = [&](const Standing& each) { return each.is_listed && recorded(each); };
  accord.backs = 2 * count(members, listed) > configured;

  const auto knows_later = [](const Standing& each) { return each.recorded && each.knows_later; };
  const auto old_recorded = [&](const Standing& each) { return each.is_old && recorded(each); };
  const bool by_the_old = !is_new && 2 * count(members, old_recorded) > count(members, is_old) &&
                          count(members, knows_later) == 0;

  const auto backs = [&](const Standing& each) {
    return each.is_self ? accord.backs : each.recorded && each.backs;
  };
  const bool all_listed = std::all_of(members.begin(), members.end(), [&](const Standing& each) {
    return each.is_listed || !has_come_in(each);
  });
  const std::size_t wanted = all_listed ? cluster::copies_needed(configured, members.size()) : members.size();
  const bool is_birth = is_new || (old_set == OldSet::kWhole && newcomers == 1);
  accord.agreed = by_the_old || (is_birth && count(members, backs) >= wanted);
  return accord;
}

}  // namespace minivault::replicator
