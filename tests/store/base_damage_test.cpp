// Goal: a damaged record is an error in words to whoever reads it, never a value and never a crash; records
// that damage hides are missed. Method: named damage done to single records, or pages, behind the base's
// back. Of the file and its meta: base_file_damage_test.

#include <xxhash.h>

#include <cstring>

#include "tests/store/base_damage_support.h"
#include "tests/support/base_pages.h"

namespace minivault::store {
namespace {

using namespace base_damage_support;

class BaseDamageTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BaseDamageTest);
  CPPUNIT_TEST(test_damaged_records);
  CPPUNIT_TEST(test_a_whole_record_takes_a_damaged_one_s_place);
  CPPUNIT_TEST(test_counts_stay_sane_whatever_was_damaged);
  CPPUNIT_TEST(test_a_sweep_leaves_damage_to_whoever_reads_it);
  CPPUNIT_TEST(test_record_out_of_order);
  CPPUNIT_TEST(test_every_flipped_byte_of_a_record_is_found);
  CPPUNIT_TEST(test_hash_collision);
  CPPUNIT_TEST(test_hidden_records_are_missed);
  CPPUNIT_TEST(test_a_page_in_another_s_place_is_found);
  CPPUNIT_TEST(test_writes_over_hidden_records_do_no_harm);
  CPPUNIT_TEST(test_a_damaged_operation_is_counted_as_what_it_was);
  CPPUNIT_TEST(test_what_was_counted_as_the_other_kind_leaves_the_sum_right);
  CPPUNIT_TEST_SUITE_END();

  static bool see_all(std::string_view, const BaseRecord&) { return true; }

  /// Gives `record` the checksum that it has under `stored_key` (SCHEMA.md).
  static void sign(const std::string& stored_key, std::string& record) {
    std::memset(record.data() + 20, 0, 4);
    const auto key = XXH3_64bits(stored_key.data(), stored_key.size());
    const auto head = XXH3_64bits_withSeed(record.data(), base::kRecordHeader, key);
    const std::string_view rest = std::string_view(record).substr(base::kRecordHeader);
    const auto checksum = static_cast<std::uint32_t>(XXH3_64bits_withSeed(rest.data(), rest.size(), head));
    std::memcpy(record.data() + 20, &checksum, sizeof checksum);
  }

