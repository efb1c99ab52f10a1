#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/message.h"
#include "common/core/error.h"
#include "common/store/version.h"

/// Comparing what two nodes hold, range of keys by range of keys (REPLICATION.md rule 6; the idea is Meyer's
/// "Range-Based Set Reconciliation", 2023). What crosses a `compare` connection, and what it is made of.
namespace minivault::cluster {

/// Of a set of records: the sum, modulo 2^128, of a hash of each, so that the order of adding does not
/// matter. (Keys too long for LMDB are ordered differently on different nodes.)
struct Fingerprint {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::uint64_t count = 0;

  bool operator==(const Fingerprint&) const = default;
};

/// What tells two records of one key apart without their values.
struct Item {
  std::string_view key;
  store::Version version;
  store::Operation operation = store::Operation::kSet;
  std::uint64_t value_hash = 0;
};

void add(Fingerprint& fingerprint, const Item& item);
[[nodiscard]] std::uint64_t hash_value(std::uint8_t flags, std::string_view value);

/// A range of keys: from `begin`, itself included, to the next range's begin.
struct RangeSum {
  std::string begin;
  Fingerprint sum;
};

/// A range begins at these many first bytes of a key at most: so at the same place of both nodes' order,
/// however each stores long keys. All keys that begin with one such text are a *crowd*: they lie side by side
/// on every node, but each has an order of its own for them, so no range begins among them.
inline constexpr std::size_t kLongestBoundary = 494;
inline constexpr std::size_t kMostRanges = 4096;  ///< in one message
/// Of keys, items or records in one message, about; or a single larger one.
inline constexpr std::size_t kPageBytes = 1 << 20;
/// In one request, which names those of a page: an item takes more than 25 bytes.
inline constexpr std::size_t kMostKeys = kPageBytes / 25;
/// No request is larger: kMostRanges beginnings, or a page of keys.
inline constexpr std::uint64_t kLargestRequest = 4 << 20;

/// Cuts records that come in key order into ranges of about `chunk` keys.
class RangeCutter {
 public:
  RangeCutter(std::string begin, std::uint64_t chunk) : chunk_(chunk) {
    ranges_.push_back({std::move(begin), {}});
  }
  /// False: kMostRanges are full and the record, with which the next would begin, was not taken.
  [[nodiscard]] bool add(const Item& item);
  [[nodiscard]] std::vector<RangeSum>& ranges() { return ranges_; }
  /// Where the record that was not taken begins the next range.
  [[nodiscard]] const std::string& next() const { return next_; }

 private:
  std::uint64_t chunk_;
  std::vector<RangeSum> ranges_;
  std::string before_;
  std::string next_;
};

/// The first bytes of `key` at which a range may begin after `before`; empty: none.
[[nodiscard]] std::string_view boundary(std::string_view before, std::string_view key);

/// What takes the place of ranges within a crowd: keys by a hash that is the same on every node.
inline constexpr std::size_t kBuckets = 1024;
using Buckets = std::bitset<kBuckets>;
[[nodiscard]] std::size_t bucket_of(std::string_view key);
/// Those whose sums differ. REQUIRES: kBuckets sums of each.
[[nodiscard]] Buckets differing(const std::vector<Fingerprint>& here, const std::vector<Fingerprint>& there);

// Requests on a compare connection, each a SYNC frame with the kind's name as its key. Answers begin with a
// Reply byte. `end` empty: to the last key. Tombstones with an HLC value up to `cut_off_hlc` are not there.

struct Span {
  std::uint64_t cut_off_hlc = 0;
  std::string begin;
  std::string end;
};

inline constexpr std::string_view kSplit = "split";         ///< SplitRequest -> RangesPage
inline constexpr std::string_view kSums = "sums";           ///< SumsRequest -> RangesPage
inline constexpr std::string_view kBucketSums = "buckets";  ///< Span -> sums, kBuckets of them
inline constexpr std::string_view kItems = "items";         ///< Span -> ItemsPage
inline constexpr std::string_view kCrowd = "crowd";         ///< PageRequest -> ItemsPage
inline constexpr std::string_view kLookup = "lookup";       ///< LookupRequest -> ItemsPage, of what is there
inline constexpr std::string_view kRecords = "records";     ///< PageRequest -> RecordsPage
inline constexpr std::string_view kFetch = "fetch";         ///< keys -> RecordsPage

struct SplitRequest {
  Span span;
  std::uint64_t chunk = 0;
};
struct SumsRequest {
  std::uint64_t cut_off_hlc = 0;
  std::vector<std::string> begins;  ///< rising
  std::string end;
};
/// What follows in the answerer's order. Only that node knows where `from` lies.
struct PageRequest {
  Span span;
  std::string from;                   ///< `next` of the page before; empty: from the beginning of the span
  Buckets buckets = Buckets().set();  ///< keys in others are not there
};
struct LookupRequest {
  std::uint64_t cut_off_hlc = 0;
  std::vector<std::string> keys;
};

/// `next`: where to go on; empty: all of it was told. In an answer to kItems too a range may begin there, so
/// of a crowd all is told or nothing; of one larger than a page, where it is the first, no item. In those to
/// kCrowd and kRecords it is a key.
struct RangesPage {
  std::vector<RangeSum> ranges;
  std::string next;
};
struct ItemsPage {
  std::vector<Item> items;
  std::string next;
};
struct RecordsPage {
  std::vector<Record> records;
  std::string next;
};

/// The answer to opening a comparison.
struct CompareReply {
  NodeId id = 0;
  std::uint64_t keys = 0;  ///< held, about; tombstones too
  bool complete = false;
  /// The stable floor as it was before what is compared was looked at; 0: none, or the answerer is no
  /// authority on absence.
  std::uint64_t floor_hlc = 0;
};

[[nodiscard]] std::string encode(const SplitRequest& request);
[[nodiscard]] std::string encode(const SumsRequest& request);
[[nodiscard]] std::string encode(const Span& span);
[[nodiscard]] std::string encode(const PageRequest& request);
[[nodiscard]] std::string encode(const LookupRequest& request);
[[nodiscard]] std::string encode_fetch(const std::vector<std::string>& keys);
[[nodiscard]] std::string encode_bucket_sums(const std::vector<Fingerprint>& sums);
[[nodiscard]] std::string encode(const RangesPage& page);
[[nodiscard]] std::string encode(const ItemsPage& page);
[[nodiscard]] std::string encode(const CompareReply& reply);
/// `batch` as BatchWriter::finish_push() made it.
[[nodiscard]] std::string encode_records(std::string_view batch, std::string_view next);

[[nodiscard]] Result<SplitRequest> decode_split(std::string_view bytes);
[[nodiscard]] Result<SumsRequest> decode_sums(std::string_view bytes);
[[nodiscard]] Result<Span> decode_span(std::string_view bytes);
[[nodiscard]] Result<PageRequest> decode_page_request(std::string_view bytes);
[[nodiscard]] Result<LookupRequest> decode_lookup(std::string_view bytes);
[[nodiscard]] Result<std::vector<std::string_view>> decode_fetch(std::string_view bytes);
[[nodiscard]] Result<RangesPage> decode_ranges(std::string_view bytes);
[[nodiscard]] Result<std::vector<Fingerprint>> decode_bucket_sums(std::string_view bytes);
[[nodiscard]] Result<ItemsPage> decode_items(std::string_view bytes);
[[nodiscard]] Result<RecordsPage> decode_records(std::string_view bytes);
[[nodiscard]] Result<CompareReply> decode_compare_reply(std::string_view bytes);

}  // namespace minivault::cluster
