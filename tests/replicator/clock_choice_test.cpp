// Goal: a node stamps by its own clock where most of the members agree with it, and else as these do; and
// believes nobody where nobody can know who is right. Method: clocks that the test makes up, in seconds.

#include "replicator/clock_choice.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace minivault::replicator {
namespace {

constexpr std::int64_t kHour = 3'600;
constexpr std::int64_t kMaxDrift = 60;

}  // namespace

class ClockChoiceTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ClockChoiceTest);
  CPPUNIT_TEST(alone_by_its_own);
  CPPUNIT_TEST(within_what_is_allowed_by_its_own);
  CPPUNIT_TEST(beyond_it_by_the_median);
  CPPUNIT_TEST(a_majority_that_moved_is_followed);
  CPPUNIT_TEST(fewer_than_a_majority_change_nothing);
  CPPUNIT_TEST(of_two_halves_neither_is_believed);
  CPPUNIT_TEST(the_median_counts_this_node);
  CPPUNIT_TEST(a_clock_that_was_set_is_followed_once_it_stays);
  CPPUNIT_TEST_SUITE_END();

  static Clocks clocks(std::int64_t wall, std::vector<std::int64_t> peers, std::size_t needed,
                       std::optional<std::int64_t> stamped = std::nullopt) {
    return {wall, stamped, std::move(peers), needed, kMaxDrift};
  }

  static void assert_chosen(std::optional<std::int64_t> expected, const Clocks& clocks) {
    const std::optional<std::int64_t> chosen = choose_clock(clocks);
    CPPUNIT_ASSERT_MESSAGE(chosen ? std::to_string(*chosen) : "as before", chosen == expected);
  }

 public:
  void alone_by_its_own() {
    for (const std::int64_t wall : {0L, kHour, -kHour}) {
      assert_chosen(wall, clocks(wall, {}, 0));
      assert_chosen(wall, clocks(wall, {}, 0, 7));
    }
  }

  void within_what_is_allowed_by_its_own() {
    for (const std::int64_t wall : {0L, 1L, -1L, kMaxDrift, -kMaxDrift}) {
      assert_chosen(wall, clocks(wall, {0, 0}, 1));
      assert_chosen(wall, clocks(wall, {0, 0}, 1, kHour));
      assert_chosen(wall, clocks(wall, {0}, 1));
      assert_chosen(wall, clocks(wall, {0, kHour, -kHour, 0}, 2));
    }
  }

  void beyond_it_by_the_median() {
    for (const std::int64_t wall : {kMaxDrift + 1, kHour, -kMaxDrift - 1, -kHour}) {
      assert_chosen(0, clocks(wall, {0, 0}, 1));
      assert_chosen(0, clocks(wall, {0, 0}, 1, wall));
      assert_chosen(0, clocks(wall, {0, 0, 0, 100 * kHour}, 2));
      assert_chosen(0, clocks(wall, {0, 0, 0}, 2));
    }
    assert_chosen(6, clocks(kHour, {4, 5, 6, 100 * kHour}, 2));
    assert_chosen(4, clocks(-kHour, {4, 6, 5}, 2));
    // To both sides: who is in the middle is right.
    assert_chosen(0, clocks(kHour, {0, -kHour}, 1));
    assert_chosen(0, clocks(0, {kHour, -kHour}, 1));
    assert_chosen(0, clocks(-kHour, {0, kHour}, 1));
  }

  void a_majority_that_moved_is_followed() {
    assert_chosen(kHour, clocks(kHour, {kHour, 0}, 1, 0));
    assert_chosen(kHour, clocks(0, {kHour, kHour}, 1, 0));
  }

  void fewer_than_a_majority_change_nothing() {
    assert_chosen(std::nullopt, clocks(kHour, {}, 1));
    assert_chosen(std::nullopt, clocks(kHour, {}, 1, 0));
    assert_chosen(std::nullopt, clocks(0, {0}, 2));
    assert_chosen(std::nullopt, clocks(0, {0, 0}, 3, 1));
    assert_chosen(0, clocks(0, {0, 0}, 2));
  }

  // A start knows no before: too late is better than too early, for only that takes others along.
  void of_two_halves_neither_is_believed() {
    for (const std::int64_t wall : {kHour, -kHour}) {
      assert_chosen(std::nullopt, clocks(wall, {0}, 1, 0));
      assert_chosen(std::nullopt, clocks(0, {wall}, 1, 0));
      assert_chosen(std::min(wall, std::int64_t{0}), clocks(wall, {0}, 1));
      assert_chosen(std::min(wall, std::int64_t{0}), clocks(0, {wall}, 1));
    }
    assert_chosen(std::nullopt, clocks(kHour, {0, 1, kHour}, 2, 0));
    assert_chosen(1, clocks(kHour, {0, 1, kHour}, 2));
  }

  void the_median_counts_this_node() {
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, median_offset(clocks(7, {}, 0)));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{500}, median_offset(clocks(7, {1'007}, 1)));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, median_offset(clocks(7, {2, 1'007}, 1)));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{900}, median_offset(clocks(0, {900, 1'000}, 1)));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{-900}, median_offset(clocks(900, {0, 0}, 1)));
  }

  // All three are set at once: until all have been heard again the median is of clocks of then and of now.
  void a_clock_that_was_set_is_followed_once_it_stays() {
    constexpr std::int64_t kSecond = 1'000'000;
    constexpr std::uint64_t kStays = SteadyChoice::kStaysMs;
    SteadyChoice choice;
    const auto look = [&](std::int64_t wall, std::int64_t peer, std::uint64_t at_ms) {
      return choice.take({wall, 0, {0, peer}, 1, 0}, at_ms);
    };
    CPPUNIT_ASSERT(choice.take({7 * kSecond, std::nullopt, {7 * kSecond}, 1, 0}, 0) ==
                   7 * kSecond);  // the first
    CPPUNIT_ASSERT(look(9 * kSecond, 5 * kSecond, 100) == std::nullopt);
    CPPUNIT_ASSERT(look(9 * kSecond, 0, 100 + kStays / 2) == 0);
    CPPUNIT_ASSERT(look(9 * kSecond, 5 * kSecond, 100 + kStays) == std::nullopt);  // not what was once before
    CPPUNIT_ASSERT(look(9 * kSecond, 8 * kSecond, 150 + kStays) == std::nullopt);
    CPPUNIT_ASSERT(look(9 * kSecond, 8 * kSecond, 149 + 2 * kStays) == std::nullopt);
    CPPUNIT_ASSERT(look(9 * kSecond, 8 * kSecond, 150 + 2 * kStays) == 8 * kSecond);
    CPPUNIT_ASSERT(look(9 * kSecond, 1'000, 151 + 2 * kStays) == 1'000);  // slewing is no jump
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ClockChoiceTest, "clock_choice_test");

}  // namespace minivault::replicator
