#include "common/cluster/reconcile.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace minivault::cluster {
namespace {

/// A range of so many keys is compared key by key; splitting it further would cost more than it saves.
constexpr std::uint64_t kFewKeys = 256;
constexpr std::uint64_t kSplitInto = 64;

/// The items of one page, kept beyond the call that brought it.
struct Kept {
  store::Version version;
  store::Operation operation;
  std::uint64_t value_hash;
};
using Items = std::map<std::string, Kept, std::less<>>;

class Reconciler {
 public:
  Reconciler(Side& first, Side& second, Reconciliation& task) : first_(first), second_(second), task_(task) {}

  Status compare(Side& cutter, const Span& span, std::uint64_t chunk);

 private:
  Status compare_page(Side& cutter, const RangesPage& here, const Span& span);
  Status settle(Side& cutter, const RangeSum& here, const Fingerprint& there, const std::string& end);
  Status settle_items(const Span& span);
  Status settle_page(const Items& here, const Items& there);
  Status move_all(Side& from, const Span& span);
  Status move(Side& from, const std::vector<std::string>& keys);
  Status push(Side& to, const std::vector<Record>& records);
  using Ghosts = std::vector<std::pair<std::string, store::Version>>;
  Status bury(Side& in, const Ghosts& ghosts);
  [[nodiscard]] Side& other(const Side& side) const { return &side == &first_ ? second_ : first_; }
  [[nodiscard]] std::uint64_t ghosts_up_to(const Side& side) const {
    return &side == &first_ ? task_.ghosts_of_first_up_to : task_.ghosts_of_second_up_to;
  }
  /// What one side has and the other has nothing of needs no look at each key: no ghosts come from that side.
  [[nodiscard]] bool moves_whole(const Side& from) const { return ghosts_up_to(from) == 0; }
  [[nodiscard]] bool is_ghost(const Side& side, const Kept& kept) const {
    return kept.operation == store::Operation::kSet && kept.version.hlc <= ghosts_up_to(side);
  }
  [[nodiscard]] bool may_go_on(std::string_view reached) const {
    return !task_.progress || task_.progress(task_.figures, reached);
  }

