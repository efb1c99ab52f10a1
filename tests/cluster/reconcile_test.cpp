#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "common/cluster/reconcile.h"
#include "tests/cluster/memory_side.h"
#include "tests/support/seed.h"

namespace minivault::cluster {
namespace {

constexpr std::uint64_t kOrigins = 3;

class Two {
 public:
  Content first;
  Content second;
  Reconciliation task;
  std::size_t page_bytes = kPageBytes;

  void run() { run(std::max(first.size(), second.size())); }
  /// As a part of so many. What progress counts is, in the end, each key that is compared, once.
  void run(std::uint64_t most_keys) {
    MemorySide a(first, false, page_bytes);
    MemorySide b(second, true, page_bytes);
    const std::uint64_t keys = task.figures.keys + compared();
    const Status done = reconcile(a, b, most_keys, task);
    CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().message, done.has_value());
    CPPUNIT_ASSERT_EQUAL(keys, task.figures.keys);
    bytes = b.bytes;
    largest_push = std::max(a.largest_push, b.largest_push);
    largest_answer = std::max(a.largest_answer, b.largest_answer);
    largest_request = std::max(a.largest_request, b.largest_request);
  }
  std::uint64_t bytes = 0;
  std::uint64_t largest_push = 0;
  std::uint64_t largest_answer = 0;
  std::uint64_t largest_request = 0;

 private:
  [[nodiscard]] std::uint64_t compared() const {
    std::set<std::string> keys;
    for (const Content* side : {&first, &second}) {
      for (const auto& [key, record] : *side) {
        const bool is_old =
            record.operation == store::Operation::kDelete && record.version.hlc <= task.cut_off_hlc;
        if (!is_old) keys.insert(key);
      }
    }
    return keys.size();
  }
};

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
  CPPUNIT_TEST(long_keys_that_begin_alike_travel_in_small_messages);
  CPPUNIT_TEST(equal_long_keys_that_begin_alike_cost_nothing);
  CPPUNIT_TEST(one_different_long_key_costs_little);
  CPPUNIT_TEST(a_crowd_that_one_side_lacks_crosses_once);
  CPPUNIT_TEST(random_crowds_in_small_pages_become_equal);
  CPPUNIT_TEST(ghosts_in_a_crowd_are_deleted_and_not_spread);
  CPPUNIT_TEST(old_tombstones_in_a_crowd_are_no_difference);
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

