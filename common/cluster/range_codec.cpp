// The messages of a comparison as bytes.

#include <algorithm>
#include <utility>

#include "common/cluster/range.h"
#include "common/cluster/wire.h"
#include "common/store/record.h"

namespace minivault::cluster {
namespace {

constexpr std::size_t kSumBytes = 1 + 16 + 1;          // begin's length, hashes, count
constexpr std::size_t kItemBytes = 1 + 8 + 8 + 1 + 8;  // key's length, version, operation, hash

tl::unexpected<Error> malformed(const char* what) {
  return fail(Code::kCorrupt, std::string("a malformed ") + what);
}

void put_span(std::string& out, const Span& span) {
  wire::put_fixed(out, span.cut_off_hlc);
  wire::put_text(out, span.begin);
  wire::put_text(out, span.end);
}

bool is_range(std::string_view begin, std::string_view end) {
  return begin.size() <= kLongestBoundary && end.size() <= kLongestBoundary && (end.empty() || begin < end);
}

Span take_span(wire::Reader& reader) {
  Span span;
  span.cut_off_hlc = reader.fixed<std::uint64_t>();
  span.begin = reader.text();
  span.end = reader.text();
  return span;
}

/// All of them are no byte, others a bit each.
void put_buckets(std::string& out, const Buckets& buckets) {
  std::string bits;
  if (!buckets.all()) bits.resize(kBuckets / 8);
  for (std::size_t i = 0; i < bits.size() * 8; ++i) {
    if (buckets.test(i)) bits[i / 8] = static_cast<char>(bits[i / 8] | 1U << i % 8);
  }
  wire::put_text(out, bits);
}

bool take_buckets(wire::Reader& reader, Buckets& buckets) {
  const std::string_view bits = reader.text();
  if (bits.empty()) return true;
  if (bits.size() != kBuckets / 8) return false;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    buckets.set(i, (static_cast<unsigned char>(bits[i / 8]) >> i % 8 & 1U) != 0);
  }
  return true;
}

bool is_key(std::string_view key) {
  return !key.empty() && key.size() <= store::kLargestKey;
}

void put_keys(std::string& out, const std::vector<std::string>& keys) {
  wire::put(out, keys.size());
  for (const std::string& key : keys) wire::put_text(out, key);
}

/// False: there is more or less than that, more than a page names, or something that is no key.
template <typename Key>
bool take_keys(wire::Reader& reader, std::vector<Key>& keys) {
  const std::uint64_t count = reader.count(2);
  if (count > kMostKeys) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view key = reader.text();
    if (!is_key(key)) return false;
    keys.emplace_back(key);
  }
  return reader.done();
}

/// What stands behind the Reply byte; a refusal is an error with its text.
Result<std::string_view> body(std::string_view bytes) {
  if (bytes.empty()) return malformed("answer");
  if (bytes.front() != static_cast<char>(Reply::kOk)) {
    return fail(Code::kUnavailable, std::string(bytes.substr(1)));
  }
  return bytes.substr(1);
}

std::string ok() {
  return std::string(1, static_cast<char>(Reply::kOk));
}

}  // namespace

std::string encode(const Span& span) {
  std::string out;
  put_span(out, span);
  return out;
}

std::string encode(const SplitRequest& request) {
  std::string out;
  put_span(out, request.span);
  wire::put(out, request.chunk);
  return out;
}

std::string encode(const SumsRequest& request) {
  std::string out;
  wire::put_fixed(out, request.cut_off_hlc);
  wire::put_text(out, request.end);
  wire::put(out, request.begins.size());
  for (const std::string& begin : request.begins) wire::put_text(out, begin);
  return out;
}

std::string encode(const PageRequest& request) {
  std::string out;
  put_span(out, request.span);
  wire::put_text(out, request.from);
  put_buckets(out, request.buckets);
  return out;
}

std::string encode(const LookupRequest& request) {
  std::string out;
  wire::put_fixed(out, request.cut_off_hlc);
  put_keys(out, request.keys);
  return out;
}

std::string encode_fetch(const std::vector<std::string>& keys) {
  std::string out;
  put_keys(out, keys);
  return out;
}

/// Most of them are empty, where there are few keys.
std::string encode_bucket_sums(const std::vector<Fingerprint>& sums) {
  std::string out = ok();
  for (const Fingerprint& sum : sums) {
    wire::put(out, sum.count);
    if (sum.count == 0) continue;
    wire::put_fixed(out, sum.low);
    wire::put_fixed(out, sum.high);
  }
  return out;
}

std::string encode(const RangesPage& page) {
  std::string out = ok();
  wire::put_text(out, page.next);
  wire::put(out, page.ranges.size());
  for (const RangeSum& range : page.ranges) {
    wire::put_text(out, range.begin);
    wire::put_fixed(out, range.sum.low);
    wire::put_fixed(out, range.sum.high);
    wire::put(out, range.sum.count);
  }
  return out;
}

std::string encode(const ItemsPage& page) {
  std::string out = ok();
  wire::put_text(out, page.next);
  wire::put(out, page.items.size());
  for (const Item& item : page.items) {
    wire::put_text(out, item.key);
    wire::put_fixed(out, item.version.hlc);
    wire::put_fixed(out, item.version.origin);
    wire::put_fixed(out, item.operation);
    wire::put_fixed(out, item.value_hash);
  }
  return out;
}

std::string encode(const CompareReply& reply) {
  std::string out = ok();
  wire::put_fixed(out, reply.id);
  wire::put(out, reply.keys);
  wire::put_fixed(out, std::uint8_t{reply.complete});
  wire::put_fixed(out, reply.floor_hlc);
  return out;
}

