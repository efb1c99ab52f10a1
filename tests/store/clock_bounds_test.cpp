// Goal: what is no clock, of another node's record or of the machine, takes nobody along, and what it came
// with is not noted either; nor is anything stamped or taken beyond the end of time. Method: versions that no
// clock says, a machine's clock that is sixty years ahead (faulty_disk.h), a node's at the end of the year
// 9999.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/store/clock_support.h"
#include "tests/store/faulty_disk.h"

namespace minivault::test {
namespace {

using namespace clock_support;

}  // namespace

class ClockBoundsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ClockBoundsTest);
  CPPUNIT_TEST(what_is_no_clock_takes_nobody_along);
  CPPUNIT_TEST(until_the_time_is_known_the_machines_clock_bounds);
  CPPUNIT_TEST(nothing_is_taken_from_beyond_the_end_of_time);
  CPPUNIT_TEST(what_speaks_of_a_record_that_failed_is_not_noted);
  CPPUNIT_TEST(at_the_end_of_time_nothing_is_stamped);
  CPPUNIT_TEST_SUITE_END();

 public:
  void tearDown() override { disk_faults().clock_offset_ms.store(0); }

  /// Neither as the version of another node's record, nor as what is to be stamped above.
  void what_is_no_clock_takes_nobody_along() {
    Engine engine;
    engine.start();
    set_clock(engine, 0);
    store::Store store = engine.open_store();
    for (const std::uint64_t origin : {std::uint64_t{7}, std::uint64_t{0}}) {
      store::Write write;
      write.key = "key";
      write.version = {store::largest_believable_hlc(engine.state().append) + (1ULL << 40U), origin};
      const store::WriteResult result = commit_one(store, write);
      CPPUNIT_ASSERT(result.outcome == store::WriteResult::Outcome::kFailed);
      CPPUNIT_ASSERT(ms_ahead(stamp(store).hlc) < kHourMs);
    }
  }

  /// It is the best guess then, and others' records come in before the time is chosen.
  void until_the_time_is_known_the_machines_clock_bounds() {
    constexpr std::int64_t kSixtyYears = 60LL * 365 * 24 * kHourMs;
    Engine engine;
    engine.clock_known = false;
    disk_faults().clock_offset_ms.store(kSixtyYears);
    engine.start();
    store::Store store = engine.open_store();
    store::Write write;
    write.key = "key";
    write.version = {wall_ms() << store::kHlcCounterBits, 7};
    CPPUNIT_ASSERT(commit_one(store, write).outcome == store::WriteResult::Outcome::kDone);
  }

  /// However late it is.
  void nothing_is_taken_from_beyond_the_end_of_time() {
    Engine engine;
    engine.start();
    const std::uint64_t late = store::kEndOfTime - (1ULL << 40U);
    engine.state().append.clock_offset.store(static_cast<std::int64_t>(late - boot_hlc()));
    store::Store store = engine.open_store();
    for (const bool beyond : {true, false}) {
      store::Write write;
      write.key = "key";
      write.version = {store::kEndOfTime - (beyond ? 0 : 1), 7};
      const auto expected =
          beyond ? store::WriteResult::Outcome::kFailed : store::WriteResult::Outcome::kDone;
      CPPUNIT_ASSERT(commit_one(store, write).outcome == expected);
    }
  }

  void what_speaks_of_a_record_that_failed_is_not_noted() {
    Engine engine;
    engine.start();
    set_clock(engine, 0);
    store::Store store = engine.open_store();
    store::Batch batch;
    const auto add_note = [&](std::string_view name) {
      store::Write note;
      note.operation = store::Operation::kNote;
      note.key = name;
      note.value = "held";
      batch.add(note);
    };
    add_note("before");
    store::Write write;
    write.key = "key";
    write.version = {store::largest_believable_hlc(engine.state().append) + (1ULL << 40U), 7};
    batch.add(write);
    write.key = "other";
    write.version = {1ULL << 40U, 7};
    batch.add(write);
    add_note("behind");
    commit_all(store, batch);
    using Outcome = store::WriteResult::Outcome;
    CPPUNIT_ASSERT(batch.result(0).outcome == Outcome::kDone && batch.result(1).outcome == Outcome::kFailed);
    CPPUNIT_ASSERT(batch.result(2).outcome == Outcome::kDone && batch.result(3).outcome == Outcome::kFailed);
    const auto noted = [&](std::string_view name) {
      return in_turn(store, [&] { return std::string(store.note(name).value().value); });
    };
    CPPUNIT_ASSERT_EQUAL(std::string("held"), noted("before"));
    CPPUNIT_ASSERT_EQUAL(std::string(), noted("behind"));
    batch.clear();
    add_note("behind");  // what the batch was filled with before is over
    commit_all(store, batch);
    CPPUNIT_ASSERT_EQUAL(std::string("held"), noted("behind"));
  }

  void at_the_end_of_time_nothing_is_stamped() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    (void)stamp(store);
    engine.state().append.last_hlc.store(store::kEndOfTime - 2);
    engine.state().append.hlc_ceiling.store(store::next_hlc_ceiling(0, store::kEndOfTime - 2));
    CPPUNIT_ASSERT_EQUAL(store::kEndOfTime - 1, stamp(store).hlc);
    store::Batch batch;
    store::Write write;
    write.key = "key";
    batch.add(write);
    const Status refused = in_turn(store, [&] { return store.commit(batch); });
    CPPUNIT_ASSERT(!refused);
    CPPUNIT_ASSERT_MESSAGE(refused.error().message,
                           refused.error().message.find("9999-12-31") != std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ClockBoundsTest, "clock_bounds_test");

}  // namespace minivault::test
