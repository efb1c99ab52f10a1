// Goal: a tombstone stays until the stable floor has passed it and no longer, also where the base has it by
// then; and whoever brings the key back afterwards is refused, never whoever brings something new. Method: a
// floor set by the test as a replicator would; what the base holds, counts and refuses then.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <csignal>

#include "common/core/fault_point.h"
#include "common/store/base_format.h"
#include "tests/store/base_support.h"
#include "tests/store/engine.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

using store::Condition;
using Outcome = store::WriteResult::Outcome;

constexpr std::uint64_t kHour = 3'600'000ULL << store::kHlcCounterBits;

std::string key_of(unsigned n) {
  return "key " + std::to_string(1'000'000 + n);
}

void set_floor(Engine& engine, std::uint64_t floor) {
  engine.state().limits.tombstone_floor_hlc.store(floor);
}

/// A record as another node would send it.
store::WriteResult bring(store::Store& store, std::string_view key, std::uint64_t hlc) {
  store::Write write;
  write.key = key;
  write.value = "brought";
  write.condition = Condition::kNewerThanHeld;
  write.version = {hlc, 77};
  return commit_one(store, write);
}

}  // namespace

class TombstoneTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(TombstoneTest);
  CPPUNIT_TEST(swept_when_the_floor_has_passed);
  CPPUNIT_TEST(a_grace_is_kept);
  CPPUNIT_TEST(a_long_walk_goes_on_after_a_death);
  CPPUNIT_TEST(a_floor_that_moves_during_a_walk_has_a_walk_of_its_own);
  CPPUNIT_TEST(a_count_that_is_too_small_does_not_cost_a_walk_its_work);
  CPPUNIT_TEST(what_was_deleted_long_ago_is_not_taken);
  CPPUNIT_TEST(a_floor_that_passes_a_judged_record);
  CPPUNIT_TEST(whoever_is_being_filled_takes_all);
  CPPUNIT_TEST(whoever_found_its_base_damaged_takes_all);
  CPPUNIT_TEST(whoever_is_alone_takes_all);
  CPPUNIT_TEST_SUITE_END();

  /// `keys` values, every other one deleted; all of it is in the base. The clock value after them.
  static std::uint64_t delete_half(Engine& engine, unsigned keys) {
    engine.config.cluster_nodes = {"peer:1"};  // tombstones are kept
    engine.start();
    engine.state().cluster.complete.store(1);
    store::Store store = engine.open_store();
    for (const bool removes : {false, true}) {
      store::Batch batch;
      std::vector<std::string> names;
      for (unsigned i = 0; i < keys; i += removes ? 2 : 1) names.push_back(key_of(i));
      for (const std::string& name : names) {
        store::Write write;
        write.operation = removes ? store::Operation::kDelete : store::Operation::kSet;
        write.key = name;
        write.value = removes ? "" : "value";
        batch.add(write);
      }
      commit_all(store, batch);
    }
    engine.checkpoint_now();
    return engine.state().append.last_hlc.load();
  }

  static void await_tombstones(Engine& engine, std::uint64_t count) {
    eventually(std::to_string(count) + " tombstones",
               [&] { return engine.state().totals.tombstones.load() == count; });
  }

  static store::BaseMeta meta_of(Engine& engine) {
    engine.stop();
    const auto base = store::Base::open_offline(engine.directory());
    CPPUNIT_ASSERT(base.has_value());
    std::uint64_t tombstones = 0;
    const auto snapshot = base->snapshot();
    CPPUNIT_ASSERT(snapshot.has_value());
    const Status scanned = snapshot->scan("", [&](std::string_view, const store::BaseRecord& record) {
      tombstones += record.operation == store::Operation::kDelete ? 1 : 0;
      return true;
    });
    CPPUNIT_ASSERT(scanned.has_value());
    const store::BaseMeta meta = snapshot->meta().value();
    CPPUNIT_ASSERT_EQUAL(tombstones, meta.tombstones);
    return meta;
  }

 public:
  void swept_when_the_floor_has_passed() {
    Engine engine;
    const std::uint64_t after = delete_half(engine, 1'000);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{500}, engine.state().totals.tombstones.load());
    set_floor(engine, after + kHour);
    await_tombstones(engine, 0);  // nobody writes: no checkpoint is needed for it
    const store::BaseMeta meta = meta_of(engine);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, meta.tombstones);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{500}, meta.keys);
  }

  // Those that the floor has not passed by the grace stay, in the base and on their way into it.
  void a_grace_is_kept() {
    Engine engine;
    const std::uint64_t first = delete_half(engine, 100);
    {
      store::Store store = engine.open_store();
      (void)bring(store, "moves the clock", first + kHour);
      remove(store, key_of(1));
      engine.checkpoint_now();
    }
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{51}, engine.state().totals.tombstones.load());
    set_floor(engine, engine.state().append.last_hlc.load());
    await_tombstones(engine, 1);
    {
      store::Store store = engine.open_store();
      remove(store, key_of(3));
      set_floor(engine, engine.state().append.last_hlc.load());
      engine.checkpoint_now();
    }
    await_tombstones(engine, 2);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, meta_of(engine).tombstones);
  }

  // More than one step, and the checkpointer dies in the second: its successor begins anew and ends.
  void a_long_walk_goes_on_after_a_death() {
    Engine engine;
    const std::uint64_t after = delete_half(engine, 50'000);
    fault_plan().arm("sweep.before_commit", FaultPlan::Action::kKill, 2);
    set_floor(engine, after + kHour);
    engine.reap_checkpointer();
    fault_plan().disarm();
    const std::uint64_t left = engine.state().totals.tombstones.load();
    CPPUNIT_ASSERT_MESSAGE(std::to_string(left), left > 0 && left < 25'000);
    engine.restart_checkpointer();
    await_tombstones(engine, 0);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{25'000}, meta_of(engine).keys);
  }

  // What the walk has gone by is swept up to where the floor was when that began.
  void a_floor_that_moves_during_a_walk_has_a_walk_of_its_own() {
    Engine engine;
    const std::uint64_t first = delete_half(engine, 50'000);
    {
      store::Store store = engine.open_store();
      (void)bring(store, "moves the clock", first + kHour);
      remove(store, key_of(1));  // the walk's first step goes by it
      engine.checkpoint_now();
    }
    const std::uint64_t after = engine.state().append.last_hlc.load();
    fault_plan().arm("sweep.before_commit", FaultPlan::Action::kStop, 2);
    set_floor(engine, first + kHour / 2);
    eventually("it is in its second step", [] { return fault_plan().acted.load() == 1; });
    fault_plan().disarm();
    set_floor(engine, after + kHour);
    engine.resume_checkpointer();
    await_tombstones(engine, 0);  // nobody writes, and the floor does not move again
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{25'000}, meta_of(engine).keys);
  }

  // As damage may leave it: the walk's second step finds none counted that it could take away.
  void a_count_that_is_too_small_does_not_cost_a_walk_its_work() {
    Engine engine;
    const std::uint64_t after = delete_half(engine, 50'000);
    store::BaseMeta meta = meta_of(engine);
    meta.keys = 49'995;
    meta.tombstones = 5;
    const auto bytes = store::base::encode_meta(meta);
    store::base_support::raw_put(engine.directory() + "/base.mdb", "meta", "base",
                                 {bytes.data(), bytes.size()});
    engine.start();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{5}, engine.state().totals.tombstones.load());
    set_floor(engine, after + kHour);
    eventually("all of them are gone", [&] { return engine.state().totals.keys.load() == 25'000; });
    meta = meta_of(engine);
    CPPUNIT_ASSERT(meta.tombstones == 0 && meta.keys == 25'000);
  }

  void what_was_deleted_long_ago_is_not_taken() {
    Engine engine;
    const std::uint64_t after = delete_half(engine, 10);
    const std::uint64_t floor = after + kHour;
    set_floor(engine, floor);
    await_tombstones(engine, 0);
    store::Store store = engine.open_store();
    engine.move_to_base();
    const store::WriteResult ghost = bring(store, key_of(2), floor);
    CPPUNIT_ASSERT(ghost.outcome == Outcome::kRefused);
    CPPUNIT_ASSERT((ghost.version == store::Version{floor, 0}));
    CPPUNIT_ASSERT(!value_of(store, key_of(2)));
    // Of a key that is there it is decided as always.
    CPPUNIT_ASSERT(bring(store, key_of(1), after + 1).outcome == Outcome::kDone);
    const store::WriteResult older = bring(store, key_of(1), after);
    CPPUNIT_ASSERT(older.outcome == Outcome::kRefused && (older.version == store::Version{after + 1, 77}));
    CPPUNIT_ASSERT(bring(store, key_of(2), floor + 1).outcome == Outcome::kDone);
    // What is written here is new, whatever the clock says.
    put(store, key_of(4), "mine");
    CPPUNIT_ASSERT_EQUAL(std::string("mine"), value_of(store, key_of(4)).value());
  }

  /// Judged by its clock alone, for it was above floor and base: a key that is here is not taken for deleted
  /// because the floor has moved above the record by the time of the append.
  void a_floor_that_passes_a_judged_record() {
    for (const unsigned key : {1U, 2U}) {  // one that is here, one that was deleted
      const bool is_here = key % 2 == 1;
      Engine engine;
      const std::uint64_t after = delete_half(engine, 10);
      set_floor(engine, after + kHour);
      await_tombstones(engine, 0);
      engine.move_to_base();
      fault_plan().arm("append.judged", FaultPlan::Action::kStop);
      const pid_t writer = engine.spawn(2, [&](store::Store& store) {
        const bool taken = bring(store, key_of(key), after + 2 * kHour).outcome == Outcome::kDone;
        return taken == is_here ? 0 : 1;
      });
      eventually("it has judged", [] { return fault_plan().acted.load() == 1; });
      fault_plan().disarm();
      set_floor(engine, after + 3 * kHour);
      ::kill(writer, SIGCONT);
      CPPUNIT_ASSERT_EQUAL(0, engine.reap(writer));
    }
  }

  void whoever_is_being_filled_takes_all() {
    Engine engine;
    const std::uint64_t after = delete_half(engine, 10);
    set_floor(engine, after + kHour);
    await_tombstones(engine, 0);
    engine.state().cluster.complete.store(0);
    store::Store store = engine.open_store();
    engine.move_to_base();
    CPPUNIT_ASSERT(bring(store, key_of(2), after).outcome == Outcome::kDone);
  }

  void whoever_found_its_base_damaged_takes_all() {
    Engine engine;
    const std::uint64_t after = delete_half(engine, 10);
    set_floor(engine, after + kHour);
    await_tombstones(engine, 0);
    engine.state().base_damage.store(shared::kDamageFound);
    store::Store store = engine.open_store();
    engine.move_to_base();
    CPPUNIT_ASSERT(bring(store, key_of(2), after).outcome == Outcome::kDone);
  }

  void whoever_is_alone_takes_all() {
    Engine engine;
    const std::uint64_t after = delete_half(engine, 10);
    set_floor(engine, store::kEverything);
    await_tombstones(engine, 0);
    store::Store store = engine.open_store();
    engine.move_to_base();
    CPPUNIT_ASSERT(bring(store, key_of(2), after).outcome == Outcome::kDone);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(TombstoneTest, "tombstone_test");

}  // namespace minivault::test
