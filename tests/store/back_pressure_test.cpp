// Goal: writers that outrun the checkpointer, or a full disk, are told so at once, in the order they came,
// lose nothing, and go on as soon as there is room. Method: the checkpointer is stopped; the data directory
// is a tmpfs of a few MB, in a mount namespace of a child's own.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <iostream>
#include <thread>

#include "common/core/clock.h"
#include "tests/store/base_support.h"
#include "tests/store/engine.h"
#include "tests/store/shared_object.h"
#include "tests/support/processes.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr int kSkipped = 77;
constexpr std::size_t kValueBytes = 60'000;

/// Commits numbered keys from `next` on until the store refuses; why it did. `next` is the key that was
/// refused.
Code fill_until_refused(store::Store& store, std::uint64_t& next) {
  for (;; ++next) {
    store::Batch batch;
    store::Write write;
    const std::string key = "key " + std::to_string(next);
    const std::string value = stamped(next, kValueBytes);
    write.key = key;
    write.value = value;
    batch.add(write);
    Status done;
    // Being slowed down is no refusal: that takes 10 ms at most, and leaves no ticket.
    for (int i = 0; i < 40; ++i) {
      done = in_turn(store, [&] { return store.commit(batch); });
      if (done || done.error().code != Code::kNoSpace) break;
      std::this_thread::sleep_for(milliseconds(1));
    }
    if (done) continue;
    store.cancel_wait();
    return done.error().code;
  }
}

void assert_holds(store::Store& store, std::uint64_t first, std::uint64_t end) {
  for (std::uint64_t i = first; i < end; ++i) {
    CPPUNIT_ASSERT_EQUAL(i, number_of(value_of(store, "key " + std::to_string(i)).value()));
  }
}

std::uint64_t backlog_of(Engine& engine) {
  const store::Lsn checkpoint = engine.state().marks.checkpoint.load();
  return engine.state().marks.tail.load() - checkpoint;
}

struct Queue {
  static constexpr unsigned kWriters = 4;
  std::array<std::atomic<std::uint32_t>, kWriters> refused{};
  std::array<std::atomic<store::Lsn>, kWriters> end{};
};

}  // namespace

class BackPressureTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BackPressureTest);
  CPPUNIT_TEST(nobody_blocks_and_all_go_on);
  CPPUNIT_TEST(room_is_granted_in_the_order_of_arrival);
  CPPUNIT_TEST(who_stops_asking_does_not_hold_up_the_others);
  CPPUNIT_TEST(slowed_down_from_a_quarter_on);
  CPPUNIT_TEST(neither_a_full_disk_nor_notes_are_slowed_down);
  CPPUNIT_TEST(a_load_without_end_keeps_the_backlog_small);
  CPPUNIT_TEST(the_largest_record_is_a_quarter);
  CPPUNIT_TEST(crowded_index_groups);
  CPPUNIT_TEST(full_disk);
  CPPUNIT_TEST_SUITE_END();

  static unsigned slot_of(unsigned number) { return number + 2; }

  /// A writer that waits for room, tries as a worker does, and tells where its record went.
  static pid_t waiting_writer(Engine& engine, Queue& queue, unsigned number) {
    const pid_t writer = engine.spawn(slot_of(number), [&queue, number](store::Store& store) {
      store::Batch batch;
      store::Write write;
      const std::string key = "waited " + std::to_string(number);
      const std::string value = stamped(number, kValueBytes);
      write.key = key;
      write.value = value;
      batch.add(write);
      while (!in_turn(store, [&] { return store.commit(batch); })) {
        queue.refused[number].fetch_add(1);
        std::this_thread::sleep_for(milliseconds(1));
      }
      queue.end[number].store(batch.result(0).end);
      return 0;
    });
    eventually("the writer waits", [&] { return queue.refused[number].load() > 1; });
    return writer;
  }

 public:
  void nobody_blocks_and_all_go_on() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    engine.suspend_checkpointer();
    std::uint64_t next = 0;
    CPPUNIT_ASSERT_EQUAL(Code::kNoSpace, fill_until_refused(store, next));
    const store::Lsn tail = engine.state().marks.tail.load();
    CPPUNIT_ASSERT(tail <= engine.state().marks.checkpoint.load() + engine.config.log_bytes);
    CPPUNIT_ASSERT(tail + 2 * kValueBytes > engine.state().marks.checkpoint.load() + engine.config.log_bytes);
    assert_holds(store, 0, next);
    engine.resume_checkpointer();
    for (std::uint64_t i = next; i < next + 50; ++i)
      put(store, "key " + std::to_string(i), stamped(i, kValueBytes));
    assert_holds(store, 0, next + 50);
  }

  void room_is_granted_in_the_order_of_arrival() {
    SharedObject<Queue> queue;
    Engine engine;
    engine.start();
    engine.suspend_checkpointer();
    std::vector<pid_t> writers;
    {
      store::Store store = engine.open_store();
      std::uint64_t next = 0;
      CPPUNIT_ASSERT_EQUAL(Code::kNoSpace, fill_until_refused(store, next));
    }
    for (const unsigned number : {2U, 0U, 3U, 1U}) writers.push_back(waiting_writer(engine, *queue, number));
    suspend(writers.back());  // else it may have its room before it is told
    engine.region().silence(slot_of(1));
    engine.resume_checkpointer();
    CPPUNIT_ASSERT(rings(engine, slot_of(1)));
    ::kill(writers.back(), SIGCONT);
    for (const pid_t writer : writers) CPPUNIT_ASSERT_EQUAL(0, engine.reap(writer));
    CPPUNIT_ASSERT(queue->end[2] < queue->end[0] && queue->end[0] < queue->end[3] &&
                   queue->end[3] < queue->end[1]);
  }

  void who_stops_asking_does_not_hold_up_the_others() {
    SharedObject<Queue> queue;
    Engine engine;
    engine.start();
    engine.suspend_checkpointer();
    {
      store::Store store = engine.open_store();
      std::uint64_t next = 0;
      CPPUNIT_ASSERT_EQUAL(Code::kNoSpace, fill_until_refused(store, next));
      store::Batch batch;
      store::Write write;
      const std::string value(kValueBytes, 'v');
      write.key = "more";
      write.value = value;
      batch.add(write);
      const auto& ticket = engine.region().slot(1).space_ticket;
      eventually("it waits for room", [&] {
        (void)in_turn(store, [&] { return store.commit(batch); });
        return ticket.load() != 0;
      });
      store.cancel_wait();  // who gives up leaves at once, not when the ticket lapses
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, ticket.load());
    }
    const pid_t first = waiting_writer(engine, *queue, 0);
    eventually("it is stopped outside the lock", [&] {
      ::kill(first, SIGSTOP);
      eventually("it is stopped", [&] { return is_stopped(first); });
      if (engine.state().append.holder.load() != 2 + 1 &&
          engine.region().slot(2).pin.load() == shared::kNoLsn) {
        return true;
      }
      ::kill(first, SIGCONT);
      return false;
    });
    const pid_t second = waiting_writer(engine, *queue, 1);
    engine.resume_checkpointer();
    CPPUNIT_ASSERT_EQUAL(0, engine.reap(second));
    CPPUNIT_ASSERT_EQUAL(store::Lsn{0}, queue->end[0].load());
    ::kill(first, SIGCONT);
    CPPUNIT_ASSERT_EQUAL(0, engine.reap(first));
    CPPUNIT_ASSERT(queue->end[0] > queue->end[1]);
  }

  /// While no checkpoint is under way: not at all before.
  void slowed_down_from_a_quarter_on() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    engine.suspend_checkpointer();
    std::array<unsigned, 10> refusals{};
    const std::string value(kValueBytes, 'v');
    for (std::uint64_t tenth = 0; tenth < 4; tenth = backlog_of(engine) * 10 / engine.config.log_bytes) {
      store::Batch batch;
      store::Write write;
      write.key = "key";
      write.value = value;
      batch.add(write);
      while (!in_turn(store, [&] { return store.commit(batch); })) {
        ++refusals[tenth];
        std::this_thread::sleep_for(milliseconds(1));
      }
    }
    for (unsigned tenth = 0; tenth < 2; ++tenth) CPPUNIT_ASSERT_EQUAL(0U, refusals[tenth]);
    CPPUNIT_ASSERT(refusals[3] > 50);
    engine.resume_checkpointer();
  }

  // With a full disk nothing is to be waited for: its room is given away. And what notes remember is written
  // once.
  void neither_a_full_disk_nor_notes_are_slowed_down() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    engine.suspend_checkpointer();
    const auto is_taken = [&](store::Operation operation) {
      engine.state().append.paced_until_ns.store(monotonic_ns() +
                                                 60'000'000'000);  // a write that fits ends it
      store::Batch batch;
      store::Write write;
      write.operation = operation;
      write.key = "k";
      batch.add(write);
      return in_turn(store, [&] { return store.commit(batch); }).has_value();
    };
    CPPUNIT_ASSERT(!is_taken(store::Operation::kSet));
    CPPUNIT_ASSERT(is_taken(store::Operation::kNote));
    engine.state().base_full.store(1);
    CPPUNIT_ASSERT(is_taken(store::Operation::kSet));
    CPPUNIT_ASSERT(is_taken(store::Operation::kDelete));
    engine.state().base_full.store(0);
    engine.state().append.paced_until_ns.store(0);
    engine.resume_checkpointer();
  }

  /// As fast as it is let, in small commits: so many that the ring goes around twice. On a busy machine the
  /// checkpointer may stand still for long, and something is let through: so not to the byte.
  void a_load_without_end_keeps_the_backlog_small() {
    SyncMode none;
    none.kind = SyncMode::Kind::kNone;
    Engine engine(32ULL << 20, none);
    engine.start();
    store::Store store = engine.open_store();
    std::uint64_t largest = 0;
    const store::Lsn until = engine.state().marks.tail.load() + 2 * engine.config.log_bytes;
    for (std::uint64_t i = 0; engine.state().marks.tail.load() < until; ++i) {
      put(store, "key " + std::to_string(i * 7'919 % 100'000), std::string(500, 'v'));
      largest = std::max(largest, backlog_of(engine));
    }
    CPPUNIT_ASSERT(largest > engine.config.log_bytes / 8);  // else it was no load
    CPPUNIT_ASSERT_LESS(engine.config.log_bytes / 8 * 3, largest);
  }

  void the_largest_record_is_a_quarter() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    const std::string value(store.largest_value(3) + store::kRecordAlignment, 'v');
    store::Write write;
    write.key = "key";
    write.value = value;
    CPPUNIT_ASSERT(commit_one(store, write).outcome == store::WriteResult::Outcome::kFailed);
    write.value = std::string_view(value).substr(store::kRecordAlignment);
    CPPUNIT_ASSERT(commit_one(store, write).outcome == store::WriteResult::Outcome::kDone);
    CPPUNIT_ASSERT(value_of(store, "key").value() == write.value);
  }

  /// An index of four groups: batches of more keys than it has slots.
  void crowded_index_groups() {
    Engine engine;
    engine.index_words = 64;
    engine.start();
    store::Store store = engine.open_store();
    for (std::uint64_t round = 1; round <= 3; ++round) {
      store::Batch batch;
      std::vector<std::string> kept;
      kept.reserve(400);
      for (unsigned i = 0; i < 200; ++i) {
        store::Write write;
        write.key = kept.emplace_back("key " + std::to_string(i));
        write.value = kept.emplace_back(stamped(round * 1'000 + i, 100));
        batch.add(write);
      }
      commit_all(store, batch);
      for (unsigned i = 0; i < 200; ++i) {
        const auto number = number_of(value_of(store, "key " + std::to_string(i)).value());
        CPPUNIT_ASSERT_EQUAL(round * 1'000 + i, number);
      }
    }
    engine.kill();
    engine.start();
    store::Store again = engine.open_store();
    for (unsigned i = 0; i < 200; ++i) {
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{3'000} + i,
                           number_of(value_of(again, "key " + std::to_string(i)).value()));
    }
  }

  /// Needs the right to mount; says so where there is none.
  void full_disk() {
    store::base_support::Child child([](const auto&) {
      Engine engine;
      const char* directory = engine.directory().c_str();
      if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount("small", directory, "tmpfs", 0, "size=36m") != 0) {
        ::_exit(kSkipped);
      }
      engine.start();
      {
        store::Store store = engine.open_store();
        std::uint64_t next = 0;
        // While the checkpointer still tries, writers merely wait for room.
        eventually("the disk is full", [&] { return fill_until_refused(store, next) == Code::kUnavailable; });
        CPPUNIT_ASSERT(engine.state().base_full.load() != 0);
        CPPUNIT_ASSERT_EQUAL(shared::Failure::kNone, store.failure());
        assert_holds(store, 0, next);
        CPPUNIT_ASSERT_EQUAL(Code::kUnavailable, fill_until_refused(store, next));

        CPPUNIT_ASSERT_EQUAL(0, ::mount("small", directory, "tmpfs", MS_REMOUNT, "size=200m"));
        eventually("the disk has room again", [&] { return engine.state().base_full.load() == 0; });
        for (std::uint64_t i = next; i < next + 100; ++i)
          put(store, "key " + std::to_string(i), stamped(i, kValueBytes));
        assert_holds(store, 0, next + 100);
        CPPUNIT_ASSERT(next > 200);
      }
      engine.stop();
      CPPUNIT_ASSERT_EQUAL(0, engine.exit_status());
      ::umount2(directory, MNT_DETACH);
    });
    const int status = child.wait();
    if (status == kSkipped) std::cerr << "full_disk: skipped, no right to mount\n";
    CPPUNIT_ASSERT(status == 0 || status == kSkipped);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BackPressureTest, "back_pressure_test");

}  // namespace minivault::test
