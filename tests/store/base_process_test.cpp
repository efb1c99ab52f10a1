// Goal: several processes on one base; any of them may die by SIGKILL at any point.
// Method: children that are stopped at a known point by a channel, then killed.

#include <chrono>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "tests/store/base_support.h"
#include "tests/support/seed.h"

namespace minivault::store {
namespace {

using namespace base_support;
using Channel = Child::Channel;

constexpr std::uint64_t kReady = 1;
constexpr std::uint64_t kGo = 2;

class BaseProcessTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BaseProcessTest);
  CPPUNIT_TEST(test_reader_sees_commits_when_it_renews);
  CPPUNIT_TEST(test_reader_follows_a_larger_map);
  CPPUNIT_TEST(test_killed_reader_is_reaped);
  CPPUNIT_TEST(test_readers_full_of_the_dead);
  CPPUNIT_TEST(test_writer_killed_in_a_transaction);
  CPPUNIT_TEST(test_writer_killed_while_a_reader_lives);
  CPPUNIT_TEST(test_writer_killed_at_any_instant);
  CPPUNIT_TEST(test_only_a_live_snapshot_pins_pages);
  CPPUNIT_TEST(test_reader_needs_a_base);
  CPPUNIT_TEST_SUITE_END();

  /// Answers each word with the number of keys that a renewed snapshot sees.
  static void count_keys_on_request(const std::string& directory, std::uint64_t map_bytes,
                                    const Channel& channel) {
    if (channel.receive() != kGo) return;
    const auto base = must(Base::open_reader(directory, map_bytes));
    auto snapshot = must(base.snapshot());
    snapshot.reset();
    channel.send(kReady);
    while (channel.receive() == kGo) {
      must(snapshot.renew());
      std::uint64_t keys = 0;
      must(snapshot.scan("", [&](std::string_view, const BaseRecord&) { return ++keys > 0; }));
      CPPUNIT_ASSERT_EQUAL(must(snapshot.meta()).keys, keys);
      snapshot.reset();
      channel.send(keys);
    }
  }

  static std::uint64_t ask(const Child& child) {
    child.channel().send(kGo);
    return child.channel().receive();
  }

  static void hold_a_snapshot(const std::string& directory, const Channel& channel) {
    if (channel.receive() != kGo) return;
    const auto base = must(Base::open_reader(directory, kMapBytes));
    const auto snapshot = must(base.snapshot());
    channel.send(kReady);
    (void)channel.receive();
  }

