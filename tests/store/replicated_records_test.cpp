// Goal: of what another node sends a node keeps what is newer than all it holds, wherever that is, also where
// it is judged by its clock alone, without a look at the base; and what is damaged there takes nobody else
// along. Method: records with clocks beyond those of the base, before and behind checkpoints that stand still
// at their stop points; a record that is damaged behind the base's back.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <csignal>

#include "common/core/fault_point.h"
#include "tests/store/base_support.h"
#include "tests/store/engine.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

using store::Condition;
using Outcome = store::WriteResult::Outcome;

/// As another node would send it.
store::Write replicated(std::string_view key, std::string_view value, std::uint64_t hlc) {
  store::Write write = write_of(key, value, Condition::kNewerThanHeld);
  write.version = {hlc, 77};
  return write;
}

Outcome bring(store::Store& store, std::string_view key, std::string_view value, std::uint64_t hlc) {
  return commit_one(store, replicated(key, value, hlc)).outcome;
}

/// Its value says its clock.
Outcome bring(store::Store& store, std::string_view key, std::uint64_t hlc) {
  return bring(store, key, std::to_string(hlc), hlc);
}

}  // namespace

class ReplicatedRecordsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReplicatedRecordsTest);
  CPPUNIT_TEST(larger_clocks_than_the_base_knows_need_no_lookup);
  CPPUNIT_TEST(who_asks_for_what_is_damaged_fails_alone);
  CPPUNIT_TEST(what_clocks_say_ends_with_the_checkpoint);
  CPPUNIT_TEST(what_clocks_say_is_told_before_the_checkpoint);
  CPPUNIT_TEST_SUITE_END();

 public:
  void tearDown() override { fault_plan().disarm(); }

  /// A record of another node's whose clock is beyond all in the base is newer than what the base has of its
  /// key; any other is looked up, in the life of the node that stored the larger clock and in the next.
  void larger_clocks_than_the_base_knows_need_no_lookup() {
    Engine engine;
    engine.start();
    std::uint64_t far = 0;  // beyond what the node stamps itself
    {
      store::Store store = engine.open_store();
      far = commit_one(store, write_of("other", "")).version.hlc << 1;
      CPPUNIT_ASSERT(bring(store, "a", far + 100) == Outcome::kDone);
      CPPUNIT_ASSERT(bring(store, "b", far + 200) == Outcome::kDone);
      engine.move_to_base();
      CPPUNIT_ASSERT_EQUAL(far + 200, engine.state().marks.base_hlc.load());
      CPPUNIT_ASSERT(bring(store, "b", far + 150) == Outcome::kRefused);
      CPPUNIT_ASSERT(bring(store, "a", far + 150) == Outcome::kDone);
      CPPUNIT_ASSERT(bring(store, "a", far + 201) == Outcome::kDone);
    }
    engine.stop();
    engine.start();
    {
      store::Store store = engine.open_store();
      CPPUNIT_ASSERT(bring(store, "b", far + 150) == Outcome::kRefused);
      CPPUNIT_ASSERT(bring(store, "a", far + 200) == Outcome::kRefused);
      CPPUNIT_ASSERT(bring(store, "b", far + 210) == Outcome::kDone);
      CPPUNIT_ASSERT_EQUAL(std::to_string(far + 210), value_of(store, "b").value());
      CPPUNIT_ASSERT_EQUAL(std::to_string(far + 201), value_of(store, "a").value());
      engine.wait_durable(engine.state().marks.tail.load());
    }
    engine.kill();  // this time the start itself brings the larger clock into the base
    engine.start();
    store::Store store = engine.open_store();
    CPPUNIT_ASSERT(bring(store, "b", far + 205) == Outcome::kRefused);
    CPPUNIT_ASSERT_EQUAL(std::to_string(far + 210), value_of(store, "b").value());
  }

  /// And a copy of another node heals the key, also where its record is old enough to pass for a ghost.
  void who_asks_for_what_is_damaged_fails_alone() {
    Engine engine;
    engine.start();
    store::Version written;
    {
      store::Store store = engine.open_store();
      written = commit_one(store, write_of("key", "value")).version;
      engine.move_to_base();
    }
    engine.stop();
    store::base_support::raw_put(engine.directory() + "/base.mdb", "data", "key", std::string(40, '\1'));
    engine.start();
    engine.state().cluster.complete.store(1);
    engine.state().limits.tombstone_floor_hlc.store(written.hlc + 1);
    store::Store store = engine.open_store();
    store::Batch batch;
    batch.add(write_of("before", "1"));
    batch.add(write_of("key", "2", Condition::kAbsent));
    batch.add(write_of("behind", "3", Condition::kAbsent));
    commit_all(store, batch);
    CPPUNIT_ASSERT(batch.result(0).outcome == Outcome::kDone && batch.result(2).outcome == Outcome::kDone);
    CPPUNIT_ASSERT(batch.result(1).outcome == Outcome::kFailed);
    store::Write copy = write_of("key", "value", Condition::kNewerThanHeld);
    copy.version = written;
    CPPUNIT_ASSERT(commit_one(store, copy).outcome == Outcome::kDone);
    engine.move_to_base();
    CPPUNIT_ASSERT_EQUAL(std::string("value"), value_of(store, "key").value());
  }

  /// A newer record is in the index, not in the base, when a writer judges by clocks alone; then it goes to
  /// the base, and the index forgets it.
  void what_clocks_say_ends_with_the_checkpoint() {
    Engine engine;
    engine.start();
    store::Version first;
    {
      store::Store store = engine.open_store();
      first = commit_one(store, write_of("other", "1")).version;
      engine.move_to_base();
      CPPUNIT_ASSERT(bring(store, "key", "newer", first.hlc + 2'000'000) == Outcome::kDone);
    }
    fault_plan().arm("append.judged", FaultPlan::Action::kStop);
    const pid_t writer = engine.spawn(2, [&](store::Store& store) {
      return bring(store, "key", "older", first.hlc + 1'000'000) == Outcome::kRefused ? 0 : 1;
    });
    eventually("it has judged", [] { return fault_plan().acted.load() == 1; });
    fault_plan().disarm();
    engine.move_to_base();
    ::kill(writer, SIGCONT);
    CPPUNIT_ASSERT_EQUAL(0, engine.reap(writer));
    store::Store store = engine.open_store();
    CPPUNIT_ASSERT_EQUAL(std::string("newer"), value_of(store, "key").value());
  }

  /// Whoever sees the new checkpoint sees the largest clock in it.
  void what_clocks_say_is_told_before_the_checkpoint() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    const store::Version first = commit_one(store, write_of("other", "1")).version;
    engine.move_to_base();
    fault_plan().arm("checkpoint.published", FaultPlan::Action::kStop);
    CPPUNIT_ASSERT(bring(store, "key", "newer", first.hlc + 2'000'000) == Outcome::kDone);
    engine.region().ask_for_checkpoint(engine.state().marks.tail.load());
    eventually("it has told of its checkpoint", [] { return fault_plan().acted.load() == 1; });
    fault_plan().disarm();
    shared::raise(engine.state().marks.window, engine.state().marks.checkpoint.load());
    CPPUNIT_ASSERT(bring(store, "key", "older", first.hlc + 1'000'000) == Outcome::kRefused);
    engine.resume_checkpointer();
    CPPUNIT_ASSERT_EQUAL(std::string("newer"), value_of(store, "key").value());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReplicatedRecordsTest, "replicated_records_test");

}  // namespace minivault::test
