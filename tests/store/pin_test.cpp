// Goal: what a turn was given stays what it was until the turn ends, however long that takes; the ring waits
// for it. Method: a reader is stopped in its turn while writers would lap the ring; it goes on, or is killed.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/wait.h>

#include <csignal>

#include "common/core/fault_point.h"
#include "tests/store/engine.h"
#include "tests/store/shared_object.h"
#include "tests/support/processes.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr std::size_t kHeldBytes = 500'000;

/// Commits values of 100 kB until the ring has no room, although everything written is in the base.
void write_until_stuck(Engine& engine, store::Store& store) {
  const std::string value(100'000, 'v');
  for (int i = 0; i < 1'000; ++i) {
    store::Batch batch;
    store::Write write;
    const std::string key = "filler " + std::to_string(i % 10);
    write.key = key;
    write.value = value;
    batch.add(write);
    const Status done = in_turn(store, [&] { return store.commit(batch); });
    if (done) continue;
    CPPUNIT_ASSERT_EQUAL(Code::kNoSpace, done.error().code);
    store.cancel_wait();
    engine.checkpoint_now();
    if (in_turn(store, [&] { return store.commit(batch); })) continue;
    store.cancel_wait();
    if (engine.state().marks.window.load() > engine.region().slot(2).pin.load()) return;
  }
  CPPUNIT_FAIL("the ring was lapped");
}

}  // namespace

class PinTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PinTest);
  CPPUNIT_TEST(stopped_reader_keeps_its_bytes);
  CPPUNIT_TEST(killed_reader_lets_go);
  CPPUNIT_TEST(views_of_the_base_stay_too);
  CPPUNIT_TEST(a_base_that_is_asked_first_is_not_the_last_word);
  CPPUNIT_TEST(a_snapshot_is_no_newer_than_when_it_was_taken);
  CPPUNIT_TEST(store_that_goes_away_lets_go);
  CPPUNIT_TEST_SUITE_END();

  /// A process that reads "held" from the ring, stops itself in that turn, and looks again when it is
  /// continued.
  static pid_t stopped_reader(Engine& engine) {
    const pid_t reader = engine.spawn(2, [](store::Store& store) {
      return in_turn(store, [&] {
        const store::Found found = store.get("held").value();
        if (number_of(found.value) != 1) return 1;
        ::raise(SIGSTOP);
        return number_of(found.value) == 1 ? 0 : 2;
      });
    });
    eventually("the reader has stopped", [&] { return is_stopped(reader); });
    CPPUNIT_ASSERT(engine.region().slot(2).pin.load() != shared::kNoLsn);
    return reader;
  }

 public:
  void tearDown() override { fault_plan().disarm(); }

  void stopped_reader_keeps_its_bytes() {
    Engine engine;
    engine.start();
    {
      store::Store store = engine.open_store();
      put(store, "held", stamped(1, kHeldBytes));
    }
    const pid_t reader = stopped_reader(engine);
    store::Store store = engine.open_store();
    put(store, "held", stamped(2, kHeldBytes));
    write_until_stuck(engine, store);
    CPPUNIT_ASSERT(engine.state().marks.tail.load() <=
                   engine.region().slot(2).pin.load() + engine.config.log_bytes);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, number_of(value_of(store, "held").value()));
    ::kill(reader, SIGCONT);
    CPPUNIT_ASSERT_EQUAL(0, engine.reap(reader));
    put(store, "after", "it goes on");
  }

  void killed_reader_lets_go() {
    Engine engine;
    engine.start();
    {
      store::Store store = engine.open_store();
      put(store, "held", stamped(1, kHeldBytes));
    }
    const pid_t reader = stopped_reader(engine);
    store::Store store = engine.open_store();
    write_until_stuck(engine, store);
    const store::Lsn stuck_at = engine.state().marks.tail.load();
    engine.kill(reader);
    for (int i = 0; i < 200; ++i) put(store, "held", stamped(3, 100'000));  // more than a lap
    CPPUNIT_ASSERT(engine.state().marks.tail.load() > stuck_at + engine.config.log_bytes);
  }

  /// The window moves twice in one turn: the turn then has views into several snapshots.
  void views_of_the_base_stay_too() {
    Engine engine;
    engine.start();
    const auto rewrite = [&](std::uint64_t number) {
      const pid_t writer = engine.spawn(3, [number](store::Store& store) {
        for (unsigned i = 0; i < 50; ++i) put(store, "key " + std::to_string(i), stamped(number, 3'000));
        return 0;
      });
      CPPUNIT_ASSERT_EQUAL(0, engine.reap(writer));
      engine.move_to_base();
    };
    rewrite(1);
    store::Store store = engine.open_store();
    in_turn(store, [&] {
      std::vector<std::string_view> views;
      for (std::uint64_t round = 1; round <= 6; ++round) {
        views.push_back(store.get("key " + std::to_string(round)).value().value);
        rewrite(round + 1);
        for (std::uint64_t seen = 1; seen <= round; ++seen)
          CPPUNIT_ASSERT_EQUAL(seen, number_of(views[seen - 1]));
      }
    });
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{7}, number_of(value_of(store, "key 1").value()));
  }

  /// After many reads that ended in the base, that is asked before the index: both a record in the log and a
  /// window that left the turn's snapshot behind still count.
  void a_base_that_is_asked_first_is_not_the_last_word() {
    Engine engine;
    engine.start();
    constexpr unsigned kKeys = 50;
    const auto rewrite = [&](std::uint64_t number) {
      const pid_t writer = engine.spawn(3, [number](store::Store& store) {
        for (unsigned i = 0; i < kKeys; ++i) put(store, "key " + std::to_string(i), stamped(number, 100));
        return 0;
      });
      CPPUNIT_ASSERT_EQUAL(0, engine.reap(writer));
    };
    rewrite(1);
    engine.move_to_base();
    store::Store store = engine.open_store();
    const auto read = [&](unsigned key) {
      return number_of(store.get("key " + std::to_string(key)).value().value);
    };
    in_turn(store, [&] {
      for (unsigned i = 0; i < kKeys - 2; ++i) CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, read(i));
      rewrite(2);
      engine.move_to_base();  // the index says nothing any more
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, read(kKeys - 1));
      rewrite(3);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, read(kKeys - 2));
    });
  }

  /// A checkpoint, and the window behind it, right after a turn took its snapshot: what it asks for next is
  /// not in that.
  void a_snapshot_is_no_newer_than_when_it_was_taken() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    for (const char* key : {"asked first", "key"}) put(store, key, "older");
    engine.move_to_base();
    fault_plan().arm("reader.took_snapshot", FaultPlan::Action::kStop);
    const pid_t reader = engine.spawn(2, [](store::Store& other) {
      return in_turn(other, [&] {
        if (other.get("asked first").value().value != "older") return 1;
        return other.get("key").value().value == "newer" ? 0 : 2;
      });
    });
    eventually("it has its snapshot and stands still", [&] { return is_stopped(reader); });
    fault_plan().disarm();
    put(store, "key", "newer");
    engine.move_to_base();
    ::kill(reader, SIGCONT);
    CPPUNIT_ASSERT_EQUAL(0, engine.reap(reader));
  }

  void store_that_goes_away_lets_go() {
    Engine engine;
    engine.start();
    {
      store::Store store = engine.open_store();
      store.begin_turn();
      CPPUNIT_ASSERT(engine.region().slot(1).pin.load() != shared::kNoLsn);
    }
    CPPUNIT_ASSERT_EQUAL(shared::kNoLsn, engine.region().slot(1).pin.load());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PinTest, "pin_test");

}  // namespace minivault::test
