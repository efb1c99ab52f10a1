// Goal: a stream that is refused again and again is no storm, and one that gets on is not kept waiting.

#include "replicator/stream_patience.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace minivault::replicator {

class StreamPatienceTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(StreamPatienceTest);
  CPPUNIT_TEST(what_was_taken_before_is_no_progress);
  CPPUNIT_TEST(what_is_too_large_waits_for_another_start);
  CPPUNIT_TEST_SUITE_END();

 public:
  void what_was_taken_before_is_no_progress() {
    StreamPatience patience;
    CPPUNIT_ASSERT(patience.moved_on(100));   // a stream that begins
    CPPUNIT_ASSERT(!patience.moved_on(100));  // and begins there again, behind which all is refused
    CPPUNIT_ASSERT(!patience.moved_on(50));   // or before it, at what is undecided
    CPPUNIT_ASSERT(patience.moved_on(101));
    patience.begin();
    CPPUNIT_ASSERT(patience.moved_on(50));
  }

  void what_is_too_large_waits_for_another_start() {
    StreamPatience patience;
    CPPUNIT_ASSERT(patience.moved_on(100) && !patience.is_held_up());
    patience.too_large(7);
    CPPUNIT_ASSERT(patience.is_held_up());
    CPPUNIT_ASSERT_EQUAL(shared::kTooLargePauseMs + 7, patience.until_ms());
    CPPUNIT_ASSERT(!patience.moved_on(100) && patience.is_held_up());
    CPPUNIT_ASSERT(patience.moved_on(101) && !patience.is_held_up());
    patience.too_large(7);
    patience.begin();
    CPPUNIT_ASSERT(!patience.is_held_up() && patience.until_ms() == 0);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(StreamPatienceTest, "stream_patience_test");

}  // namespace minivault::replicator
