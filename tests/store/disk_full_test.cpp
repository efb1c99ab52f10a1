// Goal: a disk that is full, at whatever allocation it becomes so, is an error in words: a first start is
// refused and leaves nothing in the way of the next; a running store refuses what does not fit, reads, takes
// deletes while the log has room, loses nothing, and goes on without a restart once there is room. Method:
// the n-th allocation of a life fails, and all after it (faulty_disk.h), for every n of a start and of the
// growth after it: of that some, or all with MINIVAULT_EVERY_ALLOCATION=1.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/stat.h>

#include <iostream>
#include <thread>

#include "common/core/clock.h"
#include "common/core/fault_point.h"
#include "tests/store/faulty_disk.h"
#include "tests/store/recovery_support.h"
#include "tests/support/seed.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

using namespace recovery_support;

constexpr std::uint64_t kRingBytes = 1 << 20;
constexpr std::size_t kLargeBytes = 20'000;

void set_full(bool full) {
  disk_faults().blocks_until_full.store(-1);
  disk_faults().full.store(full ? 1 : 0);
}

}  // namespace

class DiskFullTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DiskFullTest);
  CPPUNIT_TEST(at_every_allocation);
  CPPUNIT_TEST(deletes_are_taken_while_the_log_has_room);
  CPPUNIT_TEST(a_recount_does_not_wait_for_room);
  CPPUNIT_TEST(who_waits_behind_another_is_not_refused_for_it);
  CPPUNIT_TEST(a_start_says_how_much_room_it_needs);
  CPPUNIT_TEST(the_lock_file_has_no_holes);
  CPPUNIT_TEST_SUITE_END();

  /// Writes numbered keys from 1 on until the store says that the disk is full; the last that it took, or
  /// `most`.
  static std::uint64_t fill_until_full(store::Store& store, std::uint64_t most) {
    for (std::uint64_t i = 1; i <= most; ++i) {
      store::Batch batch;
      store::Write write;
      const std::string key = key_of(i);
      const std::string value = stamped(i, kLargeBytes);
      write.key = key;
      write.value = value;
      batch.add(write);
      Status done;
      eventually("taken, or refused for good", [&] {
        done = in_turn(store, [&] { return store.commit(batch); });
        return done || done.error().code != Code::kNoSpace;
      });
      if (done) continue;
      CPPUNIT_ASSERT_EQUAL_MESSAGE(done.error().message, Code::kUnavailable, done.error().code);
      CPPUNIT_ASSERT_MESSAGE(done.error().message,
                             done.error().message.find("no space") != std::string::npos);
      CPPUNIT_ASSERT(batch.result(0).outcome == store::WriteResult::Outcome::kFailed);
      return i - 1;
    }
    return most;
  }

  /// A life in which the disk becomes full at the n-th allocation. False: it never did.
  static bool live(std::int64_t n, bool& started) {
    constexpr std::uint64_t kMost = 150;
    Engine engine(kRingBytes);
    disk_faults().blocks_until_full.store(n);
    started = engine.try_start();
    if (!started) {
      CPPUNIT_ASSERT_EQUAL(3, engine.exit_status());
      assert_refused(engine, "o space left on");
      set_full(false);
      engine.start();
      fill(engine, 1, 3);
      engine.kill();
      engine.start();
      assert_holds(engine, 1, 3);
      return true;
    }
    engine.tell_the_time();
    std::uint64_t taken = 0;
    {
      store::Store store = engine.open_store();
      taken = fill_until_full(store, kMost);
      CPPUNIT_ASSERT_EQUAL(shared::Failure::kNone, store.failure());
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, engine.region().slot(1).space_ticket.load());  // it has given up
    }
    const bool was_full = disk_faults().full.load() != 0;
    assert_holds(engine, 1, taken);
    set_full(false);
    eventually("there is room", [&] { return engine.state().base_full.load() == 0; });
    fill(engine, taken + 1, taken + 20, kLargeBytes);
    assert_holds(engine, 1, taken + 20);
    engine.stop();
    CPPUNIT_ASSERT_EQUAL(0, engine.exit_status());
    engine.start();
    assert_holds(engine, 1, taken + 20);
    return was_full;
  }

 public:
  void tearDown() override {
    set_full(false);
    fault_plan().disarm();
  }

  void at_every_allocation() {
    bool started = false;
    bool was_full = true;
    std::int64_t n = 0;
    for (; !started && was_full; ++n) was_full = live(n, started);
    const std::int64_t of_a_start = n - 1;
    const std::int64_t factor = environment_number("MINIVAULT_EVERY_ALLOCATION", 0) != 0 ? 1 : 2;
    std::int64_t step = 1;
    for (; was_full && n < of_a_start + 200; n += step, step *= factor) was_full = live(n, started);
    std::cerr << of_a_start << " allocations of a start, then up to " << n << '\n';
    CPPUNIT_ASSERT(of_a_start >= 4 && n > of_a_start + 3);
  }

  void deletes_are_taken_while_the_log_has_room() {
    Engine engine(16 * kRingBytes);
    engine.start();
    fill(engine, 1, 20, kLargeBytes);
    set_full(true);
    engine.region().ask_for_checkpoint(engine.state().marks.tail.load());
    eventually("the checkpointer noticed", [&] { return engine.state().base_full.load() != 0; });
    store::Store store = engine.open_store();
    for (std::uint64_t i = 1; i <= 10; ++i) remove(store, key_of(i));
    put(store, key_of(11), stamped(11));
    engine.wait_durable(engine.state().marks.tail.load());
    for (std::uint64_t i = 1; i <= 20; ++i) {
      CPPUNIT_ASSERT_EQUAL(i > 10, value_of(store, key_of(i)).has_value());
    }
    set_full(false);
    eventually("there is room", [&] { return engine.state().base_full.load() == 0; });
  }

  /// What it looks at is not written over, which may be what fills the disk.
  void a_recount_does_not_wait_for_room() {
    Engine engine(16 * kRingBytes);
    engine.start();
    fill(engine, 1, 20, kLargeBytes);
    engine.checkpoint_now();
    set_full(true);
    fill(engine, 21, 30, kLargeBytes);
    engine.region().ask_for_checkpoint(engine.state().marks.tail.load());
    eventually("the checkpointer noticed", [&] { return engine.state().base_full.load() != 0; });
    fault_plan().arm("recount.counted", FaultPlan::Action::kStop);
    engine.state().recount_after.store(engine.state().marks.checkpoint.load());
    eventually("all is counted", [] { return fault_plan().acted.load() == 1; });
    fault_plan().disarm();
    engine.resume_checkpointer();
    CPPUNIT_ASSERT(engine.state().recount_after.load() != 0 && engine.state().base_full.load() != 0);
    set_full(false);
    eventually("it is on disk", [&] { return engine.state().recount_after.load() == 0; });
    engine.checkpoint_now();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{30}, engine.state().totals.keys.load());
  }

  /// The one before may have no room for a large value; a delete may have.
  void who_waits_behind_another_is_not_refused_for_it() {
    constexpr unsigned kOther = 3;
    Engine engine;
    engine.start();
    engine.state().slots_used.store(kOther + 1);
    store::Store store = engine.open_store();
    engine.suspend_checkpointer();
    engine.state().base_full.store(1);
    shared::ChildSlot& other = engine.region().slot(kOther);
    other.space_asked_ms.store(monotonic_ms() + 600'000);
    other.space_ticket.store(engine.state().append.next_ticket.fetch_add(1) + 1);
    engine.state().append.waiting.fetch_add(1);
    store::Batch batch;
    store::Write write;
    write.operation = store::Operation::kDelete;
    write.key = "key";
    batch.add(write);
    const Status waits = in_turn(store, [&] { return store.commit(batch); });
    CPPUNIT_ASSERT(!waits && waits.error().code == Code::kNoSpace);
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, batch.settled());
    other.space_ticket.store(0);
    CPPUNIT_ASSERT(in_turn(store, [&] { return store.commit(batch); }).has_value());
    engine.state().base_full.store(0);
    engine.resume_checkpointer();
  }

  /// What a node lived with keeps it from coming back, but for a word of what to do.
  void a_start_says_how_much_room_it_needs() {
    Engine engine(16 * kRingBytes);
    engine.start();
    fill(engine, 1, 5, kLargeBytes);
    engine.checkpoint_now();
    set_full(true);
    fill(engine, 6, 105, kLargeBytes);
    engine.kill();
    const auto refused_saying = [&](const std::string& text) {
      set_full(false);
      disk_faults().blocks_until_full.store(1);  // the lock file has its blocks
      assert_refused(engine, text);
    };
    // Twice 2 MB of records, 100 keys' pages, and some for what is not counted.
    refused_saying(
        "a start takes 100 records of the log into the base: nothing of it is lost; make about 6 MB of room "
        "in " +
        engine.directory());
    engine.config.log_bytes *= 2;
    refused_saying("and makes a new log: nothing of it is lost; make about 38 MB of room");
    engine.config.log_bytes /= 2;
    set_full(false);
    engine.start();
    assert_holds(engine, 1, 105);
  }

  /// A hole that is filled when a reader takes its place in the table would be a SIGBUS on a full disk.
  void the_lock_file_has_no_holes() {
    Engine engine;
    engine.start();
    struct stat file {};
    CPPUNIT_ASSERT_EQUAL(0, ::stat((base_of(engine) + "-lock").c_str(), &file));
    CPPUNIT_ASSERT(file.st_size > 100'000);
    CPPUNIT_ASSERT(file.st_blocks * 512 >= file.st_size);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(DiskFullTest, "disk_full_test");

}  // namespace minivault::test
