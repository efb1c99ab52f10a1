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

Accord accord_of(std::span<const Standing> members, bool is_new, std::size_t configured) {
  const auto has_come_in = [](const Standing& each) { return !each.is_old && !each.is_self; };
  const auto recorded = [](const Standing& each) { return each.is_self || each.recorded; };
  const std::size_t newcomers = count(members, has_come_in);
  const auto says_so = [](const Standing& each) { return each.recorded && each.agreed; };
  if (newcomers == 0 || count(members, says_so) > 0) return {.backs = true, .agreed = true};

  Accord accord;
  const auto listed = [&](const Standing& each) { return each.is_listed && recorded(each); };
  accord.backs = 2 * count(members, listed) > configured;

  const std::size_t old = count(members, [](const Standing& each) { return each.is_old; });
  const auto old_recorded = [&](const Standing& each) { return each.is_old && recorded(each); };
  const bool by_the_old = !is_new && 2 * count(members, old_recorded) > old;

  const auto backs = [&](const Standing& each) {
    return each.is_self ? accord.backs : each.recorded && each.backs;
  };
  const bool all_listed = count(members, has_come_in) == count(members, [&](const auto& each) {
                            return has_come_in(each) && each.is_listed;
                          });
  const std::size_t wanted = all_listed ? cluster::copies_needed(configured, members.size()) : members.size();
  const bool at_birth = (is_new || newcomers == 1) && count(members, backs) >= wanted;
  accord.agreed = by_the_old || at_birth;
  return accord;
}

}  // namespace minivault::replicator
