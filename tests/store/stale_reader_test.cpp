// Goal: who dies while it reads the base, or writes it, leaves nothing that keeps old pages: the file does
// not grow; and who lives is not taken for dead. Method: processes are killed in a turn with a live snapshot,
// checkpointers in the middle of a transaction that has spilled pages, while all values are written again and
// again.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <unistd.h>

#include <sys/wait.h>

#include <filesystem>

#include "common/core/fault_point.h"
#include "common/store/base.h"
#include "tests/store/engine.h"
#include "tests/store/shared_object.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr unsigned kKeys = 60;
constexpr std::size_t kValueBytes = 20'000;

std::string key_of(unsigned n) {
  return "key " + std::to_string(n);
}

}  // namespace

class StaleReaderTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(StaleReaderTest);
  CPPUNIT_TEST(readers_die_with_a_snapshot);
  CPPUNIT_TEST(idle_processes_hold_nothing);
  CPPUNIT_TEST(checkpointers_die_in_a_transaction);
  CPPUNIT_TEST(the_living_keep_their_locks);
  CPPUNIT_TEST_SUITE_END();

  /// Three generations of values at a time, or so: the last commit's, the one before, the one being written.
  static void assert_no_growth(const Engine& engine) {
    const std::uintmax_t size = std::filesystem::file_size(engine.directory() + "/base.mdb");
    CPPUNIT_ASSERT_MESSAGE(std::to_string(size), size < 5 * kKeys * kValueBytes);
  }

  /// Who reads holds a lock on the byte of the lock file that its pid names; LMDB takes whoever has none for
  /// dead. Asked by a process of its own, for one is not told of its own locks.
  static bool holds_its_lock(const Engine& engine, pid_t pid) {
    return 0 == in_child([&] {
             const int file = ::open((engine.directory() + "/base.mdb-lock").c_str(), O_RDWR | O_CLOEXEC);
             struct flock lock {};
             lock.l_type = F_WRLCK;
             lock.l_start = pid;
             lock.l_len = 1;
             return ::fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid == pid ? 0 : 1;
           });
  }

  static int in_child(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work());
    int status = 0;
    CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
    return WEXITSTATUS(status);
  }

  /// All keys anew, into the base.
  static void rewrite(Engine& engine, std::uint64_t number) {
    {
      store::Store store = engine.open_store();
      for (unsigned n = 0; n < kKeys; ++n) put(store, key_of(n), stamped(number, kValueBytes));
    }
    engine.move_to_base();
  }

  /// A process that reads from the base and stays in its turn.
  static pid_t reader(Engine& engine, std::atomic<unsigned>& reading) {
    const unsigned before = reading.load();
    const pid_t pid = engine.spawn(2, [&](store::Store& store) {
      return in_turn(store, [&] {
        const store::Found found = store.get(key_of(7)).value();
        if (found.answer_after != 0 || !found.present) return 1;
        reading.fetch_add(1);
        while (true) ::pause();
      });
    });
    eventually("it reads", [&] { return reading.load() > before; });
    return pid;
  }

 public:
  void tearDown() override { fault_plan().disarm(); }

  void readers_die_with_a_snapshot() {
    SharedObject<std::atomic<unsigned>> reading;
    Engine engine;
    engine.start();
    for (std::uint64_t round = 1; round <= 12; ++round) {
      rewrite(engine, round);
      const pid_t pid = reader(engine, *reading);
      engine.kill(pid);
    }
    assert_no_growth(engine);
  }

  void idle_processes_hold_nothing() {
    SharedObject<std::atomic<unsigned>> idle;
    Engine engine;
    engine.start();
    rewrite(engine, 1);
    engine.spawn(2, [&](store::Store& store) {
      if (number_of(value_of(store, key_of(7)).value()) != 1) return 1;
      idle->store(1);
      while (true) ::pause();
    });
    eventually("it has read", [&] { return idle->load() == 1; });
    for (std::uint64_t round = 2; round <= 12; ++round) rewrite(engine, round);
    assert_no_growth(engine);
  }

  void checkpointers_die_in_a_transaction() {
    Engine engine;
    engine.start();
    for (std::uint64_t round = 1; round <= 12; ++round) {
      fault_plan().arm("checkpoint.before_commit", FaultPlan::Action::kKill);
      {
        store::Store store = engine.open_store();
        for (unsigned n = 0; n < kKeys; ++n) put(store, key_of(n), stamped(round, kValueBytes));
      }
      engine.region().ask_for_checkpoint(engine.state().marks.tail.load());
      engine.reap_checkpointer();
      fault_plan().disarm();
      engine.restart_checkpointer();
      engine.checkpoint_now();
    }
    assert_no_growth(engine);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{kKeys}, engine.state().totals.keys.load());
    store::Store store = engine.open_store();
    for (unsigned n = 0; n < kKeys; ++n)
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{12}, number_of(value_of(store, key_of(n)).value()));
  }

  /// POSIX locks end when the process closes any descriptor of the file, also one of somebody else's.
  void the_living_keep_their_locks() {
    Engine engine;
    engine.start();
    rewrite(engine, 1);
    engine.kill_checkpointer();
    engine.restart_checkpointer();
    store::Store store = engine.open_store();
    put(store, "k", "value");
    engine.checkpoint_now();
    const pid_t checkpointer = engine.region().slot(Engine::kCheckpointerSlot).pid.load();
    in_turn(store, [&] {
      CPPUNIT_ASSERT(store.get(key_of(7)).value().present);
      CPPUNIT_ASSERT(holds_its_lock(engine, ::getpid()));
      CPPUNIT_ASSERT(holds_its_lock(engine, checkpointer));
      const std::uint64_t map_bytes = engine.state().limits.base_map_bytes.load();
      CPPUNIT_ASSERT_EQUAL(0, in_child([&] {
                             const auto base = store::Base::open_reader(engine.directory(), map_bytes);
                             return static_cast<int>(base.value().reap_readers().value());
                           }));
      return 0;
    });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(StaleReaderTest, "stale_reader_test");

}  // namespace minivault::test
