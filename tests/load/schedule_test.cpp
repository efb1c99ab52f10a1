// Goal: in the open loop every request has its moment, whatever the clock of the caller does.
// Method: the clock is a number that the test moves.

#include "common/load/schedule.h"

#include <cppunit/extensions/HelperMacros.h>

#include <vector>

namespace minivault::load {
namespace {

constexpr std::uint64_t kStartNs = 5'000'000'000;

/// How many requests each local connection was given.
std::vector<unsigned> advance(Pacer& pacer, std::uint64_t now_ns, std::size_t connections) {
  std::vector<unsigned> given(connections);
  pacer.advance(now_ns, [&](std::size_t local) { ++given.at(local); });
  return given;
}

using Given = std::vector<unsigned>;

}  // namespace

class ScheduleTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ScheduleTest);
  CPPUNIT_TEST(requests_are_dealt_in_turn_at_the_rate);
  CPPUNIT_TEST(a_pacer_releases_what_is_due_and_no_more);
  CPPUNIT_TEST(after_a_stall_all_that_was_missed_is_due_at_its_own_moment);
  CPPUNIT_TEST(threads_share_the_schedule_without_overlap);
  CPPUNIT_TEST(an_odd_rate_does_not_drift);
  CPPUNIT_TEST(before_a_request_is_due_as_many_were_as_its_number_says);
  CPPUNIT_TEST_SUITE_END();

 public:
  void requests_are_dealt_in_turn_at_the_rate() {
    const Schedule schedule(kStartNs, 1000, 4);  // one a millisecond
    CPPUNIT_ASSERT_EQUAL(kStartNs, schedule.due_ns(0, 0));
    CPPUNIT_ASSERT_EQUAL(kStartNs + 3'000'000, schedule.due_ns(3, 0));
    CPPUNIT_ASSERT_EQUAL(kStartNs + 4'000'000, schedule.due_ns(0, 1));
    CPPUNIT_ASSERT_EQUAL(kStartNs + 42'000'000, schedule.due_ns(2, 10));
  }

  void a_pacer_releases_what_is_due_and_no_more() {
    Pacer pacer(Schedule(kStartNs, 1000, 2), 0, 1, 2);
    CPPUNIT_ASSERT(advance(pacer, kStartNs - 1, 2) == (Given{0, 0}));
    CPPUNIT_ASSERT_EQUAL(kStartNs, pacer.next_due_ns());
    CPPUNIT_ASSERT(advance(pacer, kStartNs, 2) == (Given{1, 0}));
    CPPUNIT_ASSERT(advance(pacer, kStartNs + 999'999, 2) == (Given{0, 0}));
    CPPUNIT_ASSERT(advance(pacer, kStartNs + 1'000'000, 2) == (Given{0, 1}));
    CPPUNIT_ASSERT_EQUAL(kStartNs + 2'000'000, pacer.next_due_ns());
  }

  void after_a_stall_all_that_was_missed_is_due_at_its_own_moment() {
    Pacer pacer(Schedule(kStartNs, 1000, 2), 0, 1, 2);
    CPPUNIT_ASSERT(advance(pacer, kStartNs + 1'000'000'000, 2) == (Given{501, 500}));
    CPPUNIT_ASSERT_EQUAL(kStartNs + 2'000'000, pacer.due_ns(0, 1));
    CPPUNIT_ASSERT_EQUAL(kStartNs + 3'000'000, pacer.due_ns(1, 1));
  }

  void threads_share_the_schedule_without_overlap() {
    const Schedule schedule(kStartNs, 1000, 5);
    Pacer even(schedule, 0, 2, 5);  // connections 0, 2, 4
    Pacer odd(schedule, 1, 2, 5);   // connections 1, 3
    CPPUNIT_ASSERT(advance(even, kStartNs + 6'000'000, 3) == (Given{2, 1, 1}));
    CPPUNIT_ASSERT(advance(odd, kStartNs + 6'000'000, 2) == (Given{2, 1}));
    CPPUNIT_ASSERT_EQUAL(schedule.due_ns(2, 1), even.due_ns(1, 1));
    CPPUNIT_ASSERT_EQUAL(schedule.due_ns(3, 1), odd.due_ns(1, 1));
  }

  void an_odd_rate_does_not_drift() {
    const Schedule schedule(kStartNs, 333'333, 7);
    const std::uint64_t requests = 333'333ULL * 3600;  // an hour
    const std::uint64_t due_ns = schedule.due_ns(requests % 7, requests / 7);
    CPPUNIT_ASSERT_DOUBLES_EQUAL(3600e9, static_cast<double>(due_ns - kStartNs), 1000);
  }

  void before_a_request_is_due_as_many_were_as_its_number_says() {
    for (unsigned rate = 1; rate <= 100'000'000; rate = rate * 3 / 2 + 1) {
      for (unsigned requests = 1; requests < 10'000; requests = requests * 2 + 1) {
        const Schedule schedule(kStartNs, rate, 3);
        Pacer pacer(schedule, 0, 1, 3);
        unsigned given = 0;
        pacer.advance(schedule.due_ns(requests) - 1, [&](std::size_t) { ++given; });
        CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(rate), requests, given);
      }
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ScheduleTest, "schedule_test");

}  // namespace minivault::load
