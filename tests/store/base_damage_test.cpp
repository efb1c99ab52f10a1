// Goal: a damaged, foreign or truncated base is refused with words, never a crash; a sound one never is.
// Method: named damage done to the file or, behind the base's back, to single records.

#include <fcntl.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "common/core/unique_fd.h"
#include "common/store/base_file.h"
#include "common/store/base_format.h"
#include "common/store/base_pages.h"
#include "tests/store/base_support.h"
#include "tests/support/base_pages.h"
#include "tests/support/seed.h"

namespace minivault::store {
namespace {

using namespace base_support;

class BaseDamageTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BaseDamageTest);
  CPPUNIT_TEST(test_truncated_anywhere);
  CPPUNIT_TEST(test_short_but_sound);
  CPPUNIT_TEST(test_not_an_lmdb_file);
  CPPUNIT_TEST(test_damaged_meta_pages);
  CPPUNIT_TEST(test_foreign_lmdb_file);
  CPPUNIT_TEST(test_meta_of_a_newer_version);
  CPPUNIT_TEST(test_damaged_meta_record);
  CPPUNIT_TEST(test_damaged_records);
  CPPUNIT_TEST(test_a_whole_record_takes_a_damaged_one_s_place);
  CPPUNIT_TEST(test_counts_stay_sane_whatever_was_damaged);
  CPPUNIT_TEST(test_a_sweep_leaves_damage_to_whoever_reads_it);
  CPPUNIT_TEST(test_record_out_of_order);
  CPPUNIT_TEST(test_every_flipped_byte_of_a_record_is_found);
  CPPUNIT_TEST(test_offline_reading_leaves_no_trace);
  CPPUNIT_TEST(test_hash_collision);
  CPPUNIT_TEST(test_hidden_records_are_missed);
  CPPUNIT_TEST(test_a_page_in_another_s_place_is_found);
  CPPUNIT_TEST(test_writes_over_hidden_records_do_no_harm);
  CPPUNIT_TEST(test_a_damaged_operation_is_counted_as_what_it_was);
  CPPUNIT_TEST(test_what_was_counted_as_the_other_kind_leaves_the_sum_right);
  CPPUNIT_TEST_SUITE_END();

  static void make_base(const std::string& directory, unsigned keys) {
    auto base = must(Base::open_writer(directory, kMapBytes));
    fill(base, keys);
  }

  static void assert_refused(const std::string& directory, const std::string& because) {
    for (const auto& opened : {Base::open_writer(directory, kMapBytes).map([](const Base&) {}),
                               Base::open_reader(directory, kMapBytes).map([](const Base&) {})}) {
      CPPUNIT_ASSERT(!opened);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(opened.error().message, Code::kCorrupt, opened.error().code);
      CPPUNIT_ASSERT_MESSAGE(opened.error().message,
                             opened.error().message.find(because) != std::string::npos);
      CPPUNIT_ASSERT_MESSAGE(opened.error().message,
                             opened.error().message.find("base.mdb") != std::string::npos);
    }
  }

  template <typename T>
  static void assert_corrupt(const tl::expected<T, Error>& result, const std::string& because) {
    CPPUNIT_ASSERT(!result);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(result.error().message, Code::kCorrupt, result.error().code);
    CPPUNIT_ASSERT_MESSAGE(result.error().message, result.error().message.find(because) != std::string::npos);
  }

  static std::uint64_t claimed_bytes(const std::string& file) {
    const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const auto meta = must(base::read_newest_meta(opened.get(), std::filesystem::file_size(file)));
    return (meta.last_page + 1) * meta.free.pad;
  }

  static bool see_all(std::string_view, const BaseRecord&) { return true; }

  /// As the base stores it under `key`, a short one.
  static std::string encoded(const std::string& key, const BaseRecord& record) {
    const base::StoredKey stored_key(key, 0);
    std::string bytes(base::record_bytes(stored_key, record), '\0');
    base::encode_record(stored_key, record, bytes.data());
    return bytes;
  }

