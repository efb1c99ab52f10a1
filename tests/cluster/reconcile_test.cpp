#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "common/cluster/range_server.h"
#include "common/cluster/reconcile.h"
#include "tests/support/seed.h"

namespace minivault::cluster {
namespace {

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
class MemorySide final : public Side {
 public:
  MemorySide(Content& content, bool long_keys_backwards)
      : content_(content), backwards_(long_keys_backwards), server_({scan(), get()}) {}

  Result<RangesPage> split(const SplitRequest& request) override {
    return ask(kSplit, encode(request)).and_then(decode_ranges);
  }
  Result<RangesPage> sums(const SumsRequest& request) override {
    return ask(kSums, encode(request)).and_then(decode_ranges);
  }
  Result<ItemsPage> items(const Span& span) override {
    return ask(kItems, encode(span)).and_then(decode_items);
  }
  Result<RecordsPage> records(const Span& span) override {
    return ask(kRecords, encode(span)).and_then(decode_records);
  }
  Result<RecordsPage> fetch(const std::vector<std::string>& keys) override {
    return ask(kFetch, encode_fetch(keys)).and_then(decode_records);
  }
  Status push(const std::vector<Record>& records) override {
    std::uint64_t message = 0;
    for (const Record& record : records) message += record.key.size() + record.value.size() + 24;
    bytes += message;
    if (records.size() > 1) largest_push = std::max(largest_push, message);
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

  std::uint64_t bytes = 0;         ///< as they would cross the network
  std::uint64_t largest_push = 0;  ///< of several records

 private:
  Result<std::string_view> ask(std::string_view kind, const std::string& request) {
    Result<std::string> answer = server_.answer(kind, request);
    if (!answer) return tl::unexpected(answer.error());
    answer_ = std::move(*answer);
    bytes += request.size() + answer_.size();
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
      std::map<std::string, Content::const_iterator> ordered;
      for (auto it = content_.cbegin(); it != content_.cend(); ++it)
        ordered.emplace(stored_key(it->first), it);
      for (auto it = ordered.lower_bound(std::string(from)); it != ordered.end(); ++it) {
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
  RangeServer server_;
  std::string answer_;
};

constexpr std::uint64_t kOrigins = 3;

class Two {
 public:
  Content first;
  Content second;
  Reconciliation task;

  void run() { run(std::max(first.size(), second.size())); }
  /// As a part of so many.
  void run(std::uint64_t most_keys) {
    MemorySide a(first, false);
    MemorySide b(second, true);
    const Status done = reconcile(a, b, most_keys, task);
    CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().message, done.has_value());
    bytes = b.bytes;
    largest_push = std::max(a.largest_push, b.largest_push);
  }
  std::uint64_t bytes = 0;
  std::uint64_t largest_push = 0;
};

Stored set_at(std::uint64_t hlc, std::string value = "v") {
  return {store::Operation::kSet, 0, {hlc, 1}, std::move(value)};
}
Stored deleted_at(std::uint64_t hlc) {
  return {store::Operation::kDelete, 0, {hlc, 1}, {}};
}

std::string key_of(unsigned number) {
  char text[16];
  std::snprintf(text, sizeof text, "key:%08u", number);
  return text;
}

}  // namespace

class ReconcileTest final : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReconcileTest);
  CPPUNIT_TEST(equal_sides_move_nothing);
  CPPUNIT_TEST(the_newer_record_wins_both_ways);
  CPPUNIT_TEST(an_empty_side_is_filled);
  CPPUNIT_TEST(a_large_record_travels_alone);
  CPPUNIT_TEST(few_differences_among_many_keys_cost_little);
  CPPUNIT_TEST(a_large_range_is_split_where_it_differs);
  CPPUNIT_TEST(random_contents_become_equal);
  CPPUNIT_TEST(many_long_keys_that_begin_alike_become_equal);
  CPPUNIT_TEST(old_tombstones_are_no_difference);
  CPPUNIT_TEST(ghosts_are_deleted_and_not_spread);
  CPPUNIT_TEST(one_version_with_two_values_ends_as_one);
  CPPUNIT_TEST(it_stops_when_told);
  CPPUNIT_TEST_SUITE_END();