std::string encode_records(std::string_view batch, std::string_view next) {
  std::string out = ok();
  wire::put_text(out, next);
  out += batch;
  return out;
}

Result<Span> decode_span(std::string_view bytes) {
  wire::Reader reader(bytes);
  Span span = take_span(reader);
  if (!reader.done() || !is_range(span.begin, span.end)) return malformed("range");
  return span;
}

Result<SplitRequest> decode_split(std::string_view bytes) {
  wire::Reader reader(bytes);
  SplitRequest request{take_span(reader), 0};
  request.chunk = reader.number();
  if (!reader.done() || request.chunk == 0 || !is_range(request.span.begin, request.span.end)) {
    return malformed("split");
  }
  return request;
}

Result<SumsRequest> decode_sums(std::string_view bytes) {
  wire::Reader reader(bytes);
  SumsRequest request;
  request.cut_off_hlc = reader.fixed<std::uint64_t>();
  request.end = reader.text();
  const std::uint64_t count = reader.count(1);
  if (count == 0 || count > kMostRanges) return malformed("request for sums");
  for (std::uint64_t i = 0; i < count; ++i) {
    request.begins.emplace_back(reader.text());
    const bool rises = i == 0 || request.begins[i - 1] < request.begins[i];
    if (!rises || !is_range(request.begins[i], request.end)) return malformed("request for sums");
  }
  if (!reader.done()) return malformed("request for sums");
  return request;
}

Result<PageRequest> decode_page_request(std::string_view bytes) {
  wire::Reader reader(bytes);
  PageRequest request{take_span(reader), {}, Buckets().set()};
  const Span& span = request.span;
  request.from = reader.text();
  const bool within = request.from.empty() || (is_key(request.from) && span.begin <= request.from &&
                                               (span.end.empty() || request.from < span.end));
  if (!take_buckets(reader, request.buckets) || !reader.done() || !is_range(span.begin, span.end) ||
      !within) {
    return malformed("request for a page");
  }
  return request;
}

Result<LookupRequest> decode_lookup(std::string_view bytes) {
  wire::Reader reader(bytes);
  LookupRequest request;
  request.cut_off_hlc = reader.fixed<std::uint64_t>();
  if (!take_keys(reader, request.keys)) return malformed("lookup");
  return request;
}

Result<std::vector<std::string_view>> decode_fetch(std::string_view bytes) {
  wire::Reader reader(bytes);
  std::vector<std::string_view> keys;
  if (!take_keys(reader, keys)) return malformed("fetch");
  return keys;
}

Result<std::vector<Fingerprint>> decode_bucket_sums(std::string_view bytes) {
  const Result<std::string_view> content = body(bytes);
  if (!content) return tl::unexpected(content.error());
  wire::Reader reader(*content);
  std::vector<Fingerprint> sums(kBuckets);
  for (Fingerprint& sum : sums) {
    sum.count = reader.number();
    if (sum.count == 0) continue;
    sum.low = reader.fixed<std::uint64_t>();
    sum.high = reader.fixed<std::uint64_t>();
  }
  if (!reader.done()) return malformed("list of sums");
  return sums;
}

Result<RangesPage> decode_ranges(std::string_view bytes) {
  const Result<std::string_view> content = body(bytes);
  if (!content) return tl::unexpected(content.error());
  wire::Reader reader(*content);
  RangesPage page;
  page.next = reader.text();
  page.ranges.resize(reader.count(kSumBytes));
  for (RangeSum& range : page.ranges) {
    range.begin = reader.text();
    range.sum.low = reader.fixed<std::uint64_t>();
    range.sum.high = reader.fixed<std::uint64_t>();
    range.sum.count = reader.number();
  }
  if (!reader.done()) return malformed("list of ranges");
  return page;
}

Result<ItemsPage> decode_items(std::string_view bytes) {
  const Result<std::string_view> content = body(bytes);
  if (!content) return tl::unexpected(content.error());
  wire::Reader reader(*content);
  ItemsPage page;
  page.next = reader.text();
  page.items.resize(reader.count(kItemBytes));
  for (Item& item : page.items) {
    item.key = reader.text();
    item.version.hlc = reader.fixed<std::uint64_t>();
    item.version.origin = reader.fixed<std::uint64_t>();
    item.operation = reader.fixed<store::Operation>();
    item.value_hash = reader.fixed<std::uint64_t>();
  }
  if (!reader.done()) return malformed("list of items");
  return page;
}

Result<RecordsPage> decode_records(std::string_view bytes) {
  const Result<std::string_view> content = body(bytes);
  if (!content) return tl::unexpected(content.error());
  wire::Reader reader(*content);
  RecordsPage page;
  page.next = reader.text();
  if (!reader.good()) return malformed("page of records");
  Result<std::vector<Record>> records = decode_push(reader.left());
  if (!records) return tl::unexpected(records.error());
  page.records = std::move(*records);
  return page;
}

Result<CompareReply> decode_compare_reply(std::string_view bytes) {
  const Result<std::string_view> content = body(bytes);
  if (!content) return tl::unexpected(content.error());
  wire::Reader reader(*content);
  CompareReply reply;
  reply.id = reader.fixed<std::uint64_t>();
  reply.keys = reader.number();
  reply.complete = reader.fixed<std::uint8_t>() != 0;
  reply.floor_hlc = reader.fixed<std::uint64_t>();
  if (!reader.done()) return malformed("answer to a comparison");
  return reply;
}

}  // namespace minivault::cluster
