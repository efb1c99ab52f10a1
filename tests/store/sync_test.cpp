// Goal: each -sync mode says of each answer exactly how long it has to wait; after a failed sync or write
// nothing is acknowledged until the node was started again. Method: the checkpointer, and the syncer in it,
// is stopped, killed and made to fail at stop points; a sync is held.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <thread>

#include "common/core/fault_point.h"
#include "tests/store/engine.h"
#include "tests/store/faulty_disk.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

using Outcome = store::WriteResult::Outcome;

store::WriteResult write_one(store::Store& store, std::string_view key, std::string_view value) {
  store::Write write;
  write.key = key;
  write.value = value;
  return commit_one(store, write);
}

store::Lsn answer_after(store::Store& store, std::string_view key) {
  return in_turn(store, [&] { return store.get(key).value().answer_after; });
}

}  // namespace

class SyncTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SyncTest);
  CPPUNIT_TEST(always);
  CPPUNIT_TEST(interval);
  CPPUNIT_TEST(interval_when_the_syncer_dies);
  CPPUNIT_TEST(none);
  CPPUNIT_TEST(failed_sync_is_final);
  CPPUNIT_TEST(who_waits_for_a_sync_is_told_that_it_failed);
  CPPUNIT_TEST(a_checkpoint_that_waits_for_a_sync_rests);
  CPPUNIT_TEST(failed_write_is_final);
  CPPUNIT_TEST(failed_write_of_a_successor_is_final);
  CPPUNIT_TEST(every_record_wakes_the_replicator);
  CPPUNIT_TEST_SUITE_END();

 public:
  void tearDown() override {
    fault_plan().disarm();
    disk_faults().hold_syncs.store(0);
  }

  void every_record_wakes_the_replicator() {
    constexpr unsigned kReplicatorSlot = 2;
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    engine.region().silence(kReplicatorSlot);
    std::atomic<std::uint32_t>& asleep = engine.state().cluster.replicator_asleep;
    asleep.store(kReplicatorSlot + 1);
    store::Write foreign;
    foreign.key = "of another node";
    foreign.version = {std::uint64_t{1} << 40U, engine.state().limits.node_id.load() + 1};
    commit_one(store, foreign);
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{0}, asleep.load());
    CPPUNIT_ASSERT(rings(engine, kReplicatorSlot));
    engine.region().silence(kReplicatorSlot);
    asleep.store(kReplicatorSlot + 1);
    write_one(store, "key", "value");
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{0}, asleep.load());
    CPPUNIT_ASSERT(rings(engine, kReplicatorSlot));
  }

  void always() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    engine.suspend_checkpointer();
    const store::WriteResult done = write_one(store, "key", "value");
    CPPUNIT_ASSERT_EQUAL(done.end, done.answer_after);
    CPPUNIT_ASSERT(store.durable() < done.end);
    CPPUNIT_ASSERT_EQUAL(done.end, answer_after(store, "key"));
    CPPUNIT_ASSERT_EQUAL(store::Lsn{0}, answer_after(store, "never written"));
    remove(store, "key");
    CPPUNIT_ASSERT(answer_after(store, "key") > done.end);  // an absence can be at risk too

    engine.region().silence(1);
    CPPUNIT_ASSERT(store.ring_when_durable(done.end));
    CPPUNIT_ASSERT(!rings(engine, 1, 50));
    engine.resume_checkpointer();
    CPPUNIT_ASSERT(rings(engine, 1));
    engine.wait_durable(engine.state().marks.tail.load());
    CPPUNIT_ASSERT(!store.ring_when_durable(done.end));
    CPPUNIT_ASSERT_EQUAL(shared::kNoLsn, engine.region().slot(1).durable_want.load());
    CPPUNIT_ASSERT_EQUAL(store::Lsn{0}, answer_after(store, "key"));
  }

  void interval() {
    constexpr std::chrono::milliseconds kInterval(200);
    Engine engine(std::uint64_t{16} << 20, {SyncMode::Kind::kInterval, kInterval});
    engine.start();
    store::Store store = engine.open_store();
    const store::WriteResult first = write_one(store, "key", "1");
    CPPUNIT_ASSERT_EQUAL(store::Lsn{0}, first.answer_after);
    CPPUNIT_ASSERT_EQUAL(store::Lsn{0}, answer_after(store, "key"));
    engine.wait_durable(first.end);  // by itself, without another write

    engine.suspend_checkpointer();
    CPPUNIT_ASSERT_EQUAL(store::Lsn{0}, write_one(store, "key", "2").answer_after);
    eventually("writers park", [&] {
      const store::WriteResult result = write_one(store, "key", "3");
      CPPUNIT_ASSERT(result.answer_after == 0 || result.answer_after == result.end);
      return result.answer_after != 0;
    });
    const store::Lsn tail = engine.state().marks.tail.load();
    engine.resume_checkpointer();
    engine.wait_durable(tail);
    eventually("writers go on", [&] { return write_one(store, "key", "4").answer_after == 0; });
  }

  /// The age of what a dead syncer had begun to sync is not forgotten, nor by the next one while it syncs.
  void interval_when_the_syncer_dies() {
    constexpr std::chrono::milliseconds kInterval(100);
    Engine engine(std::uint64_t{16} << 20, {SyncMode::Kind::kInterval, kInterval});
    engine.start();
    store::Store store = engine.open_store();
    fault_plan().arm("syncer.before_durable", FaultPlan::Action::kKill);
    const store::WriteResult at_risk = write_one(store, "key", "1");
    engine.reap_checkpointer();
    CPPUNIT_ASSERT(store.durable() < at_risk.end);
    std::this_thread::sleep_for(2 * kInterval);
    CPPUNIT_ASSERT(write_one(store, "key", "2").answer_after != 0);
    fault_plan().arm("syncer.before_durable", FaultPlan::Action::kStop);
    engine.fork_checkpointer();
    eventually("the next syncer is in its sync", [] { return fault_plan().acted.load() == 1; });
    CPPUNIT_ASSERT(write_one(store, "key", "3").answer_after != 0);
    fault_plan().disarm();
    engine.resume_checkpointer();
    eventually("writers go on", [&] { return write_one(store, "key", "4").answer_after == 0; });
  }

  void none() {
    Engine engine(std::uint64_t{16} << 20, {SyncMode::Kind::kNone, std::chrono::milliseconds(0)});
    engine.start();
    store::Store store = engine.open_store();
    engine.suspend_checkpointer();
    for (int i = 0; i < 10; ++i)
      CPPUNIT_ASSERT_EQUAL(store::Lsn{0}, write_one(store, "key", "value").answer_after);
    CPPUNIT_ASSERT_EQUAL(store::Lsn{0}, answer_after(store, "key"));
    const store::Lsn tail = engine.state().marks.tail.load();
    CPPUNIT_ASSERT(store.durable() < tail);
    engine.resume_checkpointer();
    engine.wait_checkpoint(tail);
    CPPUNIT_ASSERT(store.durable() >= tail);  // before it may enter the base
  }

  void failed_sync_is_final() {
    Engine engine;
    engine.start();
    {
      store::Store store = engine.open_store();
      const store::WriteResult before = write_one(store, "before", "1");
      engine.wait_durable(before.end);
      engine.region().silence(1);
      fault_plan().arm("ring.sync", FaultPlan::Action::kFail);
      const store::WriteResult lost = write_one(store, "lost", "1");
      eventually("the failure is known", [&] { return store.failure() == shared::Failure::kLogSync; });
      CPPUNIT_ASSERT(rings(engine, 1));  // who waits for an acknowledgement is told
      fault_plan().disarm();
      assert_takes_no_writes(store);
      CPPUNIT_ASSERT_EQUAL(before.end, store.durable());
      CPPUNIT_ASSERT(value_of(store, "before").has_value());
      CPPUNIT_ASSERT_EQUAL(lost.end, answer_after(store, "lost"));
    }
    engine.stop();
    CPPUNIT_ASSERT(engine.exit_status() != 0);
    engine.start();
    store::Store store = engine.open_store();
    CPPUNIT_ASSERT(value_of(store, "before").has_value());
    put(store, "after", "1");
    engine.wait_durable(engine.state().marks.tail.load());
  }

  /// A checkpoint that asks for a sync does not wait for ever, and with it the node's stop.
  void who_waits_for_a_sync_is_told_that_it_failed() {
    Engine engine(std::uint64_t{16} << 20, {SyncMode::Kind::kNone, std::chrono::milliseconds(0)});
    engine.start();
    {
      store::Store store = engine.open_store();
      fault_plan().arm("ring.sync", FaultPlan::Action::kFail);
      write_one(store, "key", "value");
      engine.region().ask_for_checkpoint(engine.state().marks.tail.load());
      eventually("the failure is known", [&] { return store.failure() == shared::Failure::kLogSync; });
      fault_plan().disarm();
      CPPUNIT_ASSERT(engine.state().marks.checkpoint.load() < engine.state().marks.tail.load());
    }
    engine.stop();
    CPPUNIT_ASSERT(engine.exit_status() != 0);
  }

  /// However much it is wanted; and goes on as soon as the sync is done.
  void a_checkpoint_that_waits_for_a_sync_rests() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    write_one(store, "key", "1");
    engine.checkpoint_now();
    engine.state().append.hlc_ceiling.store(store::kEndOfTime);  // else a write may wait for a sync itself
    disk_faults().hold_syncs.store(1);
    const store::Lsn end = write_one(store, "key", "2").end;
    eventually("the sync is under way", [] { return disk_faults().held_syncs.load() == 1; });
    const std::uint64_t before = engine.rounds().begun.load();
    engine.region().ask_for_checkpoint(end);
    eventually("the checkpointer has looked", [&] { return engine.rounds().begun.load() >= before + 3; });
    eventually("it rests", [&] { return engine.rounds().pause_ms.load() > 10; });
    CPPUNIT_ASSERT(store.durable() < end);
    const std::uint64_t rung = engine.rounds().rung.load();
    disk_faults().hold_syncs.store(0);
    eventually("it is rung", [&] { return engine.rounds().rung.load() > rung; });
    eventually("the base is up to date", [&] { return engine.state().marks.checkpoint.load() == end; });
  }

  void failed_write_is_final() {
    Engine engine;
    engine.start();
    {
      store::Store store = engine.open_store();
      engine.wait_durable(write_one(store, "before", "1").end);
      engine.region().silence(1);
      fault_plan().arm("ring.write", FaultPlan::Action::kFail);
      assert_takes_no_writes(store);
      fault_plan().disarm();
      CPPUNIT_ASSERT(store.failure() == shared::Failure::kLogWrite);
      CPPUNIT_ASSERT(rings(engine, 1));
      assert_takes_no_writes(store);
      CPPUNIT_ASSERT(!value_of(store, "refused").has_value());
      CPPUNIT_ASSERT(value_of(store, "before").has_value());
    }
    engine.stop();
    CPPUNIT_ASSERT(engine.exit_status() != 0);
    engine.start();
    store::Store store = engine.open_store();
    CPPUNIT_ASSERT(value_of(store, "before").has_value());
    put(store, "after", "1");
  }

  /// What the one before may not have synced could not be written again: it counts as lost.
  void failed_write_of_a_successor_is_final() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    fault_plan().arm("syncer.before_durable", FaultPlan::Action::kKill);
    const store::WriteResult lost = write_one(store, "lost", "1");
    engine.reap_checkpointer();
    engine.region().silence(1);
    fault_plan().arm("ring.write", FaultPlan::Action::kFail);
    engine.restart_checkpointer();
    fault_plan().disarm();
    CPPUNIT_ASSERT(store.failure() == shared::Failure::kLogWrite);
    CPPUNIT_ASSERT(rings(engine, 1));
    assert_takes_no_writes(store);
    CPPUNIT_ASSERT(store.durable() < lost.end);
  }

 private:
  static void assert_takes_no_writes(store::Store& store) {
    store::Batch batch;
    store::Write write;
    write.key = "refused";
    batch.add(write);
    const Status done = in_turn(store, [&] { return store.commit(batch); });
    CPPUNIT_ASSERT(!done && done.error().code == Code::kUnavailable);
    CPPUNIT_ASSERT(batch.result(0).outcome == Outcome::kFailed);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, batch.settled());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SyncTest, "sync_test");

}  // namespace minivault::test
