#include "common/cluster/reconcile.h"

#include <algorithm>
#include <utility>

#include "common/cluster/exchange.h"

namespace minivault::cluster {
namespace {

/// A range of so many keys is compared key by key; splitting it further would cost more than it saves.
constexpr std::uint64_t kFewKeys = 256;
constexpr std::uint64_t kSplitInto = 64;
/// Of nodes that mean well ten splits within each other are enough for any number of keys.
constexpr unsigned kDeepest = 64;

/// Of two ends of ranges, either empty where it is that of all keys.
const std::string& earlier(const std::string& one, const std::string& other) {
  if (one.empty() || other.empty()) return one.empty() ? other : one;
  return std::min(one, other);
}

/// What a side has answered to a split is in order, and leads on.
bool is_cut(const RangesPage& page, const Span& span) {
  if (page.ranges.empty() || page.ranges.front().begin != span.begin) return false;
  const std::string& end = page.next.empty() ? span.end : page.next;
  for (std::size_t i = 1; i < page.ranges.size(); ++i) {
    if (page.ranges[i].begin <= page.ranges[i - 1].begin) return false;
  }
  return end.empty() || page.ranges.back().begin < end;
}

/// How many either has.
std::uint64_t keys_of(const Items& here, const Items& there) {
  const auto only_there = std::count_if(there.begin(), there.end(),
                                        [&here](const auto& each) { return !here.contains(each.first); });
  return here.size() + static_cast<std::uint64_t>(only_there);
}

class Reconciler {
 public:
  Reconciler(Side& first, Side& second, Reconciliation& task)
      : first_(first), second_(second), task_(task), exchange_(first, second, task) {}

  Status compare(Side& cutter, const Span& span, std::uint64_t chunk);

 private:
  Status compare_cut(Side& cutter, const Span& span, std::uint64_t chunk);
  /// All that a side has from the beginning of a span to `end`; empty: all of the span.
  struct Excerpt {
    Items items;
    std::string end;
  };

  Status compare_page(Side& cutter, const RangesPage& here, const Span& span, bool uncut);
  Status settle(Side& cutter, const RangeSum& here, const Fingerprint& there, const std::string& end,
                bool uncut);
  Status settle_items(const Span& span);
  [[nodiscard]] static Result<Excerpt> excerpt(Side& side, const Span& span);
  Status settle_crowd(const Span& span);
  Status move_buckets(Side& from, const Span& span, Buckets& left,
                      const std::vector<Fingerprint>& sums_of_other);
  Status settle_told(Side& teller, PageRequest left);
  [[nodiscard]] static Result<Items> lookup(Side& side, const Span& span, const Items& keys);

