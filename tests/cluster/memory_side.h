#pragma once

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "common/cluster/range_server.h"
#include "common/cluster/reconcile.h"

namespace minivault::cluster {

struct Stored {
  store::Operation operation = store::Operation::kSet;
  std::uint8_t flags = 0;
  store::Version version;
  std::string value;

  bool operator==(const Stored&) const = default;
};
using Content = std::map<std::string, Stored>;

/// A node in memory. Keys longer than LMDB's are ordered by their first 495 bytes and then by something of
/// the node's own, as in a base.
class MemorySide : public Side {
 public:
  MemorySide(Content& content, bool long_keys_backwards, std::size_t page_bytes = kPageBytes)
      : content_(content), backwards_(long_keys_backwards), server_({scan(), get()}, page_bytes) {}

  Result<RangesPage> split(const SplitRequest& request) override {
    return ask(kSplit, encode(request)).and_then(decode_ranges);
  }
  Result<RangesPage> sums(const SumsRequest& request) override {
    return ask(kSums, encode(request)).and_then(decode_ranges);
  }
  Result<std::vector<Fingerprint>> bucket_sums(const Span& span) override {
    return ask(kBucketSums, encode(span)).and_then(decode_bucket_sums);
  }
  Result<ItemsPage> items(const Span& span) override {
    return ask(kItems, encode(span)).and_then(decode_items);
  }
  Result<ItemsPage> crowd(const PageRequest& request) override {
    return ask(kCrowd, encode(request)).and_then(decode_items);
  }
  Result<ItemsPage> lookup(const LookupRequest& request) override {
    return ask(kLookup, encode(request)).and_then(decode_items);
  }
  Result<RecordsPage> records(const PageRequest& request) override {
    return ask(kRecords, encode(request)).and_then(decode_records);
  }
  Result<RecordsPage> fetch(const std::vector<std::string>& keys) override {
    return ask(kFetch, encode_fetch(keys)).and_then(decode_records);
  }
  Status push(const std::vector<Record>& records) override {
    std::uint64_t message = 0;
    for (const Record& record : records) message += record.key.size() + record.value.size() + 24;
    bytes += message;
    if (records.size() > 1) largest_push = std::max(largest_push, message);
    most_pushed = std::max(most_pushed, records.size());
    for (const Record& record : records) {
      Stored& held = content_[std::string(record.key)];
      // Of one version with two values everybody keeps the one with the larger checksum.
      const bool larger = record.version == held.version &&
                          hash_value(record.flags, record.value) > hash_value(held.flags, held.value);
      if (record.version <= held.version && !larger) continue;
      held = {record.operation, record.flags, record.version, std::string(record.value)};
    }
    return {};
  }

  std::function<void()> before_answer;  ///< each
  std::uint64_t bytes = 0;              ///< as they would cross the network
  std::uint64_t largest_push = 0;       ///< of several records
  std::size_t most_pushed = 0;          ///< records of one push
  std::uint64_t largest_answer = 0;     ///< of the messages that a comparison consists of
  std::uint64_t largest_request = 0;

 private:
  Result<std::string_view> ask(std::string_view kind, const std::string& request) {
    if (before_answer) before_answer();
    Result<std::string> answer = server_.answer(kind, request);
    if (!answer) return tl::unexpected(answer.error());
    answer_ = std::move(*answer);
    bytes += request.size() + answer_.size();
    largest_request = std::max<std::uint64_t>(largest_request, request.size());
    largest_answer = std::max<std::uint64_t>(largest_answer, answer_.size());
    return answer_;
  }

  [[nodiscard]] std::string stored_key(const std::string& key) const {
    if (key.size() < kPrefix) return key;
    std::string rest = key.substr(kPrefix);
    for (char& byte : rest) byte = static_cast<char>(backwards_ ? ~byte : byte);
    return key.substr(0, kPrefix) + rest;
  }

  std::function<Status(std::string_view, const RangeServer::Visit&)> scan() {
    return [this](std::string_view from, const RangeServer::Visit& visit) -> Status {
      const auto is_long = [](const auto& entry) { return entry.first.size() >= kPrefix; };
      if (std::none_of(content_.lower_bound(std::string(from)), content_.end(), is_long)) {
        for (auto it = content_.lower_bound(std::string(from)); it != content_.end(); ++it) {
          if (!visit(record_of(*it))) break;
        }
        return {};
      }
      if (ordered_.size() != content_.size()) {
        ordered_.clear();
        for (auto it = content_.cbegin(); it != content_.cend(); ++it)
          ordered_.emplace(stored_key(it->first), it);
      }
      for (auto it = ordered_.lower_bound(stored_key(std::string(from))); it != ordered_.end(); ++it) {
        if (!visit(record_of(*it->second))) break;
      }
      return {};
    };
  }
  std::function<Status(std::string_view, const RangeServer::Visit&)> get() {
    return [this](std::string_view key, const RangeServer::Visit& visit) -> Status {
      if (const auto found = content_.find(std::string(key)); found != content_.end())
        visit(record_of(*found));
      return {};
    };
  }
  static Record record_of(const Content::value_type& entry) {
    return {entry.second.operation, entry.second.flags, entry.second.version, entry.first,
            entry.second.value};
  }

  static constexpr std::size_t kPrefix = 495;

  Content& content_;
  bool backwards_;
  std::map<std::string, Content::const_iterator> ordered_;  ///< once there are long keys
  RangeServer server_;
  std::string answer_;
};

inline Stored set_at(std::uint64_t hlc, std::string value = "v") {
  return {store::Operation::kSet, 0, {hlc, 1}, std::move(value)};
}
inline Stored deleted_at(std::uint64_t hlc) {
  return {store::Operation::kDelete, 0, {hlc, 1}, {}};
}

/// Keys of one crowd: all begin alike, further than a boundary reaches.
inline std::string long_key_of(unsigned number, std::size_t size) {
  char text[16];
  std::snprintf(text, sizeof text, "%08u", number);
  return std::string(500, 'P') + text + std::string(size - 508, 'x');
}

}  // namespace minivault::cluster
