// Goal: a few writes wait for those that are likely to come at once, for so long and no longer, and only as
// long as that proves right. Method: the rule alone, with a clock of the test's own.

#include "worker/gathering.h"

#include <cppunit/extensions/HelperMacros.h>

namespace minivault::worker {

class GatheringTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(GatheringTest);
  CPPUNIT_TEST(nobody_is_waited_for_before_answers_have_left);
  CPPUNIT_TEST(who_was_answered_is_waited_for);
  CPPUNIT_TEST(a_client_alone_does_not_wait);
  CPPUNIT_TEST(not_beyond_its_time);
  CPPUNIT_TEST(a_straggler_is_not_waited_for);
  CPPUNIT_TEST(where_they_do_not_come_waits_become_rare);
  CPPUNIT_TEST(where_they_come_again_every_wait_is_back);
  CPPUNIT_TEST_SUITE_END();

 public:
  void nobody_is_waited_for_before_answers_have_left() {
    CPPUNIT_ASSERT(!gathering_.expects_more(1, kNow));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, gathering_.left_ns(kNow));
  }

  void who_was_answered_is_waited_for() {
    gathering_.answers_left(4, 2, kNow);
    CPPUNIT_ASSERT(gathering_.expects_more(2, kNow));
    CPPUNIT_ASSERT(gathering_.expects_more(5, kNow + 10));
    CPPUNIT_ASSERT_EQUAL(Gathering::kWaitNs - 10, gathering_.left_ns(kNow + 10));
    CPPUNIT_ASSERT(!gathering_.expects_more(6, kNow + 20));
    CPPUNIT_ASSERT(!gathering_.expects_more(1, kNow + 30));  // they were committed; the next one is alone
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, gathering_.left_ns(kNow + 30));
  }

  void a_client_alone_does_not_wait() {
    for (std::uint64_t i = 0; i < 100; ++i) {
      gathering_.answers_left(1, 0, kNow + i);
      CPPUNIT_ASSERT(!gathering_.expects_more(1, kNow + i));
    }
  }

  void not_beyond_its_time() {
    gathering_.answers_left(4, 2, kNow);
    CPPUNIT_ASSERT(gathering_.expects_more(5, kNow + Gathering::kWaitNs - 1));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, gathering_.left_ns(kNow + Gathering::kWaitNs));
    CPPUNIT_ASSERT(!gathering_.expects_more(5, kNow + Gathering::kWaitNs));
  }

  void a_straggler_is_not_waited_for() {
    gathering_.answers_left(30, 20, kNow);
    CPPUNIT_ASSERT(gathering_.expects_more(43, kNow));
    CPPUNIT_ASSERT(!gathering_.expects_more(44, kNow));
  }

  void where_they_do_not_come_waits_become_rare() {
    CPPUNIT_ASSERT_EQUAL(0U, answers_until_a_wait());
    for (unsigned pause = 1; pause <= Gathering::kLongestPause; pause *= 2) {
      CPPUNIT_ASSERT_EQUAL(pause, answers_until_a_wait());
    }
    CPPUNIT_ASSERT_EQUAL(Gathering::kLongestPause, answers_until_a_wait());
  }

  void where_they_come_again_every_wait_is_back() {
    for (unsigned i = 0; i < 4; ++i) (void)answers_until_a_wait();
    for (unsigned i = 0; i < 8; ++i) gathering_.answers_left(2, 0, kNow);  // the pause after four misses
    gathering_.answers_left(2, 0, kNow);
    CPPUNIT_ASSERT(!gathering_.expects_more(2, kNow));  // they came
    CPPUNIT_ASSERT_EQUAL(0U, answers_until_a_wait());
    CPPUNIT_ASSERT_EQUAL(1U, answers_until_a_wait());
  }

 private:
  static constexpr std::uint64_t kNow = 1'000'000'000;

  /// How often answers leave without a wait behind them before the next one, which is for nothing.
  unsigned answers_until_a_wait() {
    for (unsigned times = 0;; ++times) {
      CPPUNIT_ASSERT(times <= 2 * Gathering::kLongestPause);
      gathering_.answers_left(2, 0, kNow);
      if (!gathering_.expects_more(1, kNow)) continue;
      CPPUNIT_ASSERT(!gathering_.expects_more(1, kNow + Gathering::kWaitNs));
      return times;
    }
  }

  Gathering gathering_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(GatheringTest, "gathering_test");

}  // namespace minivault::worker
