// Goal: the index finds the newest record of every key whose slot is alive, and nothing that is dead.
// Method: a ring stood in for by a map from LSN to key; a table so small that groups are crowded; LSNs around
// the 52 bits that a word holds.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <map>
#include <memory>
#include <random>
#include <string>

#include "common/store/index.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

using shared::kNoLsn;
using store::Index;
using store::Lsn;

/// An index of `words` words over records that are nothing but a key.
struct Table {
  explicit Table(std::size_t words, Lsn start = 4'096)
      : memory(new std::atomic<std::uint64_t>[words]()),
        index({memory.get(), words}, 42),
        window(start),
        tail(start) {}

  [[nodiscard]] bool is_key(Lsn lsn, const std::string& key) const {
    const auto record = records.find(lsn);
    return record != records.end() && record->second == key;
  }
  [[nodiscard]] Lsn find(const std::string& key) const {
    return index.find(index.hash(key, false), window, [&](Lsn lsn) { return is_key(lsn, key); });
  }
  [[nodiscard]] Index::Place place(const std::string& key) const {
    return index.place(
        index.hash(key, false), window, [&](Lsn lsn) { return is_key(lsn, key); },
        [](std::uint64_t) { return false; });
  }
  /// As a writer does it; returns what place() gave at last.
  Index::Place put(const std::string& key) {
    Index::Place place = this->place(key);
    while (place.word == Index::kNoWord) {
      window = place.oldest + 8;
      place = this->place(key);
    }
    records[tail] = key;
    index.publish(place.word, index.hash(key, false), tail);
    tail += 64;
    return place;
  }

  std::unique_ptr<std::atomic<std::uint64_t>[]> memory;
  Index index;
  std::map<Lsn, std::string> records;
  Lsn window;
  Lsn tail;
};

std::string key_of(std::uint64_t n) {
  return "key " + std::to_string(n);
}

}  // namespace

class IndexTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(IndexTest);
  CPPUNIT_TEST(against_a_map);
  CPPUNIT_TEST(full_group_tells_its_oldest);
  CPPUNIT_TEST(words_that_are_taken);
  CPPUNIT_TEST(equal_tags_are_told_apart_by_key);
  CPPUNIT_TEST(lsns_beyond_the_bits_of_a_word);
  CPPUNIT_TEST(window_decides_to_the_byte);
  CPPUNIT_TEST(notes_and_keys_apart);
  CPPUNIT_TEST(estimate);
  CPPUNIT_TEST_SUITE_END();

 public:
  void against_a_map() {
    std::mt19937_64 random(seed());
    Table table(256, 1 << 20);
    std::map<std::string, Lsn> newest;
    std::uint64_t evicted = 0;
    for (int i = 0; i < 60'000; ++i) {
      const std::string key = key_of(random() % 400);  // more keys than words
      if (random() % 2 == 0) {
        const Lsn lsn = table.tail;
        const Lsn window = table.window;
        const Index::Place place = table.put(key);
        const auto held = newest.find(key);
        // Its own slot is replaced while it is alive, so a key never has two.
        const Lsn expected = held != newest.end() && held->second >= table.window ? held->second : kNoLsn;
        CPPUNIT_ASSERT_EQUAL(expected, place.replaces);
        evicted += table.window > window ? 1 : 0;
        newest[key] = lsn;
      } else if (random() % 100 == 0) {
        table.window = std::max(table.window, table.tail - 64 * (random() % 256));
      }
      const std::string other = key_of(random() % 400);
      const auto held = newest.find(other);
      const bool alive = held != newest.end() && held->second >= table.window;
      CPPUNIT_ASSERT_EQUAL(alive ? held->second : kNoLsn, table.find(other));
    }
    CPPUNIT_ASSERT(evicted > 100);
  }

  void full_group_tells_its_oldest() {
    Table table(Index::kGroupWords);  // one group
    for (unsigned n = 0; n < Index::kGroupWords; ++n) table.put(key_of(n));
    const Index::Place none = table.place("one more");
    CPPUNIT_ASSERT_EQUAL(Index::kNoWord, none.word);
    CPPUNIT_ASSERT_EQUAL(Lsn{4'096}, none.oldest);
    table.put(key_of(0));  // its own slot, so there is room
    CPPUNIT_ASSERT_EQUAL(Lsn{4'096 + 64}, table.place("one more").oldest);
    table.window = 4'096 + 64 + 8;
    const Index::Place reused = table.place("one more");
    CPPUNIT_ASSERT(reused.word != Index::kNoWord && reused.replaces == kNoLsn);
    table.put("one more");
    CPPUNIT_ASSERT_EQUAL(kNoLsn, table.find(key_of(1)));
    for (const unsigned alive : {0U, 2U, 15U}) CPPUNIT_ASSERT(table.find(key_of(alive)) != kNoLsn);
  }

  /// Two new keys of one batch get two words; where all are taken, nothing is the oldest.
  void words_that_are_taken() {
    Table table(Index::kGroupWords);
    const auto nothing = [](Lsn) { return false; };
    const std::uint64_t hash = table.index.hash("a", false);
    const auto first = table.index.place(hash, table.window, nothing, [](std::uint64_t) { return false; });
    const auto second =
        table.index.place(hash, table.window, nothing, [&](std::uint64_t w) { return w == first.word; });
    CPPUNIT_ASSERT(first.word != second.word && second.word != Index::kNoWord);
    const auto third = table.index.place(hash, table.window, nothing, [](std::uint64_t) { return true; });
    CPPUNIT_ASSERT(third.word == Index::kNoWord && third.oldest == kNoLsn);
  }

  void equal_tags_are_told_apart_by_key() {
    Table table(64);
    const std::string first = key_of(0);
    const std::uint64_t hash = table.index.hash(first, false);
    std::string second;
    for (std::uint64_t n = 1; second.empty(); ++n) {  // the same group of 4 and the same tag of 4,096
      const std::uint64_t other = table.index.hash(key_of(n), false);
      if (table.index.group(other) == table.index.group(hash) && other >> 52 == hash >> 52)
        second = key_of(n);
    }
    table.put(first);
    CPPUNIT_ASSERT_EQUAL(kNoLsn, table.find(second));
    table.put(second);
    CPPUNIT_ASSERT_EQUAL(Lsn{4'096}, table.find(first));
    CPPUNIT_ASSERT_EQUAL(Lsn{4'096 + 64}, table.find(second));
  }

  void lsns_beyond_the_bits_of_a_word() {
    constexpr Lsn kTurn = Lsn{1} << 55;  // LSNs this far apart make the same word
    for (const Lsn start : {kTurn - 640, 3 * kTurn - 640, kTurn / 2 - 640}) {
      Table table(64, start);
      for (unsigned n = 0; n < 20; ++n) table.put(key_of(n));
      for (unsigned n = 0; n < 20; ++n) CPPUNIT_ASSERT_EQUAL(start + 64 * n, table.find(key_of(n)));
      table.window = start + 640;
      for (unsigned n = 0; n < 20; ++n) {
        CPPUNIT_ASSERT_EQUAL(n < 10 ? kNoLsn : start + 64 * n, table.find(key_of(n)));
      }
      table.tail = start + (Lsn{1} << 50U);  // further ahead than any ring is long
      const Lsn far = table.tail;
      table.put("far");
      CPPUNIT_ASSERT_EQUAL(far, table.find("far"));
      CPPUNIT_ASSERT_EQUAL(start + 640, table.find(key_of(10)));
    }
  }

  void window_decides_to_the_byte() {
    Table table(64);
    table.put("key");
    for (const auto& [window, alive] :
         {std::pair<Lsn, bool>{0, true}, {4'095, true}, {4'096, true}, {4'097, false}, {4'104, false}}) {
      table.window = window;
      CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(window), alive, table.find("key") != kNoLsn);
    }
  }

  void notes_and_keys_apart() {
    const Table table(64);
    CPPUNIT_ASSERT(table.index.hash("name", true) != table.index.hash("name", false));
  }

  void estimate() {
    Table table(4'096);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, table.index.estimate_alive(table.window, 64));
    for (unsigned n = 0; n < 1'000; ++n) table.put(key_of(n));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1'000}, table.index.estimate_alive(table.window, 1'000'000));
    const std::uint64_t sampled = table.index.estimate_alive(table.window, 64);
    CPPUNIT_ASSERT(sampled > 500 && sampled < 2'000);
    table.window = table.tail;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, table.index.estimate_alive(table.window, 1'000'000));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(IndexTest, "index_test");

}  // namespace minivault::test
