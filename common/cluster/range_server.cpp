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

bool is_forgettable(const Record& record, std::uint64_t cut_off_hlc) {
  return record.operation == store::Operation::kDelete && record.version.hlc <= cut_off_hlc;
}

/// Items with keys of their own.
class ItemList {
 public:
  void add(const Record& record) {
    items_.emplace_back(keys_.size(), item_of(record));
    keys_ += record.key;
  }
  [[nodiscard]] std::size_t bytes() const { return keys_.size() + items_.size() * sizeof(Item); }
  [[nodiscard]] bool empty() const { return items_.empty(); }
  /// Without those behind it that come last.
  void end_before(std::string_view boundary) {
    while (!items_.empty() && key_of(items_.back()) >= boundary) items_.pop_back();
  }
  [[nodiscard]] std::string encode(std::string next = {}) const {
    ItemsPage page{{}, std::move(next)};
    page.items.reserve(items_.size());
    for (const Entry& entry : items_) {
      page.items.push_back(entry.second);
      page.items.back().key = key_of(entry);
    }
    return cluster::encode(page);
  }

 private:
  using Entry = std::pair<std::size_t, Item>;  ///< where the key is; the item's own is gone

  [[nodiscard]] std::string_view key_of(const Entry& entry) const {
    return std::string_view(keys_).substr(entry.first, entry.second.key.size());
  }

  std::string keys_;
  std::vector<Entry> items_;
};

}  // namespace

Result<std::string> RangeServer::answer(std::string_view kind, std::string_view request) const {
  if (kind == kSplit) return split(request);
  if (kind == kSums) return sums(request);
  if (kind == kBucketSums) return bucket_sums(request);
  if (kind == kItems) return items(request);
  if (kind == kCrowd) return crowd(request);
  if (kind == kLookup) return lookup(request);
  if (kind == kRecords) return records(request);
  if (kind == kFetch) return fetch(request);
  return encode_refusal(Reply::kMalformed, "no such request in a comparison");
}

Status RangeServer::scan(const PageRequest& request, const Visit& visit) const {
  const Span& span = request.span;
  const bool any_bucket = request.buckets.all();
  return source_.scan(request.from.empty() ? span.begin : request.from, [&](const Record& record) {
    if (!span.end.empty() && record.key >= span.end) return false;
    if (!any_bucket && !request.buckets.test(bucket_of(record.key))) return true;
    return is_forgettable(record, span.cut_off_hlc) || visit(record);
  });
}

static_assert(kPageBytes / kLeastRecordBytes < kMostRecords, "a page is what a push may have");

bool RangeServer::is_full(const BatchWriter& page, const Record& record) const {
  return page.records() > 0 && page.bytes() + record.key.size() + record.value.size() > page_bytes_;
}

Result<std::string> RangeServer::split(std::string_view request) const {
  const Result<SplitRequest> asked = decode_split(request);
  if (!asked) return malformed(asked.error());
  RangeCutter cutter(asked->span.begin, asked->chunk);
  Status scanned = scan({asked->span, {}}, [&](const Record& record) { return cutter.add(item_of(record)); });
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
  Status scanned = scan({span, {}}, [&](const Record& record) {
    while (at + 1 < page.ranges.size() && page.ranges[at + 1].begin <= record.key) ++at;
    add(page.ranges[at].sum, item_of(record));
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return encode(page);
}

Result<std::string> RangeServer::bucket_sums(std::string_view request) const {
  const Result<Span> span = decode_span(request);
  if (!span) return malformed(span.error());
  std::vector<Fingerprint> sums(kBuckets);
  Status scanned = scan({*span, {}}, [&](const Record& record) {
    add(sums[bucket_of(record.key)], item_of(record));
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return encode_bucket_sums(sums);
}

Result<std::string> RangeServer::items(std::string_view request) const {
  const Result<Span> span = decode_span(request);
  return span ? page_of_items({*span, {}}, true) : malformed(span.error());
}

Result<std::string> RangeServer::crowd(std::string_view request) const {
  const Result<PageRequest> asked = decode_page_request(request);
  return asked ? page_of_items(*asked, false) : malformed(asked.error());
}

Result<std::string> RangeServer::page_of_items(const PageRequest& request, bool whole_crowds) const {
  ItemList found;
  std::string next;
  Status scanned = scan(request, [&](const Record& record) {
    if (found.empty() || found.bytes() + record.key.size() <= page_bytes_) {
      found.add(record);
    } else {
      next = whole_crowds ? record.key.substr(0, kLongestBoundary) : record.key;
    }
    return next.empty();
  });
  if (!scanned) return tl::unexpected(scanned.error());
  if (whole_crowds && !next.empty()) found.end_before(next);
  return found.encode(std::move(next));
}

Result<std::string> RangeServer::lookup(std::string_view request) const {
  const Result<LookupRequest> asked = decode_lookup(request);
  if (!asked) return malformed(asked.error());
  ItemList found;
  for (const std::string& key : asked->keys) {
    Status got = source_.get(key, [&](const Record& record) {
      if (!is_forgettable(record, asked->cut_off_hlc)) found.add(record);
      return false;
    });
    if (!got) return tl::unexpected(got.error());
  }
  return found.encode();
}

Result<std::string> RangeServer::records(std::string_view request) const {
  const Result<PageRequest> asked = decode_page_request(request);
  if (!asked) return malformed(asked.error());
  BatchWriter writer(0);
  std::string next;
  Status scanned = scan(*asked, [&](const Record& record) {
    if (is_full(writer, record)) {
      next = record.key;
    } else {
      writer.add(record);
    }
    return next.empty();
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