 public:
  void equal_sides_move_nothing() {
    Two two;
    for (unsigned i = 0; i < 5'000; ++i) two.first[key_of(i)] = set_at(i + 1);
    two.second = two.first;
    two.run();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, two.task.figures.ranges_different);
    CPPUNIT_ASSERT(two.task.figures.ranges_compared > 10);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, two.task.figures.to_first + two.task.figures.to_second);
  }

  void the_newer_record_wins_both_ways() {
    Two two;
    two.first = {{"a", set_at(5, "old")}, {"b", set_at(9, "new")}, {"c", deleted_at(9)}, {"only", set_at(1)}};
    two.second = {{"a", set_at(6, "new")}, {"b", deleted_at(8)}, {"c", set_at(8)}, {"theirs", deleted_at(2)}};
    two.run();
    CPPUNIT_ASSERT(two.first == two.second);
    CPPUNIT_ASSERT_EQUAL(std::string("new"), two.first["a"].value);
    CPPUNIT_ASSERT_EQUAL(std::string("new"), two.first["b"].value);
    CPPUNIT_ASSERT(two.first["c"].operation == store::Operation::kDelete);
    CPPUNIT_ASSERT_EQUAL(std::size_t{5}, two.first.size());
  }

  void an_empty_side_is_filled() {
    for (const bool first_is_empty : {true, false}) {
      Two two;
      Content& full = first_is_empty ? two.second : two.first;
      for (unsigned i = 0; i < 3'000; ++i) full[key_of(i)] = set_at(i + 1, std::string(1'000, 'x'));
      two.run();
      CPPUNIT_ASSERT(two.first == two.second);
      CPPUNIT_ASSERT_EQUAL(std::size_t{3'000}, two.first.size());
    }
  }

  // A node takes a message of one record of the largest size, and no larger one: where small ones came before
  // it in a page, the page was refused each time, and the repair never ended. Moved whole, and key by key.
  void a_large_record_travels_alone() {
    for (const bool is_empty : {true, false}) {
      Two two;
      for (unsigned i = 0; i < 190; ++i) two.first[key_of(i)] = set_at(i + 1, std::string(5'000, 'v'));
      two.first["key:large"] = set_at(1'000, std::string(9'000'000, 'x'));
      two.first["key:larger"] = set_at(1'001, std::string(9'000'001, 'x'));
      two.first["key:small"] = set_at(1'002);
      if (!is_empty) two.second[key_of(7)] = set_at(2'000);
      two.run();
      CPPUNIT_ASSERT(two.first == two.second);
      CPPUNIT_ASSERT_MESSAGE(std::to_string(two.largest_push) + " bytes", two.largest_push < 1'100'000);
    }
  }

  void few_differences_among_many_keys_cost_little() {
    Two two;
    for (unsigned i = 0; i < 1'000'000; ++i) {
      two.first.emplace_hint(two.first.end(), key_of(i), set_at(i + 1));
    }
    two.second = two.first;
    for (unsigned i = 0; i < 100; ++i) two.second[key_of(i * 9'973)].version.hlc += 1'000'000;
    two.run();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, two.task.figures.to_first);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, two.task.figures.to_second);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(two.bytes) + " bytes", two.bytes < 5'000'000);
    CPPUNIT_ASSERT(two.first == two.second);
  }

  // A range of a hundred million keys: to name each of its keys would cost twenty times as much.
  void a_large_range_is_split_where_it_differs() {
    Two two;
    for (unsigned i = 0; i < 20'000; ++i) two.first[key_of(i)] = set_at(i + 1);
    two.second = two.first;
    two.second[key_of(7'777)].version.hlc += 1'000'000;
    two.run(100'000'000);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, two.task.figures.to_first);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(two.bytes) + " bytes", two.bytes < 30'000);
    CPPUNIT_ASSERT(two.first == two.second);
  }

  void random_contents_become_equal() {
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 20; ++round) {
      Two two;
      const std::size_t keys = 1 + random() % 4'000;
      for (std::size_t i = 0; i < keys; ++i) {
        const std::string key = random_key(random);
        if (random() % 10 != 0) two.first[key] = random_record(random);
        two.second[key] =
            random() % 10 == 0 || !two.first.contains(key) ? random_record(random) : two.first[key];
        if (random() % 10 == 0) two.second.erase(key);
      }
      const Content wanted = newest_of(two.first, two.second);
      two.run();
      CPPUNIT_ASSERT(two.first == wanted);
      CPPUNIT_ASSERT(two.second == wanted);
    }
  }

  void many_long_keys_that_begin_alike_become_equal() {
    Two two;
    const std::string start(600, 'k');
    for (unsigned i = 0; i < 2'000; ++i)
      (i % 2 == 0 ? two.first : two.second)[start + key_of(i)] = set_at(i + 1);
    two.first["a short one"] = set_at(1);
    two.second["z"] = set_at(1);
    const Content wanted = newest_of(two.first, two.second);
    two.run();
    CPPUNIT_ASSERT(two.first == wanted);
    CPPUNIT_ASSERT(two.second == wanted);
  }

  void old_tombstones_are_no_difference() {
    Two two;
    two.task.cut_off_hlc = 10;
    two.first = {{"forgotten there", deleted_at(10)}, {"fresh", deleted_at(11)}};
    two.run();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, two.second.size());
    CPPUNIT_ASSERT(two.second.contains("fresh"));
  }

  // Whichever side brings them: it is what the other one knows that decides.
  void ghosts_are_deleted_and_not_spread() {
    for (const bool first_brings : {true, false}) {
      Two two;
      two.task.cut_off_hlc = 10;
      (first_brings ? two.task.ghosts_of_first_up_to : two.task.ghosts_of_second_up_to) = 10;
      Content& brings = first_brings ? two.first : two.second;
      Content& knows = first_brings ? two.second : two.first;
      brings = {{"ghost", set_at(10)}, {"young", set_at(11)}, {"both", set_at(5)}};
      knows = {{"both", set_at(5)}, {"theirs", set_at(3)}};
      two.run();
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, two.task.figures.ghosts);
      CPPUNIT_ASSERT(brings["ghost"].operation == store::Operation::kDelete);
      CPPUNIT_ASSERT(!knows.contains("ghost"));
      CPPUNIT_ASSERT(knows.contains("young"));
      CPPUNIT_ASSERT(brings.contains("theirs"));
    }
  }

  void one_version_with_two_values_ends_as_one() {
    Two two;
    two.first = {{"a", set_at(5, "one")}, {"b", set_at(5)}};
    two.second = {{"a", set_at(5, "two")}, {"b", set_at(5)}};
    Two other;  // the other way round
    other.first = two.second;
    other.second = two.first;
    for (Two* each : {&two, &other}) {
      each->run();
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, each->task.figures.contradictions);
      CPPUNIT_ASSERT(each->first == each->second);
    }
    CPPUNIT_ASSERT(two.first == other.first);
  }

  void it_stops_when_told() {
    Content content{{"a", set_at(1)}};
    Content nothing;
    MemorySide a(content, false);
    MemorySide b(nothing, false);
    Reconciliation task;
    task.progress = [](const Reconciliation::Figures&, std::string_view) { return false; };
    const Status done = reconcile(a, b, 1, task);
    CPPUNIT_ASSERT(!done && done.error().code == Code::kTimedOut);
    CPPUNIT_ASSERT(nothing.empty());
  }

 private:
  static std::string random_key(std::mt19937_64& random) {
    std::string key = key_of(static_cast<unsigned>(random() % 10'000));
    if (random() % 20 == 0) key = std::string(490 + random() % 10, 'p') + key;
    if (random() % 50 == 0) key.insert(0, 400, 'q');
    return key;
  }
  static Stored random_record(std::mt19937_64& random) {
    const bool set = random() % 4 != 0;
    return {set ? store::Operation::kSet : store::Operation::kDelete,
            static_cast<std::uint8_t>(set && random() % 2),
            {1 + random() % 1'000'000'000, 1 + random() % kOrigins},
            set ? std::string(random() % 300, 'v') : std::string()};
  }
  static Content newest_of(const Content& one, const Content& other) {
    Content newest = one;
    for (const auto& [key, record] : other) {
      Stored& held = newest[key];
      if (held.version < record.version) held = record;
    }
    return newest;
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReconcileTest, "reconcile_test");

}  // namespace minivault::cluster