  Side& first_;
  Side& second_;
  Reconciliation& task_;
  Exchange exchange_;
  unsigned depth_ = 0;  ///< splits within each other
};

/// Cuts `span` on one side, page after page, and settles the ranges whose sums differ on the other.
Status Reconciler::compare(Side& cutter, const Span& span, std::uint64_t chunk) {
  if (depth_ == kDeepest) return fail(Code::kCorrupt, "ranges that become no smaller");
  ++depth_;
  Status compared = compare_cut(cutter, span, chunk);
  --depth_;
  return compared;
}

Status Reconciler::compare_cut(Side& cutter, const Span& span, std::uint64_t chunk) {
  Span left = span;
  do {
    if (Status on = exchange_.may_go_on(left.begin); !on) return on;
    const Result<RangesPage> page = cutter.split({left, chunk});
    if (!page) return tl::unexpected(page.error());
    if (!is_cut(*page, left)) return fail(Code::kCorrupt, "a split that is none");
    // More than a range was to have, and all in one: a crowd, or nearly.
    const bool uncut = page->ranges.size() == 1 && page->next.empty() && left.begin == span.begin &&
                       page->ranges.front().sum.count > chunk;
    if (Status done = compare_page(cutter, *page, left, uncut); !done) return done;
    left.begin = page->next;
  } while (!left.begin.empty());
  return {};
}

Status Reconciler::compare_page(Side& cutter, const RangesPage& here, const Span& span, bool uncut) {
  const std::string& end = here.next.empty() ? span.end : here.next;
  SumsRequest request{span.cut_off_hlc, {}, end};
  for (const RangeSum& range : here.ranges) request.begins.push_back(range.begin);
  const Result<RangesPage> there = exchange_.other(cutter).sums(request);
  if (!there) return tl::unexpected(there.error());
  if (there->ranges.size() != here.ranges.size()) return fail(Code::kCorrupt, "sums of other ranges");
  task_.figures.ranges_compared += here.ranges.size();
  for (std::size_t i = 0, next = 0; i < here.ranges.size(); i = next) {
    next = i + 1;
    if (here.ranges[i].sum == there->ranges[i].sum) {
      task_.figures.keys += here.ranges[i].sum.count;
      continue;
    }
    // In a row, ranges that the other has nothing of are moved as one: in whole pages, one behind the other.
    const auto is_missing = [&](std::size_t at) {
      return there->ranges[at].sum.count == 0 && exchange_.moves_whole(cutter);
    };
    while (is_missing(i) && next < here.ranges.size() && is_missing(next)) ++next;
    task_.figures.ranges_different += next - i;
    const std::string& range_end = next < here.ranges.size() ? here.ranges[next].begin : end;
    if (Status done = settle(cutter, here.ranges[i], there->ranges[i].sum, range_end, uncut); !done)
      return done;
  }
  return {};
}

Status Reconciler::settle(Side& cutter, const RangeSum& here, const Fingerprint& there,
                          const std::string& end, bool uncut) {
  const Span span{task_.cut_off_hlc, here.begin, end};
  // Where one side has nothing there is nothing to compare.
  if (there.count == 0 && exchange_.moves_whole(cutter)) return exchange_.move_all(cutter, {span, {}});
  if (here.sum.count == 0 && exchange_.moves_whole(exchange_.other(cutter)))
    return exchange_.move_all(exchange_.other(cutter), {span, {}});
  const std::uint64_t most = std::max(here.sum.count, there.count);
  if (most <= kFewKeys || uncut) return settle_items(span);
  // In parts, but never in parts so small that their sums weigh as much as their keys.
  Side& larger = here.sum.count == most ? cutter : exchange_.other(cutter);
  return compare(larger, span, std::max(kFewKeys / 2, most / kSplitInto));
}

/// In steps of a page of each side at most, so that keys of any length do not fill the memory, up to where a
/// crowd is more than that.
Status Reconciler::settle_items(const Span& span) {
  Span left = span;
  do {
    if (Status on = exchange_.may_go_on(left.begin); !on) return on;
    Result<Excerpt> here = excerpt(first_, left);
    if (!here) return tl::unexpected(here.error());
    Result<Excerpt> there = excerpt(second_, left);
    if (!there) return tl::unexpected(there.error());
    const std::string end = earlier(here->end, there->end);
    if (!end.empty() && end <= left.begin) return settle_crowd(left);
    for (Items* items : {&here->items, &there->items}) {
      if (!end.empty()) items->erase(items->lower_bound(end), items->end());
    }
    if (Status settled = exchange_.settle(here->items, there->items); !settled) return settled;
    task_.figures.keys += keys_of(here->items, there->items);
    left.begin = end;
  } while (!left.begin.empty() && left.begin != span.end);
  return {};
}

Result<Reconciler::Excerpt> Reconciler::excerpt(Side& side, const Span& span) {
  const Result<ItemsPage> page = side.items(span);
  if (!page) return tl::unexpected(page.error());
  return Excerpt{items_of(*page), page->next};
}

/// The sides tell of the same keys in different orders, and many: so each is asked for what the other has
/// told, in those buckets alone where something differs.
Status Reconciler::settle_crowd(const Span& span) {
  const auto here = first_.bucket_sums(span);
  if (!here) return tl::unexpected(here.error());
  const auto there = second_.bucket_sums(span);
  if (!there) return tl::unexpected(there.error());
  Buckets buckets = differing(*here, *there);
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (!buckets.test(i)) task_.figures.keys += (*here)[i].count;
  }
  if (Status moved = move_buckets(first_, span, buckets, *there); !moved) return moved;
  if (Status moved = move_buckets(second_, span, buckets, *here); !moved) return moved;
  if (buckets.none()) return {};
  if (Status told = settle_told(first_, {span, {}, buckets}); !told) return told;
  // Mostly what only this side has; but the other may have got an older record of the same key meanwhile.
  return settle_told(second_, {span, {}, buckets});
}

/// Those of `left` that the other side has nothing of.
Status Reconciler::move_buckets(Side& from, const Span& span, Buckets& left,
                                const std::vector<Fingerprint>& sums_of_other) {
  if (!exchange_.moves_whole(from)) return {};
  Buckets missing = left;
  for (std::size_t i = 0; i < kBuckets; ++i) missing.set(i, left.test(i) && sums_of_other[i].count == 0);
  left &= ~missing;
  return missing.none() ? Status() : exchange_.move_all(from, {span, {}, missing});
}

Status Reconciler::settle_told(Side& teller, PageRequest left) {
  do {
    if (Status on = exchange_.may_go_on(left.span.begin); !on) return on;
    const Result<ItemsPage> page = teller.crowd(left);
    if (!page) return tl::unexpected(page.error());
    if (!leads_on(left, page->next)) return fail(Code::kCorrupt, "a page that leads nowhere");
    left.from = page->next;
    const Items told = items_of(*page);
    const Result<Items> held = lookup(exchange_.other(teller), left.span, told);
    if (!held) return tl::unexpected(held.error());
    const bool by_first = &teller == &first_;
    Status settled = by_first ? exchange_.settle(told, *held) : exchange_.settle(*held, told);
    if (!settled) return settled;
    // What the first side holds of it was counted when that told.
    task_.figures.keys += by_first ? told.size() : told.size() - std::min(held->size(), told.size());
  } while (!left.from.empty());
  return {};
}

Result<Items> Reconciler::lookup(Side& side, const Span& span, const Items& keys) {
  LookupRequest request{span.cut_off_hlc, {}};
  for (const auto& [key, kept] : keys) request.keys.push_back(key);
  const Result<ItemsPage> page = side.lookup(request);
  if (!page) return tl::unexpected(page.error());
  return items_of(*page);
}

}  // namespace

Status reconcile(Side& first, Side& second, std::uint64_t most_keys, Reconciliation& task) {
  Reconciler reconciler(first, second, task);
  const std::uint64_t chunk = std::max(kFewKeys, most_keys / kMostRanges);
  Status compared = reconciler.compare(first, {task.cut_off_hlc, "", ""}, chunk);
  return compared ? Exchange(first, second, task).finish() : compared;
}

}  // namespace minivault::cluster
