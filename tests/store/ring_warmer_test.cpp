// Goal: the zeros that are written ahead into a new ring never meet a record. Method: a ring larger than what
// is written at its birth; the checkpointer stands still while the tail runs past what it had reached.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/store/engine.h"
#include "tests/store/shared_object.h"
#include "tests/support/wait.h"

namespace minivault::test {

class RingWarmerTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RingWarmerTest);
  CPPUNIT_TEST(zeros_go_above_the_tail);
  CPPUNIT_TEST_SUITE_END();

 public:
  void zeros_go_above_the_tail() {
    constexpr std::uint64_t kRecords = 21;
    constexpr std::size_t kBytes = 4 << 20;
    Engine engine(std::uint64_t{160} << 20);
    engine.start();
    engine.suspend_checkpointer();
    {
      store::Store store = engine.open_store();
      for (std::uint64_t i = 1; i <= kRecords; ++i)
        put(store, "key " + std::to_string(i), stamped(i, kBytes));
      engine.resume_checkpointer();
      engine.wait_durable(engine.state().marks.tail.load());
      for (std::uint64_t i = 1; i <= kRecords; ++i)
        CPPUNIT_ASSERT_EQUAL(i, number_of(value_of(store, "key " + std::to_string(i)).value()));
    }
    engine.kill();
    engine.start();
    store::Store store = engine.open_store();
    for (std::uint64_t i = 1; i <= kRecords; ++i)
      CPPUNIT_ASSERT_EQUAL(i, number_of(value_of(store, "key " + std::to_string(i)).value()));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RingWarmerTest, "ring_warmer_test");

}  // namespace minivault::test
