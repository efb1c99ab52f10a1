// Goal: no version is stamped twice, though a power cut took the records away and somebody set the clock
// back; and the ceiling that sees to it neither stops writers for longer than a sync nor lets the clock run
// away; and the machine's own clock moves nothing. Method: the node's clock is moved, as a replicator would,
// or the machine's (faulty_disk.h); the log's tail is wiped out, the checkpointer stands still.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/store/clock_support.h"
#include "tests/store/faulty_disk.h"
#include "tests/store/recovery_support.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

using namespace clock_support;
using namespace recovery_support;

/// Of what may be written before the time is known.
store::Version stamp_note(Engine& engine) {
  store::Store store = engine.open_store();
  store::Write write;
  write.operation = store::Operation::kNote;
  write.key = "note";
  return commit_one(store, write).version;
}

bool takes_writes(Engine& engine) {
  store::Store store = engine.open_store();
  store::Batch batch;
  store::Write write;
  write.key = "key";
  batch.add(write);
  return in_turn(store, [&] { return store.commit(batch); }).has_value();
}

std::uint64_t ceiling_of(const Engine& engine) {
  return store::Ring::open(log_of(engine)).value().read_hlc_ceiling().value();
}

}  // namespace

class ClockTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ClockTest);
  CPPUNIT_TEST(lost_tail_and_a_clock_set_back);
  CPPUNIT_TEST(lost_tail_while_the_ring_is_replaced);
  CPPUNIT_TEST(what_lies_behind_a_torn_record_was_seen);
  CPPUNIT_TEST(what_is_stamped_is_below_what_is_on_disk);
  CPPUNIT_TEST(a_write_waits_for_one_sync_and_no_longer);
  CPPUNIT_TEST(a_ceiling_that_is_not_on_disk_does_not_count);
  CPPUNIT_TEST(a_full_disk_is_no_matter);
  CPPUNIT_TEST(an_orderly_stop_leaves_the_clock_alone);
  CPPUNIT_TEST(the_machines_clock_is_not_asked);
  CPPUNIT_TEST(who_acknowledges_at_once_knows_the_time_first);
  CPPUNIT_TEST(crashes_do_not_make_it_run_away);
  CPPUNIT_TEST(a_damaged_ceiling_is_told);
  CPPUNIT_TEST_SUITE_END();

  static void set_machine_clock(std::int64_t offset_ms) { disk_faults().clock_offset_ms.store(offset_ms); }

  /// The records of the last writes never got to disk.
  static store::Version lose_the_tail(Engine& engine) {
    engine.suspend_checkpointer();
    const store::Lsn durable = engine.state().marks.durable.load();
    store::Version highest;
    {
      store::Store store = engine.open_store();
      for (int i = 0; i < 20; ++i) highest = stamp(store);
    }
    const store::Lsn tail = engine.state().marks.tail.load();
    engine.kill();
    overwrite(log_of(engine), offset_of(durable, engine.config.log_bytes), std::string(tail - durable, '\0'));
    return highest;
  }

 public:
  void tearDown() override {
    set_machine_clock(0);
    disk_faults().sync_error.store(0);
  }

  void lost_tail_and_a_clock_set_back() {
    Engine engine;
    engine.start();
    fill(engine, 1, 3);
    for (int i = 0; i < 3; ++i) {
      const store::Version highest = lose_the_tail(engine);
      set_machine_clock(-(i + 1) * kHourMs);
      engine.start();
      const store::Version next = stamp(engine);
      CPPUNIT_ASSERT_EQUAL(highest.origin, next.origin);
      CPPUNIT_ASSERT_MESSAGE("a version was stamped twice", next.hlc > highest.hlc);
    }
  }

  void lost_tail_while_the_ring_is_replaced() {
    Engine engine;
    engine.start();
    const store::Version highest = lose_the_tail(engine);
    set_machine_clock(-kHourMs);
    engine.config.log_bytes *= 2;
    engine.start();
    CPPUNIT_ASSERT(stamp(engine).hlc > highest.hlc);
  }

  /// Neither the base nor the ceiling knows of it: another node stamped it, and nothing was synced since.
  void what_lies_behind_a_torn_record_was_seen() {
    Engine engine;
    engine.start();
    engine.suspend_checkpointer();
    const store::Lsn torn = engine.state().marks.tail.load();
    store::Write write;
    write.key = "torn";
    write.version = {1, 99};
    store::Write ahead;
    ahead.key = "behind it";
    ahead.version = {engine.state().append.hlc_ceiling.load() << 1U, 99};
    {
      store::Store store = engine.open_store();
      commit_one(store, write);
      commit_one(store, ahead);
    }
    engine.kill();
    flip_bit(log_of(engine), offset_of(torn + sizeof(store::RecordHeader), engine.config.log_bytes));
    engine.start();
    CPPUNIT_ASSERT(stamp(engine).hlc > ahead.version.hlc);
    store::Store store = engine.open_store();
    CPPUNIT_ASSERT(!value_of(store, ahead.key).has_value());
  }

  /// However long it goes on, and however the clock jumps.
  void what_is_stamped_is_below_what_is_on_disk() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    for (int i = 0; i < 40; ++i) {
      set_clock(engine, i * 1'500 * (i % 10 == 9 ? -1 : 1));
      const store::Version version = stamp(store);
      CPPUNIT_ASSERT(version.hlc < ceiling_of(engine));
    }
  }

  void a_write_waits_for_one_sync_and_no_longer() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    engine.suspend_checkpointer();
    set_clock(engine, 60'000);
    store::Batch batch;
    store::Write write;
    write.key = "key";
    batch.add(write);
    for (int i = 0; i < 3; ++i) {
      const Status done = in_turn(store, [&] { return store.commit(batch); });
      CPPUNIT_ASSERT(!done && done.error().code == Code::kNoSpace);
      CPPUNIT_ASSERT_EQUAL(std::size_t{0}, batch.settled());
    }
    // What another node stamped needs no promise of ours.
    write.version = {wall_ms() << store::kHlcCounterBits, 99};
    write.condition = store::Condition::kNewerThanHeld;
    CPPUNIT_ASSERT(commit_one(store, write).outcome == store::WriteResult::Outcome::kDone);
    engine.resume_checkpointer();
    commit_all(store, batch);
    CPPUNIT_ASSERT(batch.result(0).version.hlc < ceiling_of(engine));
  }

  void a_ceiling_that_is_not_on_disk_does_not_count() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    disk_faults().sync_error.store(EIO);
    const std::uint64_t before = engine.state().append.hlc_ceiling.load();
    set_clock(engine, 60'000);
    store::Batch batch;
    store::Write write;
    write.key = "key";
    batch.add(write);
    eventually("the sync has failed", [&] {
      (void)in_turn(store, [&] { return store.commit(batch); });
      return engine.state().failure.load() != shared::Failure::kNone;
    });
    CPPUNIT_ASSERT_EQUAL(before, engine.state().append.hlc_ceiling.load());
  }

  void a_full_disk_is_no_matter() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    engine.state().base_full.store(1);
    disk_faults().full.store(1);
    set_clock(engine, 60'000);
    const store::Version version = stamp(store);
    disk_faults().full.store(0);
    CPPUNIT_ASSERT(ms_ahead(version.hlc) >= 55'000);
  }

  void an_orderly_stop_leaves_the_clock_alone() {
    Engine engine;
    for (int i = 0; i < 3; ++i) {
      engine.start();
      CPPUNIT_ASSERT(ms_ahead(stamp(engine).hlc) <= 0);
      engine.stop();
    }
  }

  /// Whatever it says: at a start, and while the node runs.
  void the_machines_clock_is_not_asked() {
    Engine engine;
    engine.start();
    const store::Version before = stamp(engine);
    engine.clock_known = false;
    set_machine_clock(kHourMs);
    const auto is_now = [&](const store::Version& version) {
      const std::uint64_t ms = (version.hlc - before.hlc) >> store::kHlcCounterBits;
      return version.hlc > before.hlc && ms < static_cast<std::uint64_t>(kHourMs) / 2;
    };
    CPPUNIT_ASSERT(is_now(stamp(engine)));
    engine.stop();
    engine.start();
    CPPUNIT_ASSERT(is_now(stamp_note(engine)));
    CPPUNIT_ASSERT(!takes_writes(engine));  // what it counts on from may lie below the others' floor
    engine.kill();
    engine.start();
    CPPUNIT_ASSERT(is_now(stamp_note(engine)));
    CPPUNIT_ASSERT(!takes_writes(engine));
  }

  /// Others would stamp a newborn's write anew, before anybody is told of it; with -async its client was
  /// told.
  void who_acknowledges_at_once_knows_the_time_first() {
    for (const bool async : {false, true}) {
      Engine engine;
      engine.config.async = async;
      engine.clock_known = false;
      engine.start();
      (void)stamp_note(engine);  // a ceiling is on disk
      CPPUNIT_ASSERT_EQUAL(async, !takes_writes(engine));
      engine.tell_the_time();
      CPPUNIT_ASSERT(ms_ahead(stamp(engine).hlc) >= -60'000);
    }
  }

  void crashes_do_not_make_it_run_away() {
    Engine engine;
    for (int i = 0; i < 20; ++i) {
      engine.clock_known = i % 4 != 3;  // not each start lives until it is told
      engine.start();
      CPPUNIT_ASSERT(ms_ahead((engine.clock_known ? stamp(engine) : stamp_note(engine)).hlc) <=
                     8'000 + i * 250);
      engine.kill();
    }
  }

  void a_damaged_ceiling_is_told() {
    Engine engine;
    engine.start();
    fill(engine, 1, 3);
    engine.kill();
    for (off_t at = 512; at < 528; ++at) {
      flip_bit(log_of(engine), at);
      assert_refused(engine, "the clock in the header is damaged");
      flip_bit(log_of(engine), at);
    }
    const std::string whole = read_bytes(log_of(engine), 512, 16);
    overwrite(log_of(engine), 512, std::string(16, '\0'));
    assert_refused(engine, "the clock in the header is gone");
    overwrite(log_of(engine), 512, whole);
    flip_bit(log_of(engine), 512);
    engine.config.accept_loss = true;  // which costs no record
    engine.start();
    assert_holds(engine, 1, 3);
    engine.config.accept_loss = false;
    engine.kill();
    engine.start();
    assert_holds(engine, 1, 3);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ClockTest, "clock_test");

}  // namespace minivault::test
