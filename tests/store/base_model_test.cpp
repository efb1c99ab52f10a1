// Goal: the base holds exactly what a std::map would, whatever the order of versions and the length of keys.
// Method: random transactions, some abandoned, against both; compared after every commit and reopening.

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "common/store/base_format.h"
#include "tests/store/base_support.h"
#include "tests/support/seed.h"

namespace minivault::store {
namespace {

using namespace base_support;

struct Held {
  Operation operation = Operation::kSet;
  std::uint8_t flags = 0;
  Version version;
  std::string value;
};

struct Model {
  std::map<std::string, Held> data;
  std::map<std::string, Held> notes;
  std::uint64_t last_hlc = 0;

  void apply(std::map<std::string, Held>& table, const std::string& key, const Held& record,
             bool keep_tombstone) {
    last_hlc = std::max(last_hlc, record.version.hlc);
    const auto found = table.find(key);
    if (found != table.end() && record.version < found->second.version) return;
    if (record.operation == Operation::kDelete && !keep_tombstone) {
      table.erase(key);
    } else {
      table[key] = record;
    }
  }
  [[nodiscard]] std::uint64_t count(Operation operation) const {
    return static_cast<std::uint64_t>(std::count_if(
        data.begin(), data.end(), [&](const auto& entry) { return entry.second.operation == operation; }));
  }
};

class BaseModelTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BaseModelTest);
  CPPUNIT_TEST(test_random_transactions);
  CPPUNIT_TEST(test_counts_of_each_transition);
  CPPUNIT_TEST(test_equal_version_is_written_again);
  CPPUNIT_TEST(test_scan_from_anywhere);
  CPPUNIT_TEST(test_scan_stops_when_told);
  CPPUNIT_TEST(test_meta_survives_reopening);
  CPPUNIT_TEST(test_keys_that_cannot_be);
  CPPUNIT_TEST_SUITE_END();

  using Random = std::mt19937_64;

  static std::uint64_t below(Random& random, std::uint64_t end) { return random() % end; }