  Side& first_;
  Side& second_;
  Reconciliation& task_;
};

/// Cuts `span` on one side, page after page, and settles the ranges whose sums differ on the other.
Status Reconciler::compare(Side& cutter, const Span& span, std::uint64_t chunk) {
  Span left = span;
  do {
    if (!may_go_on(left.begin)) return fail(Code::kTimedOut, "the comparison was stopped");
    const Result<RangesPage> page = cutter.split({left, chunk});
    if (!page) return tl::unexpected(page.error());
    if (page->ranges.empty()) return fail(Code::kCorrupt, "a split without ranges");
    // All keys begin alike: compared key by key, however many.
    const bool uncut = page->ranges.size() == 1 && page->next.empty() && left.begin == span.begin;
    if (Status done = uncut && page->ranges.front().sum.count > chunk ? settle_items(left)
                                                                      : compare_page(cutter, *page, left);
        !done) {
      return done;
    }
    left.begin = page->next;
  } while (!left.begin.empty());
  return {};
}

Status Reconciler::compare_page(Side& cutter, const RangesPage& here, const Span& span) {
  const std::string& end = here.next.empty() ? span.end : here.next;
  SumsRequest request{span.cut_off_hlc, {}, end};
  for (const RangeSum& range : here.ranges) request.begins.push_back(range.begin);
  const Result<RangesPage> there = other(cutter).sums(request);
  if (!there) return tl::unexpected(there.error());
  if (there->ranges.size() != here.ranges.size()) return fail(Code::kCorrupt, "sums of other ranges");
  task_.figures.ranges_compared += here.ranges.size();
  for (std::size_t i = 0, next = 0; i < here.ranges.size(); i = next) {
    next = i + 1;
    if (here.ranges[i].sum == there->ranges[i].sum) continue;
    // In a row, ranges that the other has nothing of are moved as one: in whole pages, one behind the other.
    const auto is_missing = [&](std::size_t at) {
      return there->ranges[at].sum.count == 0 && moves_whole(cutter);
    };
    while (is_missing(i) && next < here.ranges.size() && is_missing(next)) ++next;
    task_.figures.ranges_different += next - i;
    const std::string& range_end = next < here.ranges.size() ? here.ranges[next].begin : end;
    if (Status done = settle(cutter, here.ranges[i], there->ranges[i].sum, range_end); !done) return done;
  }
  return {};
}

Status Reconciler::settle(Side& cutter, const RangeSum& here, const Fingerprint& there,
                          const std::string& end) {
  const Span span{task_.cut_off_hlc, here.begin, end};
  // Where one side has nothing there is nothing to compare.
  if (there.count == 0 && moves_whole(cutter)) return move_all(cutter, span);
  if (here.sum.count == 0 && moves_whole(other(cutter))) return move_all(other(cutter), span);
  const std::uint64_t most = std::max(here.sum.count, there.count);
  if (most <= kFewKeys) return settle_items(span);
  // In parts, but never in parts so small that their sums weigh as much as their keys.
  Side& larger = here.sum.count == most ? cutter : other(cutter);
  return compare(larger, span, std::max(kFewKeys / 2, most / kSplitInto));
}

Result<Items> all_items(Side& side, Span span) {
  Items items;
  do {
    const Result<ItemsPage> page = side.items(span);
    if (!page) return tl::unexpected(page.error());
    for (const Item& item : page->items) {
      items.emplace(item.key, Kept{item.version, item.operation, item.value_hash});
    }
    span.begin = page->next;
  } while (!span.begin.empty());
  return items;
}

/// In steps of one page of the first side, so that a range that could not be cut does not fill the memory.
Status Reconciler::settle_items(const Span& span) {
  Span left = span;
  do {
    const Result<ItemsPage> page = first_.items(left);
    if (!page) return tl::unexpected(page.error());
    Items here;
    for (const Item& item : page->items) {
      here.emplace(item.key, Kept{item.version, item.operation, item.value_hash});
    }
    const std::string next = page->next;
    const Result<Items> there =
        all_items(second_, {span.cut_off_hlc, left.begin, next.empty() ? span.end : next});
    if (!there) return tl::unexpected(there.error());
    if (Status settled = settle_page(here, *there); !settled) return settled;
    left.begin = next;
  } while (!left.begin.empty());
  return {};
}

Status Reconciler::settle_page(const Items& here, const Items& there) {
  std::vector<std::string> to_first;
  std::vector<std::string> to_second;
  Ghosts of_first;
  Ghosts of_second;
  for (const auto& [key, mine] : here) {
    const auto theirs = there.find(key);
    if (theirs == there.end()) {
      if (is_ghost(first_, mine)) {
        of_first.emplace_back(key, mine.version);
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
  for (const auto& [key, theirs] : there) {
    if (here.contains(key)) continue;
    if (is_ghost(second_, theirs)) {
      of_second.emplace_back(key, theirs.version);
    } else {
      to_first.push_back(key);
    }
  }
  if (Status buried = bury(first_, of_first); !buried) return buried;
  if (Status buried = bury(second_, of_second); !buried) return buried;
  if (Status moved = move(second_, to_first); !moved) return moved;
  return move(first_, to_second);
}

Status Reconciler::move_all(Side& from, const Span& span) {
  Span left = span;
  do {
    if (!may_go_on(left.begin)) return fail(Code::kTimedOut, "the comparison was stopped");
    const Result<RecordsPage> page = from.records(left);
    if (!page) return tl::unexpected(page.error());
    left.begin = page->next;
    if (!left.begin.empty()) from.look_ahead(left);
    if (Status pushed = push(other(from), page->records); !pushed) return pushed;
  } while (!left.begin.empty());
  return {};
}

Status Reconciler::move(Side& from, const std::vector<std::string>& keys) {
  std::vector<std::string> left = keys;
  while (!left.empty()) {
    const Result<RecordsPage> page = from.fetch(left);
    if (!page) return tl::unexpected(page.error());
    if (Status pushed = push(other(from), page->records); !pushed) return pushed;
    // `next` is the first key that did not fit into the page; what is gone meanwhile was left out.
    const auto rest = page->next.empty() ? left.end() : std::find(left.begin() + 1, left.end(), page->next);
    left.erase(left.begin(), rest);
  }
  return {};
}

Status Reconciler::push(Side& to, const std::vector<Record>& records) {
  if (records.empty()) return {};
  (&to == &first_ ? task_.figures.to_first : task_.figures.to_second) += records.size();
  return to.push(records);
}

/// A delete right above the ghost's version: no later than the floor, so nobody needs to keep it.
Status Reconciler::bury(Side& in, const Ghosts& ghosts) {
  if (ghosts.empty()) return {};
  std::vector<Record> deletes;
  deletes.reserve(ghosts.size());
  for (const auto& [key, version] : ghosts) {
    deletes.push_back({store::Operation::kDelete, 0, {version.hlc, ~std::uint64_t{0}}, key, {}});
  }
  task_.figures.ghosts += ghosts.size();
  return in.push(deletes);
}

}  // namespace

Status reconcile(Side& first, Side& second, std::uint64_t most_keys, Reconciliation& task) {
  Reconciler reconciler(first, second, task);
  const std::uint64_t chunk = std::max(kFewKeys, most_keys / kMostRanges);
  Status compared = reconciler.compare(first, {task.cut_off_hlc, "", ""}, chunk);
  for (Side* side : {&first, &second}) {
    if (compared) compared = side->settle();
  }
  return compared;
}

}  // namespace minivault::cluster
