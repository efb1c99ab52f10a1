// Goal: the log is told each reason once a minute, however they alternate.

#include "replicator/said_lately.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace minivault::replicator {
namespace {

class SaidLatelyTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SaidLatelyTest);
  CPPUNIT_TEST(reasons_that_alternate_are_said_once);
  CPPUNIT_TEST(after_a_minute_again);
  CPPUNIT_TEST(many_reasons_take_no_more_room);
  CPPUNIT_TEST_SUITE_END();

 public:
  void reasons_that_alternate_are_said_once() {
    SaidLately said;
    unsigned lines = 0;
    for (std::uint64_t now_ms = 0; now_ms < SaidLately::kSayAgainMs; now_ms += 1'000) {
      if (said.may_say(now_ms % 2'000 == 0 ? "no route" : "silent", now_ms)) ++lines;
    }
    CPPUNIT_ASSERT_EQUAL(2U, lines);
    said.clear();
    CPPUNIT_ASSERT(said.empty() && said.may_say("silent", SaidLately::kSayAgainMs - 1));
  }

  void after_a_minute_again() {
    SaidLately said;
    CPPUNIT_ASSERT(said.may_say("silent", 5));
    CPPUNIT_ASSERT(!said.may_say("silent", 4 + SaidLately::kSayAgainMs));
    CPPUNIT_ASSERT(said.may_say("silent", 5 + SaidLately::kSayAgainMs));
    CPPUNIT_ASSERT(!said.may_say("silent", 6 + SaidLately::kSayAgainMs));
  }

  void many_reasons_take_no_more_room() {
    SaidLately said;
    for (unsigned i = 0; i <= SaidLately::kMost; ++i) CPPUNIT_ASSERT(said.may_say(std::to_string(i), 1));
    CPPUNIT_ASSERT(!said.may_say("1", 1));
    CPPUNIT_ASSERT(said.may_say("0", 1));  // the oldest made room
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SaidLatelyTest, "said_lately_test");

}  // namespace
}  // namespace minivault::replicator
