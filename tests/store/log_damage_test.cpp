// Goal: damage in the middle of what was acknowledged is told, with its LSNs and the keys that can be known,
// and the node does not start; what merely never got to disk is passed over without a word. Method: each byte
// of a record, each sector and page of a log is flipped, zeroed, swapped or put back from an earlier lap, one
// at a time.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/store/recovery_support.h"

namespace minivault::test {
namespace {

using namespace recovery_support;

constexpr std::uint64_t kRingBytes = 1 << 20;

}  // namespace

class LogDamageTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LogDamageTest);
  CPPUNIT_TEST(every_byte_of_an_acknowledged_record);
  CPPUNIT_TEST(zeroed_and_swapped_pages);
  CPPUNIT_TEST(a_page_of_an_earlier_lap);
  CPPUNIT_TEST(a_shorter_file);
  CPPUNIT_TEST(names_what_is_lost);
  CPPUNIT_TEST(names_a_few_of_many);
  CPPUNIT_TEST_SUITE_END();

  /// A crashed engine whose log holds `count` acknowledged records that are not in the base, from `first` on.
  struct Crashed {
    Engine engine{kRingBytes};
    store::Lsn first = 0;
    store::Lsn end = 0;

    explicit Crashed(std::uint64_t count, std::size_t bytes = kValueBytes) {
      engine.start();
      fill(engine, 1, 1);
      engine.checkpoint_now();
      first = engine.state().marks.tail.load();
      fill(engine, 2, count, bytes);
      end = fill(engine, count + 1, count + 1);  // saw all before it on disk
      engine.kill();
      CPPUNIT_ASSERT_EQUAL(first, engine.state().marks.checkpoint.load());
    }
    [[nodiscard]] off_t offset(store::Lsn lsn) const { return offset_of(lsn, kRingBytes); }
    [[nodiscard]] std::string bytes(store::Lsn from, store::Lsn to) const {
      return read_bytes(log_of(engine), offset(from), to - from);
    }
    void put(store::Lsn from, const std::string& bytes) const {
      overwrite(log_of(engine), offset(from), bytes);
    }
    void start_and_find(std::uint64_t last) {
      engine.start();
      assert_holds(engine, 1, last);
    }
  };

 public:
  void every_byte_of_an_acknowledged_record() {
    Crashed crashed(6);
    const std::size_t size = sizeof(store::RecordHeader) + key_of(2).size() + kValueBytes;
    for (std::size_t at = 0; at < size; ++at) {
      flip_bit(log_of(crashed.engine), crashed.offset(crashed.first + at));
      assert_refused(crashed.engine, "LSN " + std::to_string(crashed.first) + " to ");
      flip_bit(log_of(crashed.engine), crashed.offset(crashed.first + at));
    }
    crashed.start_and_find(7);
  }

  void zeroed_and_swapped_pages() {
    for (const std::uint64_t page : {std::uint64_t{512}, std::uint64_t{4'096}}) {
      Crashed crashed(12, 3'000);
      std::vector<store::Lsn> pages;
      for (store::Lsn at = crashed.first / page * page; at + page < crashed.end - 200; at += page) {
        pages.push_back(std::max(at, crashed.first));
      }
      CPPUNIT_ASSERT(pages.size() > 4);
      for (std::size_t i = 0; i + 1 < pages.size(); ++i) {
        const std::string sound = crashed.bytes(pages[i], pages[i + 1]);
        crashed.put(pages[i], std::string(sound.size(), '\0'));
        assert_refused(crashed.engine, "the log is damaged in what was acknowledged");
        const std::string next = crashed.bytes(pages[i + 1], pages[i + 1] + sound.size());
        if (next != sound) {
          crashed.put(pages[i], next);
          assert_refused(crashed.engine, "the log is damaged in what was acknowledged");
        }
        crashed.put(pages[i], sound);
      }
      crashed.start_and_find(13);
    }
  }

  void a_page_of_an_earlier_lap() {
    Engine engine(kRingBytes);
    engine.start();
    store::Lsn end = 0;
    std::string old;
    store::Lsn first = 0;
    for (std::uint64_t i = 1; first == 0; ++i) {
      end = fill(engine, i, i, 6'000);
      if (end < kRingBytes + 4'096) old = read_bytes(log_of(engine), 0, 4'096 + kRingBytes);
      if (end < kRingBytes + 200'000) continue;
      engine.checkpoint_now();
      first = engine.state().marks.tail.load();
      end = fill(engine, i + 1, i + 5, 6'000);
    }
    fill(engine, 500, 500);
    engine.kill();
    const std::string path = log_of(engine);
    const off_t page = offset_of(first + 8'192, kRingBytes) / 4'096 * 4'096;
    overwrite(path, page, old.substr(static_cast<std::size_t>(page), 4'096));
    assert_refused(engine, "the log is damaged in what was acknowledged");
  }

  void a_shorter_file() {
    Crashed crashed(3);
    std::filesystem::resize_file(log_of(crashed.engine), kRingBytes);
    assert_refused(crashed.engine, "has 1048576 bytes, its header says 1052672");
    crashed.engine.config.accept_loss = true;
    crashed.start_and_find(1);
  }

  /// The key of the damaged record where its header is whole, and those of whole records behind it.
  void names_what_is_lost() {
    Crashed crashed(4);
    flip_bit(log_of(crashed.engine), crashed.offset(crashed.first + sizeof(store::RecordHeader) + 20));
    const std::string message = refusal(crashed.engine);
    CPPUNIT_ASSERT_MESSAGE(message, message.find("the first of key \"key 2\"") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(message, message.find("3 whole records follow") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(message, message.find(R"("key 3", "key 4", "key 5")") != std::string::npos);
  }

  /// However many they are.
  void names_a_few_of_many() {
    Crashed crashed(12);
    flip_bit(log_of(crashed.engine), crashed.offset(crashed.first + sizeof(store::RecordHeader) + 20));
    const std::string message = refusal(crashed.engine);
    CPPUNIT_ASSERT_MESSAGE(message, message.find("11 whole records follow") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(message, message.find(R"("key 9", "key 10", ...)") != std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LogDamageTest, "log_damage_test");

}  // namespace minivault::test
