#include "common/cluster/exchange.h"

#include <algorithm>

namespace minivault::cluster {
Items items_of(const ItemsPage& page) {
  Items items;
  for (const Item& item : page.items) {
    items.emplace(item.key, Kept{item.version, item.operation, item.value_hash});
  }
  return items;
}

Status Exchange::may_go_on(std::string_view reached) const {
  if (!task_.progress || task_.progress(task_.figures, reached)) return {};
  return fail(Code::kTimedOut, "the comparison was stopped");
}

Status Exchange::settle(const Items& of_first, const Items& of_second) {
  std::vector<std::string> to_first;
  std::vector<std::string> to_second;
  Ghosts in_first;
  Ghosts in_second;
  for (const auto& [key, mine] : of_first) {
    const auto theirs = of_second.find(key);
    if (theirs == of_second.end()) {
      if (is_ghost(first_, mine)) {
        in_first.emplace_back(key, mine.version);
      } else {
        to_second.push_back(key);
      }
    } else if (theirs->second.version < mine.version) {
      to_second.push_back(key);
    } else if (mine.version < theirs->second.version) {
      to_first.push_back(key);
    } else if (mine.value_hash != theirs->second.value_hash) {
      ++task_.figures.contradictions;
      to_first.push_back(key);
      to_second.push_back(key);
    }
  }
  for (const auto& [key, theirs] : of_second) {
    if (of_first.contains(key)) continue;
    if (is_ghost(second_, theirs)) {
      in_second.emplace_back(key, theirs.version);
    } else {
      to_first.push_back(key);
    }
  }
  if (Status buried = bury(first_, in_first); !buried) return buried;
  if (Status buried = bury(second_, in_second); !buried) return buried;
  if (Status moved = move(second_, std::move(to_first)); !moved) return moved;
  return move(first_, std::move(to_second));
}

Status Exchange::move_all(Side& from, PageRequest left) {
  do {
    if (Status on = may_go_on(left.from); !on) return on;
    const Result<RecordsPage> page = from.records(left);
    if (!page) return tl::unexpected(page.error());
    if (!leads_on(left, page->next)) return fail(Code::kCorrupt, "a page that leads nowhere");
    left.from = page->next;
    if (!left.from.empty()) from.look_ahead(left);
    if (Status pushed = push(other(from), page->records); !pushed) return pushed;
    task_.figures.keys += page->records.size();
  } while (!left.from.empty());
  return {};
}

Status Exchange::move(Side& from, std::vector<std::string> keys) {
  while (!keys.empty()) {
    const Result<RecordsPage> page = from.fetch(keys);
    if (!page) return tl::unexpected(page.error());
    if (Status pushed = push(other(from), page->records); !pushed) return pushed;
    // `next` is the first key that did not fit into the page; what is gone meanwhile was left out.
    const auto rest = page->next.empty() ? keys.end() : std::find(keys.begin() + 1, keys.end(), page->next);
    keys.erase(keys.begin(), rest);
  }
  return {};
}

Status Exchange::push(Side& to, const std::vector<Record>& records) {
  if (records.empty()) return {};
  (&to == &first_ ? task_.figures.to_first : task_.figures.to_second) += records.size();
  if (Status pushed = to.push(records); !pushed) return pushed;
  return bury(other(to), to.take_refused());
}

/// What is known to be refused only now is deleted now: that is refused by nobody.
Status Exchange::finish() {
  for (Side* side : {&first_, &second_}) {
    if (Status settled = side->settle(); !settled) return settled;
  }
  for (Side* side : {&first_, &second_}) {
    Side& bringer = other(*side);
    if (Status buried = bury(bringer, side->take_refused()); !buried) return buried;
    if (Status settled = bringer.settle(); !settled) return settled;
  }
  return {};
}

/// A delete right above the ghost's version: no later than the floor, so nobody needs to keep it. A page of
/// them a push: those of several pages may have come together.
Status Exchange::bury(Side& in, const Ghosts& ghosts) {
  constexpr std::size_t kMostAroundKey = 32;
  static_assert(kMostKeys <= kMostRecords && 2 * kPageBytes + kMostKeys * kMostAroundKey <= kMostBytesOfMany,
                "a delete for each item of a page is what a push may have");
  task_.figures.ghosts += ghosts.size();
  std::vector<Record> deletes;
  std::size_t bytes = 0;
  for (const auto& [key, version] : ghosts) {
    deletes.push_back({store::Operation::kDelete, 0, {version.hlc, ~std::uint64_t{0}}, key, {}});
    bytes += key.size();
    if (deletes.size() < kMostKeys && bytes < kPageBytes) continue;
    if (Status pushed = in.push(deletes); !pushed) return pushed;
    deletes.clear();
    bytes = 0;
  }
  return deletes.empty() ? Status() : in.push(deletes);
}

}  // namespace minivault::cluster