  /// Commits 100 keys, then stops in the middle of a transaction that spilled pages into the file.
  static void write_and_stop(const std::string& directory, const Channel& channel) {
    auto base = must(Base::open_writer(directory, kMapBytes));
    fill(base, 100);
    auto transaction = must(base.begin());
    const std::string value(100'000, 'x');
    for (int i = 0; i < 300; ++i) must(transaction.apply("lost " + std::to_string(i), set(2, value), true));
    must(transaction.apply("key 1", tombstone(2), false));
    channel.send(kReady);
    (void)channel.receive();
  }

  static void assert_only_the_committed(Base& base) {
    const auto snapshot = must(base.snapshot());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, must(snapshot.meta()).keys);
    std::uint64_t seen = 0;
    must(snapshot.scan("", [&](std::string_view key, const BaseRecord& record) {
      CPPUNIT_ASSERT(key.starts_with("key ") && record.version.hlc == 1);
      return ++seen > 0;
    }));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, seen);
  }

  /// How much longer the file gets by writing one large value again and again.
  static std::uintmax_t file_growth(Base& base, const std::string& file) {
    const std::uint64_t newest = must(must(base.snapshot()).meta()).last_hlc;
    const auto before = std::filesystem::file_size(file);
    const std::string value(1'000'000, 'x');
    for (std::uint64_t i = 1; i <= 20; ++i) {
      auto transaction = must(base.begin());
      must(transaction.apply("k", set(newest + i, value), true));
      must(transaction.commit());
    }
    return std::filesystem::file_size(file) - before;
  }

 public:
  void test_reader_sees_commits_when_it_renews() {
    const TemporaryDirectory directory;
    Child reader(
        [&](const Channel& channel) { count_keys_on_request(directory.path(), kMapBytes, channel); });
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    CPPUNIT_ASSERT_EQUAL(kReady, ask(reader));
    for (const unsigned keys : {1U, 10U, 1'000U}) {
      fill(base, keys);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{keys}, ask(reader));
    }
  }

  void test_reader_follows_a_larger_map() {
    const TemporaryDirectory directory;
    constexpr std::uint64_t kSmallMap = 256 * 1024;
    Child reader(
        [&](const Channel& channel) { count_keys_on_request(directory.path(), kSmallMap, channel); });
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    CPPUNIT_ASSERT_EQUAL(kReady, ask(reader));
    constexpr unsigned kKeys = 50'000;
    fill(base, kKeys);
    CPPUNIT_ASSERT(base.used_bytes() > kSmallMap);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{kKeys}, ask(reader));
  }

  void test_killed_reader_is_reaped() {
    const TemporaryDirectory directory;
    Child reader([&](const Channel& channel) { hold_a_snapshot(directory.path(), channel); });
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    CPPUNIT_ASSERT_EQUAL(kReady, ask(reader));
    CPPUNIT_ASSERT_EQUAL(0U, must(base.reap_readers()));
    reader.kill();
    CPPUNIT_ASSERT_EQUAL(1U, must(base.reap_readers()));
    CPPUNIT_ASSERT_EQUAL(0U, must(base.reap_readers()));
  }

  void test_readers_full_of_the_dead() {
    const TemporaryDirectory directory;
    constexpr std::size_t kSlots = 2'048;
    Child hoarder([&](const Channel& channel) {
      if (channel.receive() != kGo) return;
      const auto base = must(Base::open_reader(directory.path(), kMapBytes));
      std::vector<Base::Snapshot> snapshots;
      for (std::size_t i = 0; i < kSlots; ++i) snapshots.push_back(must(base.snapshot()));
      channel.send(kReady);
      (void)channel.receive();
    });
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    CPPUNIT_ASSERT_EQUAL(kReady, ask(hoarder));
    const auto refused = base.snapshot();
    CPPUNIT_ASSERT(!refused && refused.error().code == Code::kUnavailable);
    hoarder.kill();
    CPPUNIT_ASSERT(base.snapshot().has_value());
  }

  void test_writer_killed_in_a_transaction() {
    const TemporaryDirectory directory;
    Child writer([&](const Channel& channel) { write_and_stop(directory.path(), channel); });
    CPPUNIT_ASSERT_EQUAL(kReady, writer.channel().receive());
    writer.kill();
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    assert_only_the_committed(base);
    fill(base, 200, 3);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{200}, must(must(base.snapshot()).meta()).keys);
  }

  /// The lock file stays in use, so the dead writer's mutex must be taken over.
  void test_writer_killed_while_a_reader_lives() {
    const TemporaryDirectory directory;
    Child reader(
        [&](const Channel& channel) { count_keys_on_request(directory.path(), kMapBytes, channel); });
    Child writer([&](const Channel& channel) { write_and_stop(directory.path(), channel); });
    CPPUNIT_ASSERT_EQUAL(kReady, writer.channel().receive());
    CPPUNIT_ASSERT_EQUAL(kReady, ask(reader));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, ask(reader));
    writer.kill();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, ask(reader));
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    assert_only_the_committed(base);
    fill(base, 200, 3);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{200}, ask(reader));
  }

  /// Each commit gives every key the same version and says so; whole commits only, and none that was told, is
  /// lost.
  void test_writer_killed_at_any_instant() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    constexpr unsigned kKeys = 200;
    std::uint64_t newest = 1;
    for (int round = 0; round < 15; ++round) {
      Child writer([&](const Channel& channel) {
        auto base = must(Base::open_writer(directory.path(), kMapBytes));
        for (std::uint64_t hlc = newest;; channel.send(hlc++)) fill(base, kKeys, hlc);
      });
      for (auto left = 1 + random() % 10; left > 0; --left) newest = writer.channel().receive();
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 2'000));
      writer.kill();
      const auto base = must(Base::open_writer(directory.path(), kMapBytes));
      const auto snapshot = must(base.snapshot());
      const BaseMeta meta = must(snapshot.meta());
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{kKeys}, meta.keys);
      CPPUNIT_ASSERT(meta.last_hlc >= newest);
      must(snapshot.scan("", [&](std::string_view, const BaseRecord& record) {
        CPPUNIT_ASSERT_EQUAL(meta.last_hlc, record.version.hlc);
        return true;
      }));
      newest = meta.last_hlc + 1;
    }
  }

  void test_only_a_live_snapshot_pins_pages() {
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    auto snapshot = must(base.snapshot());
    snapshot.reset();
    CPPUNIT_ASSERT(file_growth(base, base_file(directory)) < 6'000'000);
    must(snapshot.renew());
    CPPUNIT_ASSERT(file_growth(base, base_file(directory)) > 15'000'000);
    CPPUNIT_ASSERT(base.used_bytes() < 25'000'000);
    snapshot.reset();
    CPPUNIT_ASSERT_EQUAL(std::uintmax_t{0}, file_growth(base, base_file(directory)));
    CPPUNIT_ASSERT(base.used_bytes() < 2'500'000);
  }

  void test_reader_needs_a_base() {
    const TemporaryDirectory directory;
    const auto absent = Base::open_reader(directory.path(), kMapBytes);
    CPPUNIT_ASSERT(!absent && absent.error().code == Code::kUnavailable);
    CPPUNIT_ASSERT(absent.error().message.find(base_file(directory)) != std::string::npos);
    CPPUNIT_ASSERT(!std::filesystem::exists(base_file(directory)));
    const auto nowhere = Base::open_writer(directory.path() + "/no such directory", kMapBytes);
    CPPUNIT_ASSERT(!nowhere && nowhere.error().code == Code::kIo);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BaseProcessTest, "base_process_test");

}  // namespace
}  // namespace minivault::store
