// Goal: a base that is older than its log, empty or not there is never started on silently, and what the log
// has beyond it is lost to nobody who did not say so. Method: bases are taken away, emptied, and put back
// from earlier lives.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/store/recovery_support.h"

namespace minivault::test {
namespace {

using namespace recovery_support;

}  // namespace

class RecoveryBaseTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RecoveryBaseTest);
  CPPUNIT_TEST(missing_base);
  CPPUNIT_TEST(empty_base);
  CPPUNIT_TEST(older_base_that_the_ring_still_follows);
  CPPUNIT_TEST(older_base_after_laps_of_the_ring);
  CPPUNIT_TEST(older_base_tells_how_far_the_log_goes);
  CPPUNIT_TEST(older_base_of_an_earlier_start);
  CPPUNIT_TEST(older_base_than_the_ring);
  CPPUNIT_TEST(missing_base_and_damaged_header);
  CPPUNIT_TEST(orderly_end_that_is_not_there);
  CPPUNIT_TEST_SUITE_END();

 public:
  void missing_base() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.stop();
    std::filesystem::remove(base_of(engine));
    assert_refused(engine, "base.mdb) is missing");
    engine.config.accept_loss = true;
    assert_refused(engine, "base.mdb) is missing");
  }

  /// No birth leaves one; so it is damage, with a log beside it and without.
  void empty_base() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.stop();
    std::filesystem::resize_file(base_of(engine), 0);
    for (const bool with_log : {true, false}) {
      if (!with_log) std::filesystem::remove(log_of(engine));
      for (const bool accept : {false, true}) {
        engine.config.accept_loss = accept;
        assert_refused(engine, "base.mdb: truncated: it is empty");
        CPPUNIT_ASSERT_EQUAL(std::uintmax_t{0}, std::filesystem::file_size(base_of(engine)));
      }
      CPPUNIT_ASSERT_EQUAL(with_log, std::filesystem::exists(log_of(engine)));
    }
  }

  /// The log holds all that the older base lacks: nothing is lost, and nobody need know.
  void older_base_that_the_ring_still_follows() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.checkpoint_now();
    const Kept base = keep_base(engine);
    fill(engine, 6, 9);
    engine.checkpoint_now();
    engine.kill();
    base.put_back();
    engine.start();
    assert_holds(engine, 1, 9);
  }

  void older_base_after_laps_of_the_ring() {
    for (const unsigned laps : {1U, 2U, 3U}) {
      Engine engine;
      engine.start();
      fill(engine, 1, 5);
      engine.checkpoint_now();
      const Kept base = keep_base(engine);
      const store::Lsn end = lap(engine, laps);
      engine.kill();
      base.put_back();
      const bool all_overwritten = laps > 1;  // no record follows the base's that is not of a later lap
      CPPUNIT_ASSERT_EQUAL(all_overwritten, refusal(engine).find("follow, of keys") == std::string::npos);
      assert_lost(engine, "the log is damaged in what was acknowledged", end, 5);
    }
  }

  /// Further than what lies last in the ring.
  void older_base_tells_how_far_the_log_goes() {
    Engine engine(1 << 20);
    engine.start();
    fill(engine, 1, 5);
    engine.checkpoint_now();
    const Kept base = keep_base(engine);
    const store::Lsn durable = fill(engine, 6, 11, 200'000);
    fill(engine, 12, 12, 200'000);
    engine.kill();
    base.put_back();
    assert_refused(engine, " to " + std::to_string(durable));
  }

  void older_base_of_an_earlier_start() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.stop();
    const Kept base(base_of(engine));
    engine.start();
    const store::Lsn end = lap(engine, 4);
    engine.stop();
    base.put_back();
    assert_lost(engine, "copies of different times", end, 5);
  }

  void older_base_than_the_ring() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.stop();
    const Kept base(base_of(engine));
    engine.config.log_bytes *= 2;  // a new ring, which begins where the base stands
    engine.start();
    const store::Lsn end = fill(engine, 6, 9);
    engine.kill();
    engine.start();
    fill(engine, 10, 12);
    engine.config.log_bytes /= 2;
    engine.kill();
    engine.start();
    engine.kill();
    base.put_back();
    assert_lost(engine, "the base is older than the beginning of the log", end, 5);
  }

  void missing_base_and_damaged_header() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.stop();
    std::filesystem::remove(base_of(engine));
    for (const bool damaged : {false, true}) {
      if (damaged) flip_bit(log_of(engine), 33);
      for (const bool accept : {false, true}) {
        engine.config.accept_loss = accept;
        assert_refused(engine, "base.mdb) is missing");
        CPPUNIT_ASSERT(!std::filesystem::exists(base_of(engine)));
      }
    }
  }

  void orderly_end_that_is_not_there() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.checkpoint_now();
    const Kept base = keep_base(engine);
    const store::Lsn damaged = engine.state().marks.tail.load() + 20;
    const store::Lsn end = fill(engine, 6, 9);
    engine.stop();
    base.put_back();
    flip_bit(log_of(engine), offset_of(damaged, engine.config.log_bytes));
    assert_lost(engine, "stopped in order, but its end is not there", end, 5);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RecoveryBaseTest, "recovery_base_test");

}  // namespace minivault::test
