#include "common/cluster/range_server.h"

#include <utility>

namespace minivault::cluster {
namespace {

std::string malformed(const Error& error) {
  return encode_refusal(Reply::kMalformed, error.message);
}

Item item_of(const Record& record) {
  return {record.key, record.version, record.operation, hash_value(record.flags, record.value)};
}

/// A record that a page has no room for begins the next one, so that a large one travels alone: whoever takes
/// it has room for a single record of the largest size and no more.
bool is_full(const BatchWriter& page, const Record& record) {
  return page.records() > 0 && page.bytes() + record.key.size() + record.value.size() > kPageBytes;
}

}  // namespace

Result<std::string> RangeServer::answer(std::string_view kind, std::string_view request) const {
  if (kind == kSplit) return split(request);
  if (kind == kSums) return sums(request);
  if (kind == kItems) return items(request);
  if (kind == kRecords) return records(request);
  if (kind == kFetch) return fetch(request);
  return encode_refusal(Reply::kMalformed, "no such request in a comparison");
}

/// A long key can stand before a boundary that it is not smaller than, and behind an end that it is smaller
/// than, never so a key that a boundary was made from: so whole keys are judged, not places.
Status RangeServer::scan(const Span& span, const Visit& visit) const {
  return source_.scan(span.begin, [&](const Record& record) {
    if (record.key < span.begin) return true;
    if (!span.end.empty() && record.key >= span.end) return false;
    const bool forgettable =
        record.operation == store::Operation::kDelete && record.version.hlc <= span.cut_off_hlc;
    return forgettable || visit(record);
  });
}

Result<std::string> RangeServer::split(std::string_view request) const {
  const Result<SplitRequest> asked = decode_split(request);
  if (!asked) return malformed(asked.error());
  RangeCutter cutter(asked->span.begin, asked->chunk);
  Status scanned = scan(asked->span, [&](const Record& record) { return cutter.add(item_of(record)); });
  if (!scanned) return tl::unexpected(scanned.error());
  return encode(RangesPage{std::move(cutter.ranges()), cutter.next()});
}

Result<std::string> RangeServer::sums(std::string_view request) const {
  const Result<SumsRequest> asked = decode_sums(request);
  if (!asked) return malformed(asked.error());
  RangesPage page;
  for (const std::string& begin : asked->begins) page.ranges.push_back({begin, {}});
  std::size_t at = 0;
  const Span span{asked->cut_off_hlc, asked->begins.front(), asked->end};
  Status scanned = scan(span, [&](const Record& record) {
    while (at + 1 < page.ranges.size() && page.ranges[at + 1].begin <= record.key) ++at;
    add(page.ranges[at].sum, item_of(record));
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return encode(page);
}

Result<std::string> RangeServer::items(std::string_view request) const {
  const Result<Span> span = decode_span(request);
  if (!span) return malformed(span.error());
  std::string keys;  // the views of the page's items are into it once it no longer grows
  std::vector<std::pair<std::size_t, Item>> found;
  std::string before;
  ItemsPage page;
  Status scanned = scan(*span, [&](const Record& record) {
    if (keys.size() + found.size() * sizeof(Item) > kPageBytes) {
      page.next = boundary(before, record.key);
      if (!page.next.empty()) return false;
    }
    found.emplace_back(keys.size(), item_of(record));
    keys += record.key;
    if (before < record.key) before = record.key;
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  page.items.reserve(found.size());
  for (auto& [at, item] : found) {
    item.key = std::string_view(keys).substr(at, item.key.size());
    page.items.push_back(item);
  }
  return encode(page);
}

Result<std::string> RangeServer::records(std::string_view request) const {
  const Result<Span> span = decode_span(request);
  if (!span) return malformed(span.error());
  BatchWriter writer(0);
  std::string before;
  std::string next;
  Status scanned = scan(*span, [&](const Record& record) {
    if (is_full(writer, record)) {
      next = boundary(before, record.key);
      if (!next.empty()) return false;
    }
    writer.add(record);
    if (before < record.key) before = record.key;
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return encode_records(writer.finish_push(), next);
}

Result<std::string> RangeServer::fetch(std::string_view request) const {
  const Result<std::vector<std::string_view>> keys = decode_fetch(request);
  if (!keys) return malformed(keys.error());
  BatchWriter writer(0);
  std::string_view next;
  for (auto key = keys->begin(); key != keys->end() && next.empty(); ++key) {
    Status got = source_.get(*key, [&](const Record& record) {
      if (is_full(writer, record)) {
        next = *key;
      } else {
        writer.add(record);
      }
      return false;
    });
    if (!got) return tl::unexpected(got.error());
  }
  return encode_records(writer.finish_push(), next);
}

}  // namespace minivault::cluster