  static std::string damaged_at(std::string bytes, std::size_t at, char flipped = 0x40) {
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ flipped);
    return bytes;
  }

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
  void test_truncated_anywhere() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 5'000);
    const auto whole = std::filesystem::file_size(base_file(directory));
    CPPUNIT_ASSERT(whole > 500'000);
    for (const std::uintmax_t left : {whole - 1, whole - 4'096, whole / 2, std::uintmax_t{3 * 4'096}}) {
      std::filesystem::resize_file(base_file(directory), left);
      assert_refused(directory.path(), "truncated");
    }
    for (const std::uintmax_t left : {8'000, 4'096, 152, 100, 1}) {
      std::filesystem::resize_file(base_file(directory), left);
      assert_refused(directory.path(), "");
    }
  }

  /// Pages that one transaction allocates and frees are never written, wherever they are.
  void test_short_but_sound() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 100);
    {
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      for (std::uint64_t i = 2; i < 6; ++i)
        fill(base, 100, i);  // LMDB does so once it has free pages at hand
      auto transaction = must(base.begin());
      must(transaction.apply("large", set(1, std::string(1'000'000, 'x')), true));
      must(transaction.apply("large", tombstone(2), false));
      must(transaction.commit());
    }
    CPPUNIT_ASSERT(std::filesystem::file_size(base_file(directory)) + 900'000 <
                   claimed_bytes(base_file(directory)));
    {
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, must(must(base.snapshot()).meta()).keys);
    }
    (void)must(Base::open_reader(directory.path(), kMapBytes));
    std::filesystem::resize_file(base_file(directory), 3 * 4'096);
    assert_refused(directory.path(), "truncated");
  }

  void test_not_an_lmdb_file() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    std::string bytes(65'536, '\0');
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random()); });
    for (const auto& content : {bytes, std::string(65'536, '\0'), std::string("text\n")}) {
      (void)directory.write("base.mdb", content);
      assert_refused(directory.path(), "");
    }
    std::filesystem::remove(base_file(directory));
    std::filesystem::create_directory(base_file(directory));
    assert_refused(directory.path(), "not a regular file");
  }

  /// Flips bits all over both meta pages: opened or refused, but never a crash.
  void test_damaged_meta_pages() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    make_base(directory.path(), 100);
    std::ifstream stream(base_file(directory), std::ios::binary);
    const std::string sound{std::istreambuf_iterator<char>(stream), {}};
    constexpr std::size_t kPage = 4'096;
    int refused = 0;
    for (std::size_t i = 0; i < 2 * sizeof(base::MetaPage); ++i) {
      const std::size_t at = i < sizeof(base::MetaPage) ? i : kPage + i - sizeof(base::MetaPage);
      (void)directory.write("base.mdb", damaged_at(sound, at, static_cast<char>(1U << random() % 8)));
      if (!base::check_file(base_file(directory))) ++refused;
      (void)Base::open_reader(directory.path(), kMapBytes);
    }
    CPPUNIT_ASSERT(refused > 20);
  }

  void test_foreign_lmdb_file() {
    const TemporaryDirectory directory;
    MDB_env* env = nullptr;
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_create(&env));
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_open(env, base_file(directory).c_str(), MDB_NOSUBDIR, 0600));
    ::mdb_env_close(env);
    make_base(directory.path(), 1);  // nothing in it yet: it becomes a base
    std::filesystem::remove(base_file(directory));
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_create(&env));
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_set_maxdbs(env, 1));
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_open(env, base_file(directory).c_str(), MDB_NOSUBDIR, 0600));
    MDB_txn* transaction = nullptr;
    MDB_dbi dbi = 0;
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_txn_begin(env, nullptr, 0, &transaction));
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_dbi_open(transaction, "data", MDB_CREATE, &dbi));
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_txn_commit(transaction));
    ::mdb_env_close(env);
    assert_refused(directory.path(), "tables are missing");
  }

  void test_meta_of_a_newer_version() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 1);
    auto bytes = base::encode_meta({});
    bytes[0] = 2;
    raw_put(base_file(directory), "meta", "base", {bytes.data(), bytes.size()});
    assert_refused(directory.path(), "written by a newer version");
  }

  void test_damaged_meta_record() {
    const TemporaryDirectory directory;
    make_base(directory.path(), 1);
    const auto sound = base::encode_meta({});
    for (std::size_t i = 4; i < sound.size(); ++i) {
      assert_corrupt(base::decode_meta(damaged_at({sound.data(), sound.size()}, i)), "checksum");
    }
    raw_put(base_file(directory), "meta", "base", {sound.data(), sound.size() - 1});
    assert_refused(directory.path(), std::to_string(base::kMetaBytes - 1) + " bytes instead of " +
                                         std::to_string(base::kMetaBytes));
    raw_put(base_file(directory), "meta", "base", "");
    assert_refused(directory.path(), "no format version");
  }

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

  void test_offline_reading_leaves_no_trace() {
    const TemporaryDirectory directory;
    CPPUNIT_ASSERT(!Base::open_offline(directory.path()));
    CPPUNIT_ASSERT(std::filesystem::is_empty(directory.path()));
    make_base(directory.path(), 3);
    std::filesystem::remove(directory.file("base.mdb-lock"));
    const auto base = must(Base::open_offline(directory.path()));
    unsigned visited = 0;
    must(must(base.snapshot()).scan("", [&](std::string_view, const BaseRecord&) { return ++visited > 0; }));
    CPPUNIT_ASSERT_EQUAL(3U, visited);
    CPPUNIT_ASSERT(!std::filesystem::exists(directory.file("base.mdb-lock")));
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