 public:
  void test_damaged_records() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 1);
    const std::string sound = encoded("k", set(1, "v"));
    const auto with = [&](std::size_t at, char byte) {
      std::string damaged = sound;
      damaged[at] = byte;
      return damaged;
    };
    const std::array<std::pair<std::string, std::string>, 5> kDamages{{
        {sound.substr(0, 23), "shorter than its header"},
        {with(16, 9), "operation 9"},
        {with(16, 0), "operation 0"},
        {with(16, 3), "operation 3"},  // a note among the data
        {with(18, 1), "a whole key beside a short stored key"},
    }};
    for (const auto& [bytes, because] : kDamages) {
      raw_put(base_file(directory), "data", "k", bytes);
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      const auto snapshot = must(base.snapshot());
      assert_corrupt(snapshot.get("k"), because);
      assert_corrupt(snapshot.scan("", see_all), because);
      CPPUNIT_ASSERT(must(snapshot.get("key 0")).has_value());  // the next request is served
    }
  }

  /// Whatever is damaged, its version first of all.
  void test_a_whole_record_takes_a_damaged_one_s_place() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 1);
    const std::string sound = encoded("k", set(1, "v"));
    for (const bool removed : {false, true}) {
      for (std::size_t at = 0; at < sound.size(); ++at) {
        raw_put(base_file(directory), "data", "k", damaged_at(sound, at));
        auto base = must(Base::open_writer(directory.path(), kMapBytes));
        auto transaction = must(base.begin());
        must(transaction.apply("k", removed ? tombstone(2) : set(2, "w"), false));
        must(transaction.commit());
        const auto now = must(must(base.snapshot()).get("k"));
        CPPUNIT_ASSERT_EQUAL(!removed, now.has_value());
        CPPUNIT_ASSERT(removed || now->value == "w");
      }
    }
  }

  /// What a damaged record seems to be was perhaps never counted as that: no count goes below 0.
  void test_counts_stay_sane_whatever_was_damaged() {
    for (const auto& seems : {set(1, "v"), tombstone(1)}) {
      const TemporaryDirectory directory;
      make_base(directory.path(), 0);
      raw_put(base_file(directory), "data", "k", damaged_at(encoded("k", seems), 0));
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      auto transaction = must(base.begin());
      must(transaction.apply("k", tombstone(2), false));
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, transaction.meta().keys);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, transaction.meta().tombstones);
      must(transaction.commit());
    }
    const TemporaryDirectory directory;
    make_base(directory.path(), 0);
    raw_put(base_file(directory), "data", "not counted", encoded("not counted", tombstone(1)));
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    auto transaction = must(base.begin());
    CPPUNIT_ASSERT_EQUAL(std::string(), must(transaction.sweep("", 10, 5)).next);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, transaction.meta().tombstones);
  }

  /// A damaged record is no tombstone, however much it looks like one that may go: then nothing would tell of
  /// it any more.
  void test_a_sweep_leaves_damage_to_whoever_reads_it() {
    const TemporaryDirectory directory;
    const std::string sound = encoded("k", tombstone(1));
    for (std::size_t at = 0; at <= sound.size(); ++at) {
      const bool damaged = at < sound.size();
      make_base(directory.path(), 1);
      raw_put(base_file(directory), "data", "k", damaged ? damaged_at(sound, at) : sound);
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      auto transaction = must(base.begin());
      CPPUNIT_ASSERT_EQUAL(std::string(), must(transaction.sweep("", 10, ~std::uint64_t{0})).next);
      must(transaction.commit());
      const auto now = must(base.snapshot()).get("k");
      CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(at), !damaged, now.has_value());
      if (!damaged) CPPUNIT_ASSERT(!now->has_value());
    }
  }

  /// A page that lost its order: a GET may miss what is there, so a scan tells.
  void test_record_out_of_order() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 3);
    raw_put(base_file(directory), "data", "z", encoded("z", set(1, "v")),
            [](const MDB_val*, const MDB_val*) { return -1; });
    const auto base = must(Base::open_writer(directory.path(), kMapBytes));
    assert_corrupt(must(base.snapshot()).scan("", see_all), "out of order");
  }

  /// What no header tells: a flipped bit anywhere is found by a read and by a scan, named, and need not end
  /// it.
  void test_every_flipped_byte_of_a_record_is_found() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 3);
    const std::string sound = encoded("key 1", set(7, "twenty bytes of data"));
    for (std::size_t at = 0; at < sound.size(); ++at) {
      raw_put(base_file(directory), "data", "key 1", damaged_at(sound, at, 0x10));
      const auto base = must(Base::open_offline(directory.path()));
      const auto snapshot = must(base.snapshot());
      CPPUNIT_ASSERT(!snapshot.get("key 1"));
      CPPUNIT_ASSERT(!snapshot.scan("", see_all));
      unsigned visited = 0;
      std::string named;
      must(snapshot.scan(
          "", [&](std::string_view, const BaseRecord&) { return ++visited > 0; },
          [&](std::string_view stored_key, const Error&) { return !(named = stored_key).empty(); }));
      CPPUNIT_ASSERT_EQUAL(2U, visited);
      CPPUNIT_ASSERT_EQUAL(std::string("key 1"), named);
    }
    raw_put(base_file(directory), "data", "key 2", sound);  // sound, but another key's
    const auto base = must(Base::open_offline(directory.path()));
    assert_corrupt(must(base.snapshot()).scan("key 2", see_all), "checksum");
  }

  void test_hash_collision() {
    const TemporaryDirectory directory;
    const std::string key(600, 'k');
    std::string other = key;
    other.back() = 'l';
    {
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      auto transaction = must(base.begin());
      must(transaction.apply(key, set(1, "v"), true));
      must(transaction.commit());
    }
    std::string stored;
    {
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      const base::StoredKey stored_key(key, must(must(base.snapshot()).meta()).key_hash_seed);
      stored = stored_key.bytes();
    }
    CPPUNIT_ASSERT_EQUAL(base::kHashedKey, stored.size());
    const base::StoredKey other_key(other, 0);
    std::string record(base::record_bytes(other_key, set(1, "v")), '\0');
    base::encode_record(other_key, set(1, "v"), record.data());
    sign(stored, record);
    CPPUNIT_ASSERT(base::checksum_holds(stored, record));
    raw_put(base_file(directory), "data", stored, record);

    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    assert_corrupt(must(base.snapshot()).get(key), "same hash");
    for (const auto& change : {set(2, "w"), tombstone(2)}) {
      auto transaction = must(base.begin());
      assert_corrupt(transaction.apply(key, change, false), "same hash");
      assert_corrupt(transaction.commit(), "same hash");
    }
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, must(must(base.snapshot()).meta()).keys);
  }

  /// Keys that vanish from lookups without an error.
  void test_hidden_records_are_missed() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 1'000);
    must(must(Base::open_offline(directory.path()).value().snapshot()).prove_whole());
    test::BasePages pages(base_file(directory));
    const auto hidden = pages.hide(8);
    pages.store();
    const auto base = must(Base::open_offline(directory.path()));
    const auto snapshot = must(base.snapshot());
    for (const std::string& key : hidden) CPPUNIT_ASSERT(!must(snapshot.get(key)).has_value());
    assert_corrupt(snapshot.prove_whole(), "992 records are there of 1000");
    const auto any = [](std::string_view, const BaseRecord&) { return true; };
    assert_corrupt(snapshot.scan("", any), "992 records are there of 1000");
    unsigned told = 0;
    must(snapshot.scan("", any,
                       [&](std::string_view key, const Error&) { return key.empty() && ++told == 1; }));
    CPPUNIT_ASSERT_EQUAL(1U, told);
    must(snapshot.scan("", [](std::string_view, const BaseRecord&) { return false; }));
    must(snapshot.scan("key 9", any));
  }

  /// Where each leaf has as many keys as the next, their number tells nothing.
  void test_a_page_in_another_s_place_is_found() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 1'000);
    test::BasePages pages(base_file(directory));
    const std::uint64_t root = pages.root("data");
    CPPUNIT_ASSERT(!pages.is_leaf(root));
    const auto nodes = pages.nodes(root);
    pages.put(nodes[2], static_cast<std::uint16_t>(pages.child(nodes[1])));
    pages.store();
    const auto base = must(Base::open_offline(directory.path()));
    assert_corrupt(must(base.snapshot()).prove_whole(), "out of order");
  }

  /// What the peers bring back finds its place, beside everything else; then the base counts as whole again.
  void test_writes_over_hidden_records_do_no_harm() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 1'000);
    test::BasePages pages(base_file(directory));
    const auto hidden = pages.hide(8);
    pages.store();
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    recount(base);
    must(must(base.snapshot()).prove_whole());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{992}, must(must(base.snapshot()).meta()).keys);
    {
      auto transaction = must(base.begin());
      for (const std::string& key : hidden) must(transaction.apply(key, set(1, "back"), true));
      for (unsigned i = 0; i < 500; ++i) {
        must(transaction.apply("key 5" + std::to_string(i), set(2, std::string(200, 'n')), true));
        must(transaction.apply("key 6" + std::to_string(i), tombstone(2), i % 2 == 0));
      }
      must(transaction.commit());
    }
    const auto snapshot = must(base.snapshot());
    must(snapshot.scan("", [](std::string_view, const BaseRecord&) { return true; }));
    for (const std::string& key : hidden) CPPUNIT_ASSERT(must(snapshot.get(key)).has_value());
  }

  void test_a_damaged_operation_is_counted_as_what_it_was() {
    for (const char damage : {'\1', '\2', '\3', '\177'}) {
      const TemporaryDirectory directory;
      {
        auto base = must(Base::open_writer(directory.path(), kMapBytes));
        auto transaction = must(base.begin());
        must(transaction.apply("k", set(1, "v"), true));
        must(transaction.apply("t", tombstone(1), true));
        must(transaction.commit());
      }
      for (const auto& [name, record] : {std::pair("k", set(1, "v")), std::pair("t", tombstone(1))}) {
        const base::StoredKey key(name, 0);
        std::string bytes(base::record_bytes(key, record), '\0');
        base::encode_record(key, record, bytes.data());
        bytes[16] = damage;
        raw_put(base_file(directory), "data", name, bytes);
      }
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      recount(base);
      auto transaction = must(base.begin());
      CPPUNIT_ASSERT(transaction.meta().keys == 1 && transaction.meta().tombstones == 1);
      must(transaction.apply("k", tombstone(2), true));
      CPPUNIT_ASSERT(transaction.meta().keys == 0 && transaction.meta().tombstones == 2);
      must(transaction.apply("t", set(2, "v"), true));
      CPPUNIT_ASSERT(transaction.meta().keys == 1 && transaction.meta().tombstones == 1);
    }
  }

  /// Else a base in which nothing is hidden would seem to hide some for ever.
  void test_what_was_counted_as_the_other_kind_leaves_the_sum_right() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 9);
    for (unsigned i = 0; i < 9; ++i) {
      const std::string key = "key " + std::to_string(i);
      raw_put(base_file(directory), "data", key, encoded(key, tombstone(1)));
    }
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    const auto assert_whole = [&](std::uint64_t records) {
      const auto snapshot = must(base.snapshot());
      must(snapshot.prove_whole());
      CPPUNIT_ASSERT_EQUAL(records, must(snapshot.meta()).keys + must(snapshot.meta()).tombstones);
    };
    for (const bool keep : {true, false}) {
      auto transaction = must(base.begin());
      must(transaction.apply(keep ? "key 0" : "key 1", tombstone(2), keep));
      must(transaction.commit());
      assert_whole(keep ? 9 : 8);
    }
    auto transaction = must(base.begin());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{7}, must(transaction.sweep("", 10, 1)).removed);
    must(transaction.commit());
    assert_whole(1);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BaseDamageTest, "base_damage_test");

}  // namespace
}  // namespace minivault::store
