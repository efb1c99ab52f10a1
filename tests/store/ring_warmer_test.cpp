// Goal: the zeros that are written ahead into a new ring never meet a record. Method: a ring larger than what
// is written at its birth; the checkpointer stands still while the tail runs past what it had reached.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <unistd.h>

#include "common/core/fault_point.h"
#include "common/store/index.h"
#include "common/store/ring.h"
#include "common/store/ring_warmer.h"
#include "tests/store/engine.h"
#include "tests/store/faulty_disk.h"
#include "tests/store/shared_object.h"
#include "tests/support/wait.h"

namespace minivault::test {

class RingWarmerTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RingWarmerTest);
  CPPUNIT_TEST(zeros_go_above_the_tail);
  CPPUNIT_TEST(only_zeros_are_sent_to_the_disk);
  CPPUNIT_TEST(a_ring_of_a_new_size_is_written_all_around);
  CPPUNIT_TEST(a_later_start_writes_none);
  CPPUNIT_TEST_SUITE_END();

 public:
  void tearDown() override { fault_plan().disarm(); }

  void zeros_go_above_the_tail() {
    constexpr std::uint64_t kRecords = 21;
    Engine engine(std::uint64_t{160} << 20);
    fault_plan().arm("warmer.before_zeros", FaultPlan::Action::kStop);
    CPPUNIT_ASSERT(engine.try_start());
    eventually("it is about to write zeros", [] { return fault_plan().acted.load() == 1; });
    fault_plan().disarm();
    {
      store::Store store = engine.open_store();
      for (std::uint64_t i = 1; i <= kRecords; ++i) replicate(store, i);
      CPPUNIT_ASSERT(engine.state().marks.tail.load() > store::Ring::kPrewrittenAtBirth + kBytes);
      fault_plan().arm("warmer.before_zeros", FaultPlan::Action::kStop);
      engine.resume_checkpointer();
      eventually("it has written the first", [] { return fault_plan().acted.load() == 1; });
      fault_plan().disarm();
      engine.resume_checkpointer();
      engine.wait_durable(engine.state().marks.tail.load());
      assert_all(store, kRecords);
    }
    engine.kill();
    engine.start();
    store::Store store = engine.open_store();
    assert_all(store, kRecords);
  }

  /// The last piece, too, which is short here.
  void only_zeros_are_sent_to_the_disk() {
    constexpr std::uint64_t kShort = 12'288;
    const std::uint64_t ring_bytes = store::Ring::kPrewrittenAtBirth + (2 << 20) + kShort;
    const DiskFaults& seen = disk_faults();  // shared by all that is forked from now on
    Engine engine(ring_bytes);
    engine.start();
    const std::uint64_t end = store::Ring::kHeaderBytes + ring_bytes;
    eventually("all is written", [&] { return seen.last_writeback_end.load() == end; });
    CPPUNIT_ASSERT_EQUAL(end - kShort, seen.last_writeback_begin.load());
  }

  /// It begins at some LSN, here a megabyte behind what is written at its birth: from there to the end of the
  /// file, then what lies before it.
  void a_ring_of_a_new_size_is_written_all_around() {
    constexpr std::uint64_t kLargeRing = store::Ring::kPrewrittenAtBirth + (3 << 20);
    constexpr std::uint64_t kSmallRing = std::uint64_t{13} << 20;
    const DiskFaults& seen = disk_faults();
    Engine engine(kSmallRing);
    for (int i = 0; i < 5; ++i) {  // each leaps by a ring
      engine.start();
      engine.kill();
    }
    engine.config.log_bytes = kLargeRing;
    CPPUNIT_ASSERT(engine.try_start());
    const store::Lsn born = engine.state().marks.tail.load();
    CPPUNIT_ASSERT(born % kLargeRing > store::Ring::kPrewrittenAtBirth);
    eventually("all is written", [&] {
      return seen.last_writeback_end.load() == store::Ring::kHeaderBytes + born % kLargeRing;
    });
    CPPUNIT_ASSERT(seen.last_writeback_begin.load() >=
                   store::Ring::kHeaderBytes + store::Ring::kPrewrittenAtBirth);
  }

  /// The first one does, also while nothing was written in it; none after an orderly stop or a crash.
  void a_later_start_writes_none() {
    for (const bool orderly : {true, false}) {
      Engine engine(store::Ring::kPrewrittenAtBirth + (8 << 20));
      engine.start();
      CPPUNIT_ASSERT(writes_zeros(engine));
      engine.stop();
      engine.start();
      CPPUNIT_ASSERT(writes_zeros(engine));
      {
        store::Store store = engine.open_store();
        replicate(store, 1);
        engine.wait_durable(engine.state().marks.tail.load());
      }
      orderly ? engine.stop() : engine.kill();
      engine.start();
      CPPUNIT_ASSERT(!writes_zeros(engine));
      engine.kill();  // nothing was written: it leaps all the same
      engine.start();
      CPPUNIT_ASSERT(!writes_zeros(engine));
    }
  }

 private:
  static constexpr std::size_t kBytes = 4 << 20;
  /// Whether a warmer of this start would.
  static bool writes_zeros(Engine& engine) {
    constexpr unsigned kSlot = 3;
    store::Ring ring = store::Ring::open(engine.directory() + "/changes.log").value();
    const store::Index index(engine.region().index_words(), engine.state().limits.index_seed.load());
    store::RingWarmer warmer(engine.state(), ring, index, kSlot);
    fault_plan().arm("warmer.before_zeros", FaultPlan::Action::kFail, 1, ::getpid());
    (void)warmer.step();
    fault_plan().disarm();
    return fault_plan().acted.load() != 0;
  }
  static std::string key_of(std::uint64_t number) { return "key " + std::to_string(number); }
  /// As from another node: it needs no clock, which this one's checkpointer would have to see to.
  static void replicate(store::Store& store, std::uint64_t number) {
    const std::string key = key_of(number);
    const std::string value = stamped(number, kBytes);
    store::Write write;
    write.key = key;
    write.value = value;
    write.version = {number, 99};
    write.condition = store::Condition::kNewerThanHeld;
    CPPUNIT_ASSERT(commit_one(store, write).outcome == store::WriteResult::Outcome::kDone);
  }
  static void assert_all(store::Store& store, std::uint64_t records) {
    for (std::uint64_t i = 1; i <= records; ++i)
      CPPUNIT_ASSERT_EQUAL(i, number_of(value_of(store, key_of(i)).value()));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RingWarmerTest, "ring_warmer_test");

}  // namespace minivault::test