  /// Few keys of each kind, so that they meet; long ones differ only at their end.
  static std::string random_key(Random& random) {
    static constexpr std::array<std::size_t, 8> kLengths{1, 2, 12, 494, 495, 496, 511, 65'535};
    const std::size_t length = kLengths[below(random, kLengths.size())];
    std::string key(length, static_cast<char>('a' + below(random, 2)));
    const std::string end = std::to_string(below(random, 20));
    if (length > end.size()) key.replace(length - end.size(), end.size(), end);
    return key;
  }

  static Held random_record(Random& random) {
    static constexpr std::array<std::size_t, 6> kSizes{0, 1, 100, 2'000, 5'000, 100'000};
    Held record;
    record.version = {1 + below(random, 1'000), below(random, 3)};
    record.flags = static_cast<std::uint8_t>(below(random, 2));
    record.operation = below(random, 3) == 0 ? Operation::kDelete : Operation::kSet;
    if (record.operation == Operation::kSet) {
      record.value.assign(kSizes[below(random, kSizes.size())], static_cast<char>('A' + below(random, 26)));
    }
    return record;
  }

  static BaseRecord view_of(const Held& held) {
    return {held.operation, held.flags, held.version, held.value};
  }

  static void assert_same(const Held& expected, const BaseRecord& actual) {
    CPPUNIT_ASSERT(expected.operation == actual.operation);
    CPPUNIT_ASSERT_EQUAL(int{expected.flags}, int{actual.flags});
    CPPUNIT_ASSERT(expected.version == actual.version);
    CPPUNIT_ASSERT(expected.value == actual.value);
  }

  /// Changes a copy of the model, keeps it if the transaction is committed.
  static void random_transaction(Random& random, Base& base, Model& model) {
    Model changed = model;
    auto transaction = must(base.begin());
    std::vector<std::string> keys(1 + below(random, 40));
    for (auto& key : keys) key = random_key(random);
    if (below(random, 2) == 0) std::sort(keys.begin(), keys.end());
    for (const auto& key : keys) {
      Held record = random_record(random);
      const bool keep_tombstone = below(random, 2) == 0;
      if (below(random, 10) == 0) {
        record.operation = Operation::kNote;
        must(transaction.apply_note(key, view_of(record)));
        changed.apply(changed.notes, key, record, true);
      } else {
        must(transaction.apply(key, view_of(record), keep_tombstone));
        changed.apply(changed.data, key, record, keep_tombstone);
      }
    }
    if (below(random, 4) == 0) return;  // abandoned
    must(transaction.commit());
    model = changed;
  }

  static void assert_same(const Model& model, const Base::Snapshot& snapshot) {
    const BaseMeta meta = must(snapshot.meta());
    CPPUNIT_ASSERT_EQUAL(model.count(Operation::kSet), meta.keys);
    CPPUNIT_ASSERT_EQUAL(model.count(Operation::kDelete), meta.tombstones);
    CPPUNIT_ASSERT_EQUAL(model.last_hlc, meta.last_hlc);
    for (const auto& [key, held] : model.data) {
      const auto found = must(snapshot.get(key));
      CPPUNIT_ASSERT(found.has_value());
      assert_same(held, *found);
    }
    for (const auto& [name, held] : model.notes) {
      const auto found = must(snapshot.note(name));
      CPPUNIT_ASSERT(found.has_value());
      assert_same(held, *found);
    }
    assert_same_scan(model, snapshot);
  }

  /// The same records, ordered by the first 495 bytes of their keys.
  static void assert_same_scan(const Model& model, const Base::Snapshot& snapshot) {
    std::set<std::string> seen;
    std::string last;
    must(snapshot.scan("", [&](std::string_view key, const BaseRecord& record) {
      const std::string_view order = key.substr(0, base::kKeyPrefix);
      CPPUNIT_ASSERT(last <= order);
      last = order;
      const auto expected = model.data.find(std::string(key));
      CPPUNIT_ASSERT(expected != model.data.end());
      assert_same(expected->second, record);
      CPPUNIT_ASSERT(seen.insert(std::string(key)).second);
      return true;
    }));
    CPPUNIT_ASSERT_EQUAL(model.data.size(), seen.size());
  }

 public:
  void test_random_transactions() {
    Random random(test::seed());
    const TemporaryDirectory directory;
    Model model;
    constexpr int kOpens = 6;
    constexpr int kTransactions = 25;
    for (int open = 0; open < kOpens; ++open) {
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      auto snapshot = must(base.snapshot());
      assert_same(model, snapshot);
      for (int i = 0; i < kTransactions; ++i) {
        snapshot.reset();
        random_transaction(random, base, model);
        must(snapshot.renew());
        assert_same(model, snapshot);
        CPPUNIT_ASSERT(!must(snapshot.get("never written")).has_value());
        CPPUNIT_ASSERT(!must(snapshot.note("never written")).has_value());
      }
    }
  }

  void test_counts_of_each_transition() {
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    auto transaction = must(base.begin());
    const auto expect = [&](std::uint64_t keys, std::uint64_t tombstones) {
      CPPUNIT_ASSERT_EQUAL(keys, transaction.meta().keys);
      CPPUNIT_ASSERT_EQUAL(tombstones, transaction.meta().tombstones);
    };
    must(transaction.apply("k", tombstone(1), true));
    expect(0, 1);
    must(transaction.apply("k", set(2, "v"), true));
    expect(1, 0);
    must(transaction.apply("k", tombstone(1), true));  // older: nothing
    expect(1, 0);
    must(transaction.apply("k", tombstone(1), false));
    expect(1, 0);
    must(transaction.apply("k", set(3, "w"), true));
    expect(1, 0);
    must(transaction.apply("k", tombstone(4), true));
    expect(0, 1);
    must(transaction.apply("k", tombstone(5), false));
    expect(0, 0);
    must(transaction.apply("k", tombstone(6), false));  // nothing there to remove
    expect(0, 0);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, transaction.meta().last_hlc);
    must(transaction.commit());
    CPPUNIT_ASSERT(!must(must(base.snapshot()).get("k")).has_value());
  }

  void test_equal_version_is_written_again() {
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    auto transaction = must(base.begin());
    must(transaction.apply("k", set(7, "first"), true));
    must(transaction.apply("k", set(7, "again"), true));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, transaction.meta().keys);
    must(transaction.commit());
    CPPUNIT_ASSERT_EQUAL(std::string("again"), std::string(must(must(base.snapshot()).get("k"))->value));
  }

  void test_scan_from_anywhere() {
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    const std::string longest(65'535, 'm');
    {
      auto transaction = must(base.begin());
      for (const std::string& key : {std::string("a"), std::string("c"), longest, std::string("z")}) {
        must(transaction.apply(key, set(1, key.substr(0, 1)), true));
      }
      must(transaction.commit());
    }
    const auto snapshot = must(base.snapshot());
    const auto first_letters = [&](std::string_view from) {
      std::string letters;
      must(snapshot.scan(from, [&](std::string_view key, const BaseRecord& record) {
        CPPUNIT_ASSERT_EQUAL(key.substr(0, 1), record.value);
        letters += key.front();
        return true;
      }));
      return letters;
    };
    CPPUNIT_ASSERT_EQUAL(std::string("acmz"), first_letters(""));
    CPPUNIT_ASSERT_EQUAL(std::string("acmz"), first_letters("a"));
    CPPUNIT_ASSERT_EQUAL(std::string("cmz"), first_letters("b"));
    CPPUNIT_ASSERT_EQUAL(std::string("mz"), first_letters(longest));
    CPPUNIT_ASSERT_EQUAL(std::string("z"), first_letters("n"));
    CPPUNIT_ASSERT_EQUAL(std::string(), first_letters("zz"));
  }

  void test_scan_stops_when_told() {
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    fill(base, 10);
    int visited = 0;
    must(must(base.snapshot()).scan("", [&](std::string_view, const BaseRecord&) { return ++visited < 3; }));
    CPPUNIT_ASSERT_EQUAL(3, visited);
  }

  void test_meta_survives_reopening() {
    const TemporaryDirectory directory;
    std::uint64_t hash_seed = 0;
    {
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      auto transaction = must(base.begin());
      BaseMeta& meta = transaction.meta();
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, meta.store_id);
      hash_seed = meta.key_hash_seed;
      meta.store_id = 11;
      meta.node_id = 12;
      meta.checkpoint = 13;
      meta.last_hlc = 14;
      meta.ring_bytes = 15;
      must(transaction.commit());
    }
    const auto base = must(Base::open_writer(directory.path(), kMapBytes));
    const BaseMeta meta = must(must(base.snapshot()).meta());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{11}, meta.store_id);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{12}, meta.node_id);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{13}, meta.checkpoint);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{14}, meta.last_hlc);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{15}, meta.ring_bytes);
    CPPUNIT_ASSERT(hash_seed != 0);
    CPPUNIT_ASSERT_EQUAL(hash_seed, meta.key_hash_seed);
    const auto permissions = std::filesystem::status(base_file(directory)).permissions();
    CPPUNIT_ASSERT(permissions == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  }

  void test_keys_that_cannot_be() {
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    const std::string too_long(65'536, 'x');
    for (const std::string_view key : {std::string_view(), std::string_view(too_long)}) {
      auto transaction = must(base.begin());
      const Status applied = transaction.apply(key, set(1, "v"), true);
      CPPUNIT_ASSERT(!applied && applied.error().code == Code::kInvalidArgument);
      const Status committed = transaction.commit();  // all or nothing
      CPPUNIT_ASSERT(!committed && committed.error().code == Code::kInvalidArgument);
      CPPUNIT_ASSERT(!must(must(base.snapshot()).get(key)).has_value());
    }
    fill(base, 1);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, must(must(base.snapshot()).meta()).keys);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BaseModelTest, "base_model_test");

}  // namespace
}  // namespace minivault::store
