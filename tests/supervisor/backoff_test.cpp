// How fast what died may be started again, with times that the test makes up.

#include "supervisor/backoff.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace minivault::supervisor {
namespace {

constexpr RestartPolicy kPolicy{.first_delay_ms = 100, .longest_delay_ms = 5'000, .good_life_ms = 10'000};

class BackoffTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BackoffTest);
  CPPUNIT_TEST(the_first_death_costs_nothing);
  CPPUNIT_TEST(deaths_in_a_row_double_the_delay_up_to_the_longest);
  CPPUNIT_TEST(a_good_life_forgives);
  CPPUNIT_TEST_SUITE_END();

 public:
  void the_first_death_costs_nothing() {
    Backoff backoff(kPolicy);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, backoff.due_ms());
    backoff.died(1'000, 1'001);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1'001}, backoff.due_ms());
  }

  void deaths_in_a_row_double_the_delay_up_to_the_longest() {
    Backoff backoff(kPolicy);
    std::uint64_t now_ms = 1'000;
    for (const std::uint64_t delay : {0, 100, 200, 400, 800, 1'600, 3'200, 5'000, 5'000}) {
      backoff.died(now_ms, now_ms + 10);
      now_ms += 10;
      CPPUNIT_ASSERT_EQUAL(now_ms + delay, backoff.due_ms());
      now_ms = backoff.due_ms();
    }
  }

  void a_good_life_forgives() {
    Backoff backoff(kPolicy);
    for (int i = 0; i < 5; ++i) backoff.died(1'000, 1'000);
    CPPUNIT_ASSERT(backoff.due_ms() > 1'000);
    backoff.died(2'000, 2'000 + kPolicy.good_life_ms - 1);
    CPPUNIT_ASSERT_MESSAGE("nearly good is not good", backoff.due_ms() > 2'000 + kPolicy.good_life_ms - 1);
    backoff.died(20'000, 20'000 + kPolicy.good_life_ms);
    CPPUNIT_ASSERT_EQUAL(20'000 + kPolicy.good_life_ms, backoff.due_ms());
    backoff.died(40'000, 40'000);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{40'100}, backoff.due_ms());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BackoffTest, "backoff_test");

}  // namespace
}  // namespace minivault::supervisor