  // All of them were named in one request, which a node refuses beyond some size: they were never repaired.
  // Few and very long, many, and others beside them; on one side only, and on both.
  void long_keys_that_begin_alike_travel_in_small_messages() {
    struct Shape {
      unsigned keys;
      std::size_t size;
    };
    for (const Shape& shape : {Shape{200, 60'000}, Shape{6'000, 2'000}}) {
      for (const unsigned of_first : {0U, 1U, 3U}) {  // of four
        Two two;
        two.first["short"] = two.second["short"] = set_at(1);
        for (unsigned i = 0; i < shape.keys; ++i) {
          (i % 4 < of_first ? two.first : two.second)[long_key_of(i, shape.size)] = set_at(i + 1);
        }
        for (unsigned i = 0; i < 300; ++i) two.first[key_of(i)] = set_at(i + 1);
        const Content wanted = newest_of(two.first, two.second);
        two.run();
        CPPUNIT_ASSERT(two.first == wanted);
        CPPUNIT_ASSERT(two.second == wanted);
        expect_small_messages(two);
      }
    }
  }

  // Alone, or with others in one range.
  void equal_long_keys_that_begin_alike_cost_nothing() {
    for (const unsigned others : {0U, 10U, 2'000U}) {
      Two two;
      for (unsigned i = 0; i < 2'000; ++i) two.first[long_key_of(i, 2'000)] = set_at(i + 1);
      for (unsigned i = 0; i < others; ++i) two.first[key_of(i)] = two.first["z" + key_of(i)] = set_at(i + 1);
      two.second = two.first;
      two.run();
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, two.task.figures.ranges_different);
      CPPUNIT_ASSERT_MESSAGE(std::to_string(two.bytes) + " bytes", two.bytes < 3'000);
    }
  }

  // A write on its way, as any comparison meets one: not all of four megabytes are named for it.
  void one_different_long_key_costs_little() {
    Two two;
    for (unsigned i = 0; i < 2'000; ++i) two.first[long_key_of(i, 2'000)] = set_at(i + 1);
    two.second = two.first;
    two.first[long_key_of(1'000, 2'000)] = set_at(9'999);
    two.second[long_key_of(1'500, 2'000)] = set_at(9'999);
    two.second.erase(long_key_of(7, 2'000));
    two.first["beside them"] = set_at(1);
    const Content wanted = newest_of(two.first, two.second);
    two.run();
    CPPUNIT_ASSERT(two.first == wanted);
    CPPUNIT_ASSERT(two.second == wanted);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, two.task.figures.to_first);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, two.task.figures.to_second);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(two.bytes) + " bytes", two.bytes < 100'000);
  }

  // But for a few keys, which it has in its own way.
  void a_crowd_that_one_side_lacks_crosses_once() {
    for (const bool first_lacks : {true, false}) {
      Two two;
      Content& full = first_lacks ? two.second : two.first;
      Content& other = first_lacks ? two.first : two.second;
      for (unsigned i = 0; i < 2'000; ++i) full[long_key_of(i, 2'000)] = set_at(i + 1);
      other[long_key_of(7, 2'000)] = set_at(9'999);
      other[long_key_of(3'000, 2'000)] = set_at(1);
      two.run();
      CPPUNIT_ASSERT(two.first == two.second);
      CPPUNIT_ASSERT_EQUAL(std::size_t{2'001}, two.first.size());
      CPPUNIT_ASSERT_MESSAGE(std::to_string(two.bytes) + " bytes", two.bytes < 4'400'000);
    }
  }

  // Crowds of more than a page and of less, in a row, beside short keys, of bytes that have no successor.
  void random_crowds_in_small_pages_become_equal() {
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 60; ++round) {
      Two two;
      two.page_bytes = 600 + random() % 10'000;
      const bool any_ghosts = round % 2 != 0;
      if (any_ghosts) {
        two.task.cut_off_hlc = two.task.ghosts_of_first_up_to = two.task.ghosts_of_second_up_to = 500'000'000;
      }
      const std::size_t keys = 1 + random() % 800;
      for (std::size_t i = 0; i < keys; ++i) {
        const std::string key = crowded_key(random);
        Stored record = random_record(random);
        if (any_ghosts) record.operation = store::Operation::kSet;  // no old tombstones
        if (random() % 3 != 0) two.first[key] = record;
        if (random() % 4 == 0) record.version.hlc = 1 + random() % 1'000'000'000;
        if (random() % 3 != 0) two.second[key] = record;
      }
      const Content first = two.first;
      const Content second = two.second;
      const Content wanted = newest_of(first, second);
      std::uint64_t ghosts = 0;
      two.run();
      for (const auto& [key, record] : wanted) {
        const bool is_ghost = first.contains(key) != second.contains(key) &&
                              record.operation == store::Operation::kSet &&
                              record.version.hlc <= two.task.ghosts_of_first_up_to;
        ghosts += is_ghost ? 1 : 0;
        if (!is_ghost) CPPUNIT_ASSERT(two.first[key] == record && two.second[key] == record);
      }
      CPPUNIT_ASSERT_EQUAL(ghosts, two.task.figures.ghosts);
      CPPUNIT_ASSERT_EQUAL(newer_in(wanted, first) - ghosts_in(two.second, first), two.task.figures.to_first);
      CPPUNIT_ASSERT_EQUAL(newer_in(wanted, second) - ghosts_in(two.first, second),
                           two.task.figures.to_second);
    }
  }

  void ghosts_in_a_crowd_are_deleted_and_not_spread() {
    for (const bool first_brings : {true, false}) {
      Two two;
      two.page_bytes = 5'000;
      two.task.cut_off_hlc = 10;
      (first_brings ? two.task.ghosts_of_first_up_to : two.task.ghosts_of_second_up_to) = 10;
      Content& brings = first_brings ? two.first : two.second;
      Content& knows = first_brings ? two.second : two.first;
      for (unsigned i = 0; i < 100; ++i) {
        brings[long_key_of(i, 600)] = set_at(i < 50 ? 10 : 11);  // ghosts, and none
        knows[long_key_of(100 + i, 600)] = set_at(3);
      }
      two.run();
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{50}, two.task.figures.ghosts);
      CPPUNIT_ASSERT(brings[long_key_of(0, 600)].operation == store::Operation::kDelete);
      CPPUNIT_ASSERT_EQUAL(std::size_t{200}, brings.size());
      CPPUNIT_ASSERT_EQUAL(std::size_t{150}, knows.size());
      CPPUNIT_ASSERT(!knows.contains(long_key_of(0, 600)));
    }
  }

  // Who has purged them, and who has them still.
  void old_tombstones_in_a_crowd_are_no_difference() {
    Two two;
    two.page_bytes = 5'000;
    two.task.cut_off_hlc = 10;
    two.task.ghosts_of_first_up_to = 1;  // so nothing is moved without a look at it
    for (unsigned i = 0; i < 100; ++i) {
      two.first[long_key_of(i, 600)] = set_at(i + 2);
      two.first[long_key_of(100 + i, 600)] = deleted_at(10);
      if (i % 2 == 0) two.second[long_key_of(100 + i, 600)] = deleted_at(10);
      two.second[long_key_of(200 + i, 600)] = deleted_at(10);
    }
    two.second[long_key_of(7, 600)] = deleted_at(10);
    two.run();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, two.task.figures.to_second);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, two.task.figures.to_first);
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
  static void expect_small_messages(const Two& two) {
    const auto say = [](std::uint64_t bytes) { return std::to_string(bytes) + " bytes"; };
    CPPUNIT_ASSERT_MESSAGE(say(two.largest_request), two.largest_request < 1'200'000);
    CPPUNIT_ASSERT_MESSAGE(say(two.largest_answer), two.largest_answer < 1'200'000);
    CPPUNIT_ASSERT_MESSAGE(say(two.largest_push), two.largest_push < 1'200'000);
  }

  static std::string random_key(std::mt19937_64& random) {
    std::string key = key_of(static_cast<unsigned>(random() % 10'000));
    if (random() % 20 == 0) key = std::string(490 + random() % 10, 'p') + key;
    if (random() % 50 == 0) key.insert(0, 400, 'q');
    return key;
  }
  static std::uint64_t newer_in(const Content& content, const Content& than) {
    return static_cast<std::uint64_t>(std::count_if(content.begin(), content.end(), [&](const auto& entry) {
      const auto held = than.find(entry.first);
      return held == than.end() || held->second.version < entry.second.version;
    }));
  }
  /// Those that were deleted as such, and do not spread to `other`.
  static std::uint64_t ghosts_in(const Content& content, const Content& other) {
    return static_cast<std::uint64_t>(std::count_if(content.begin(), content.end(), [&](const auto& entry) {
      return entry.second.version.origin == ~std::uint64_t{0} && !other.contains(entry.first);
    }));
  }
  static std::string crowded_key(std::mt19937_64& random) {
    const std::string key = key_of(static_cast<unsigned>(random() % 300));
    switch (random() % 6) {
      case 0:
        return key;
      case 1:
        return std::string(494, 'p') + key;
      case 2:
        return std::string(493, 'p') + "q" + key.substr(0, random() % 2 == 0 ? 0 : key.size());
      case 3:
        return std::string(494, '\xFF') + key;
      case 4:
        return std::string(490 + random() % 8, 'p') + key;
      default:
        return std::string(520, 'k') + key + std::string(random() % 2'000, 'x');
    }
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
