// Goal: a damaged, foreign or truncated base is refused with words, never a crash; a sound one never is.
// Method: named damage done to the file, to its meta pages and to its meta record.

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "common/core/unique_fd.h"
#include "common/store/base_file.h"
#include "common/store/base_pages.h"
#include "tests/store/base_damage_support.h"
#include "tests/support/seed.h"

namespace minivault::store {
namespace {

using namespace base_damage_support;

class BaseFileDamageTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BaseFileDamageTest);
  CPPUNIT_TEST(test_truncated_anywhere);
  CPPUNIT_TEST(test_short_but_sound);
  CPPUNIT_TEST(test_not_an_lmdb_file);
  CPPUNIT_TEST(test_damaged_meta_pages);
  CPPUNIT_TEST(test_foreign_lmdb_file);
  CPPUNIT_TEST(test_meta_of_a_newer_version);
  CPPUNIT_TEST(test_damaged_meta_record);
  CPPUNIT_TEST(test_offline_reading_leaves_no_trace);
  CPPUNIT_TEST_SUITE_END();

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

  static std::uint64_t claimed_bytes(const std::string& file) {
    const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const auto meta = must(base::read_newest_meta(opened.get(), std::filesystem::file_size(file)));
    return (meta.last_page + 1) * meta.free.pad;
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
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BaseFileDamageTest, "base_file_damage_test");

}  // namespace
}  // namespace minivault::store
