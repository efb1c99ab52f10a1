// Goal: no more is ever taken than there is, and what is taken comes back, however the reservation ends.

#include "common/net/memory_budget.h"

#include <cppunit/extensions/HelperMacros.h>

#include <optional>
#include <utility>

namespace minivault::net {

class MemoryBudgetTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MemoryBudgetTest);
  CPPUNIT_TEST(refuses_what_is_not_there);
  CPPUNIT_TEST(extends_by_the_difference);
  CPPUNIT_TEST(gives_back_at_the_end);
  CPPUNIT_TEST_SUITE_END();

 public:
  void refuses_what_is_not_there() {
    Reservation first;
    Reservation second;
    CPPUNIT_ASSERT(first.extend(budget_, 60));
    CPPUNIT_ASSERT(!second.extend(budget_, 41));
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, second.bytes());
    CPPUNIT_ASSERT(second.extend(budget_, 40));
    CPPUNIT_ASSERT_EQUAL(std::size_t{100}, budget_.taken());
    CPPUNIT_ASSERT(!first.extend(budget_, 61));
    CPPUNIT_ASSERT_EQUAL(std::size_t{60}, first.bytes());
  }

  void extends_by_the_difference() {
    Reservation reservation;
    CPPUNIT_ASSERT(reservation.extend(budget_, 60));
    CPPUNIT_ASSERT(reservation.extend(budget_, 100));
    CPPUNIT_ASSERT(reservation.extend(budget_, 10));
    CPPUNIT_ASSERT_EQUAL(std::size_t{100}, reservation.bytes());
    CPPUNIT_ASSERT_EQUAL(std::size_t{100}, budget_.taken());
  }

  void gives_back_at_the_end() {
    {
      Reservation reservation;
      CPPUNIT_ASSERT(reservation.extend(budget_, 60));
      Reservation moved(std::move(reservation));
      CPPUNIT_ASSERT_EQUAL(std::size_t{60}, budget_.taken());
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, budget_.taken());
    Reservation reservation;
    CPPUNIT_ASSERT(reservation.extend(budget_, 100));
    reservation.release();
    reservation.release();
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, budget_.taken());
  }

 private:
  MemoryBudget budget_{100};
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MemoryBudgetTest, "memory_budget_test");

}  // namespace minivault::net
