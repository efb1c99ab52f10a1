// Goal: the base holds the newest record of each key, whether the index was asked what is superseded or
// sorting found out. Method: so many keys written once that the index is asked of few, then the last of them
// again, in one checkpoint; notes among them; read back after an orderly stop, when the log answers nothing.
// The first records of all are asked about, and of the rest some: of a few hundred in a row most are not. And
// a checkpoint stops where its memory does.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "common/store/checkpoint.h"
#include "tests/store/engine.h"

namespace minivault::test {

class CheckpointTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CheckpointTest);
  CPPUNIT_TEST(keys_written_once_and_keys_written_again);
  CPPUNIT_TEST(no_more_records_at_once_than_memory_is_meant_for);
  CPPUNIT_TEST_SUITE_END();

 public:
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

 private:
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
