// Goal: the base holds the newest record of each key, whether the index was asked what is superseded or
// sorting found out. Method: so many keys written once that the index is asked of few, then the last of them
// again, in one checkpoint; notes among them; read back after an orderly stop, when the log answers nothing.
// The first records of all are asked about, and of the rest some: of a few hundred in a row most are not. And
// a checkpoint stops where its memory does.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "common/core/fault_point.h"
#include "common/store/checkpoint.h"
#include "common/store/recount.h"
#include "tests/store/engine.h"
#include "tests/support/wait.h"

namespace minivault::test {

class CheckpointTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CheckpointTest);
  CPPUNIT_TEST(keys_written_once_and_keys_written_again);
  CPPUNIT_TEST(no_more_records_at_once_than_memory_is_meant_for);
  CPPUNIT_TEST(notes_are_no_sooner_in_the_base_than_records);
  CPPUNIT_TEST(no_more_at_once_than_an_eighth);
  CPPUNIT_TEST(the_window_stays_behind_the_checkpoint);
  CPPUNIT_TEST(a_tombstone_that_the_floor_has_passed_does_not_get_in);
  CPPUNIT_TEST(no_recount_before_the_base_says_what_was_forgotten);
  CPPUNIT_TEST(checkpoints_between_the_steps_of_a_recount);
  CPPUNIT_TEST(a_lack_of_memory_passes);
  CPPUNIT_TEST(a_lack_of_memory_in_a_commit_is_final);
  CPPUNIT_TEST_SUITE_END();

 public:
  void tearDown() override { fault_plan().disarm(); }

  void a_lack_of_memory_passes() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    fault_plan().arm("base.begin", FaultPlan::Action::kFail);
    put(store, "key", "1");
    engine.region().ask_for_checkpoint(engine.state().marks.tail.load());
    eventually("it was tried again", [] { return fault_plan().acted.load() >= 2; });
    CPPUNIT_ASSERT_EQUAL(shared::Failure::kNone, store.failure());
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{0}, engine.state().base_full.load());
    put(store, "key", "2");
    fault_plan().disarm();
    engine.wait_checkpoint(engine.state().marks.tail.load());
  }

  /// It may be what a failed sync says.
  void a_lack_of_memory_in_a_commit_is_final() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    fault_plan().arm("base.commit", FaultPlan::Action::kFail);
    put(store, "key", "1");
    engine.region().ask_for_checkpoint(engine.state().marks.tail.load());
    eventually("the failure is known", [&] { return store.failure() == shared::Failure::kBaseSync; });
  }

  void keys_written_once_and_keys_written_again() {
    constexpr int kKeys = 4'000;
    constexpr int kAgain = 300;
    Engine engine;
    engine.start();
    {
      store::Store store = engine.open_store();
      engine.suspend_checkpointer();
      for (int i = 0; i < kKeys; ++i) write(store, i, "once");
      for (const char* value : {"twice", "three times"}) {
        for (int i = kKeys - kAgain; i < kKeys; ++i) write(store, i, value);
      }
      remove(store, key_of(kKeys - 1));
      engine.resume_checkpointer();
      engine.checkpoint_now();
    }
    engine.stop();
    engine.start();
    store::Store store = engine.open_store();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{kKeys - 1}, engine.state().totals.keys.load());
    for (int i = 0; i < kKeys; ++i) {
      const std::string expected = i == kKeys - 1 ? "none" : i >= kKeys - kAgain ? "three times" : "once";
      CPPUNIT_ASSERT_EQUAL(expected, value_of(store, key_of(i)).value_or("none"));
    }
    const auto note = in_turn(store, [&] { return std::string(store.note("how far").value().value); });
    CPPUNIT_ASSERT_EQUAL(std::string("three times"), note);
  }

  /// Of a log that has room for many more in one checkpoint. Each key is written three times, far apart.
  void no_more_records_at_once_than_memory_is_meant_for() {
    constexpr int kKeys = 400;
    constexpr std::size_t kAtOnce = 100;
    for (const bool at_a_start : {false, true}) {
      Engine engine;
      engine.start();
      engine.suspend_checkpointer();
      {
        store::Store store = engine.open_store();
        for (const char* value : {"once", "twice", "three times"}) {
          for (int i = 0; i < kKeys; ++i) put(store, key_of(i), value);
        }
      }
      engine.kill();
      const store::Ring ring = store::Ring::open(engine.directory() + "/changes.log").value();
      store::Base base = store::Base::open_writer(engine.directory()).value();
      const store::Index index(engine.region().index_words(), engine.state().limits.index_seed.load());
      store::Checkpoint checkpoint(engine.state(), ring, index, base, kAtOnce);
      store::Lsn done = engine.state().marks.checkpoint.load();
      const store::Lsn tail = engine.state().marks.tail.load();
      for (; done < tail; CPPUNIT_ASSERT_EQUAL(done, engine.state().marks.checkpoint.load())) {
        std::size_t records = 0;
        store::RecordView record;
        const store::Lsn from = done;
        done = (at_a_start ? checkpoint.replay(tail) : checkpoint.run(tail)).value();
        for (store::Lsn at = from; at < done && ring.view(at, record); at = record.end()) ++records;
        CPPUNIT_ASSERT_EQUAL(kAtOnce, records);
      }
      const store::Base::Snapshot snapshot = base.snapshot().value();
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{kKeys}, snapshot.meta().value().keys);
      for (int i = 0; i < kKeys; ++i) {
        CPPUNIT_ASSERT_EQUAL(std::string("three times"), std::string(snapshot.get(key_of(i)).value()->value));
      }
    }
  }

  /// A position says that everything before it is here. Where the log is lost, half of a checkpoint is what
  /// the base goes on from.
  void notes_are_no_sooner_in_the_base_than_records() {
    constexpr int kKeys = 6'000;  // two transactions
    Backlog log([](store::Store& store) {
      for (int i = 0; i < kKeys; ++i) write(store, i, "value");
    });
    fault_plan().arm("checkpoint.before_commit", FaultPlan::Action::kKill, 2);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(log.run(log.marks().tail.load()) == 0 ? 1 : 0);
    int status = 0;
    CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
    CPPUNIT_ASSERT(WIFSIGNALED(status));
    fault_plan().disarm();
    const store::Base base = store::Base::open_writer(log.engine.directory()).value();
    const store::Base::Snapshot snapshot = base.snapshot().value();
    CPPUNIT_ASSERT(snapshot.meta().value().mid_checkpoint && snapshot.meta().value().keys < kKeys);
    CPPUNIT_ASSERT(!snapshot.note("how far").value());
  }

  void no_more_at_once_than_an_eighth() {
    Backlog log([](store::Store& store) { put_large(store, 160); });
    const store::Lsn from = log.marks().checkpoint.load();
    const store::Lsn done = log.run(log.marks().tail.load());
    CPPUNIT_ASSERT(done > from && done - from <= store::checkpoint_bytes(log.engine.config.log_bytes));
  }

  /// The ring is almost full, and a checkpoint covers little: what lies behind it is in the log alone.
  void the_window_stays_behind_the_checkpoint() {
    Backlog log([](store::Store& store) { put_large(store, 163); });
    const store::Lsn done = log.run(log.marks().checkpoint.load() + 8);
    CPPUNIT_ASSERT(log.marks().tail.load() > done + log.engine.config.log_bytes / 64 * 60);
    CPPUNIT_ASSERT(log.marks().window.load() <= done);
  }

  /// No sweep runs here, which would take it away again.
  void a_tombstone_that_the_floor_has_passed_does_not_get_in() {
    constexpr std::uint64_t kHour = 3'600'000ULL << store::kHlcCounterBits;
    for (const bool passed : {false, true}) {
      Backlog log([](store::Store& store) {
        put(store, "kept", "value");
        put(store, "gone", "value");
        remove(store, "gone");
      });
      shared::State& state = log.engine.state();
      const std::uint64_t now = state.append.last_hlc.load();
      state.limits.tombstone_floor_hlc.store(passed ? now + kHour : now);
      (void)log.run(log.marks().tail.load());
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, state.totals.keys.load());
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{passed ? 0U : 1U}, state.totals.tombstones.load());
    }
  }

  /// Until then the base's count is all that tells, should this node end.
  void no_recount_before_the_base_says_what_was_forgotten() {
    Backlog log([](store::Store& store) { write(store, 0, "value"); });
    shared::State& state = log.engine.state();
    const store::Lsn noted = log.marks().tail.load();
    log.with([&](store::Checkpoint& checkpoint, store::Base& base) {
      store::Recount recount(state, base);
      CPPUNIT_ASSERT(!recount.is_due());
      state.recount_after.store(noted);
      CPPUNIT_ASSERT(log.marks().checkpoint.load() < noted && !recount.is_due());
      CPPUNIT_ASSERT_EQUAL(noted, checkpoint.run(noted).value());
      CPPUNIT_ASSERT(recount.is_due());
      while (recount.go_on()) continue;
      CPPUNIT_ASSERT(recount.is_due() && recount.is_counted() && recount.finish().has_value());
      CPPUNIT_ASSERT(!recount.is_due() && state.recount_after.load() == 0);
    });
  }

  /// Of keys that were counted before, and of those that were not.
  void checkpoints_between_the_steps_of_a_recount() {
    constexpr int kKeys = 5'000;
    store::Lsn noted = 0;
    Backlog log([&](Engine& engine, store::Store& store) {
      for (int i = 0; i < kKeys; i += 2) put(store, key_of(i), "first");
      noted = engine.state().marks.tail.load();
      for (int i = 0; i < kKeys; i += 5) put(store, key_of(i), "second");
      for (int i = 0; i < kKeys; i += 8) remove(store, key_of(i));
    });
    shared::State& state = log.engine.state();
    state.recount_after.store(noted);
    log.with([&](store::Checkpoint& checkpoint, store::Base& base) {
      CPPUNIT_ASSERT_EQUAL(noted, checkpoint.run(noted).value());
      store::Recount recount(state, base, 0);
      unsigned steps = 1;
      for (; recount.go_on(); ++steps) {
        const store::Lsn tail = log.marks().tail.load();
        (void)checkpoint.run(noted + (tail - noted) / 3 * steps).value();
      }
      CPPUNIT_ASSERT_EQUAL(3U, steps);  // of 2,500 keys
      CPPUNIT_ASSERT(recount.finish().has_value());
      std::uint64_t keys = 0;
      for (int i = 0; i < kKeys; ++i) keys += (i % 2 == 0 || i % 5 == 0) && i % 8 != 0 ? 1 : 0;
      (void)checkpoint.run(log.marks().tail.load()).value();
      CPPUNIT_ASSERT_EQUAL(keys, state.totals.keys.load());
      CPPUNIT_ASSERT(base.snapshot().value().prove_whole().has_value());
    });
  }

 private:
  /// A log that no checkpoint has seen, and one for the test to run.
  struct Backlog {
    Engine engine;

    explicit Backlog(const std::function<void(store::Store&)>& fill)
        : Backlog([&](Engine&, store::Store& store) { fill(store); }) {}
    explicit Backlog(const std::function<void(Engine&, store::Store&)>& fill) {
      engine.start();
      engine.suspend_checkpointer();
      {
        store::Store store = engine.open_store();
        fill(engine, store);
      }
      engine.kill();
    }
    [[nodiscard]] const shared::Watermarks& marks() { return engine.state().marks; }
    store::Lsn run(store::Lsn until) {
      store::Lsn done = 0;
      with([&](store::Checkpoint& checkpoint, store::Base&) { done = checkpoint.run(until).value(); });
      return done;
    }
    void with(const std::function<void(store::Checkpoint&, store::Base&)>& work) {
      const store::Ring ring = store::Ring::open(engine.directory() + "/changes.log").value();
      store::Base base = store::Base::open_writer(engine.directory()).value();
      const store::Index index(engine.region().index_words(), engine.state().limits.index_seed.load());
      store::Checkpoint checkpoint(engine.state(), ring, index, base);
      work(checkpoint, base);
    }
  };

  /// Values of 100 kB, in one batch: the checkpointer that stands still slows the next one down.
  static void put_large(store::Store& store, int values) {
    const std::string value(100'000, 'v');
    std::vector<std::string> keys;
    for (int i = 0; i < values; ++i) keys.push_back(key_of(i));
    store::Batch batch;
    for (const std::string& key : keys) {
      store::Write write;
      write.key = key;
      write.value = value;
      batch.add(write);
    }
    commit_all(store, batch);
  }

  static std::string key_of(int i) { return "the same beginning " + std::to_string(i); }
  static void write(store::Store& store, int i, const char* value) {
    put(store, key_of(i), value);
    if (i % 100 != 0) return;
    store::Write note;
    note.operation = store::Operation::kNote;
    note.key = "how far";
    note.value = value;
    commit_one(store, note);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CheckpointTest, "checkpoint_test");

}  // namespace minivault::test
