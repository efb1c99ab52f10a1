// Goal: -accept-loss loses no more than it must: where log and base are of different times but one store, the
// records that follow the base are taken in before the new log begins, and what is not is told with its LSNs.
// Nothing that was deleted comes back by it. Method: bases put back from earlier lives, logs from other ones,
// and deaths in the middle; the line that tells the loss is read.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <fstream>
#include <iterator>

#include "common/core/fault_point.h"
#include "tests/store/recovery_support.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

using namespace recovery_support;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What is written to standard error meanwhile, by children too.
template <typename Work>
std::string said_during(Work&& work) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("said", "");
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const UniqueFd before(::dup(STDERR_FILENO));
  ::dup2(file.get(), STDERR_FILENO);
  work();
  ::dup2(before.get(), STDERR_FILENO);
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The line that tells what was lost and what was not.
std::string accept_loss(Engine& engine) {
  engine.config.accept_loss = true;
  bool started = false;
  std::string said = said_during([&] { started = engine.try_start(); });
  engine.config.accept_loss = false;
  CPPUNIT_ASSERT_MESSAGE(said, started && has(said, "loss_accepted"));
  engine.tell_the_time();
  said.erase(0, said.find("loss_accepted"));
  return said.substr(0, said.find('\n'));
}

std::string range(store::Lsn from, store::Lsn to) {
  return "LSN " + std::to_string(from) + " to " + std::to_string(to);
}

}  // namespace

class SalvageTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SalvageTest);
  CPPUNIT_TEST(a_base_of_an_earlier_start_takes_in_all_that_follows);
  CPPUNIT_TEST(up_to_where_lsns_leapt);
  CPPUNIT_TEST(up_to_the_damage);
  CPPUNIT_TEST(nothing_over_a_gap);
  CPPUNIT_TEST(nothing_of_another_life);
  CPPUNIT_TEST(what_was_deleted_stays_deleted);
  CPPUNIT_TEST(a_death_in_between_is_no_consent);
  CPPUNIT_TEST(a_log_that_is_gone);
  CPPUNIT_TEST_SUITE_END();

  /// A base as of an orderly stop, kept aside, and a start after it.
  struct Earlier {
    Engine engine;
    std::string kept;
    store::Lsn end = 0;

    explicit Earlier(std::uint64_t last = 5, bool with_peers = false)
        : kept(engine.directory() + "/kept.mdb") {
      if (with_peers) engine.config.cluster_nodes = {"127.0.0.1:1"};
      engine.start();
      end = fill(engine, 1, last);
      engine.stop();
      copy_over(base_of(engine), kept);
      engine.start();
    }
    void put_back() const { copy_over(kept, base_of(engine)); }
  };

  static void await_tombstones(Engine& engine, std::uint64_t count) {
    eventually("tombstones are " + std::to_string(count),
               [&] { return engine.state().totals.tombstones.load() == count; });
  }

 public:
  void tearDown() override { fault_plan().disarm(); }

  void a_base_of_an_earlier_start_takes_in_all_that_follows() {
    for (const bool orderly : {false, true}) {
      Earlier earlier;
      Engine& engine = earlier.engine;
      {
        store::Store store = engine.open_store();
        remove(store, key_of(3));
      }
      const store::Lsn end = fill(engine, 6, 40);
      orderly ? engine.stop() : engine.kill();
      earlier.put_back();
      const std::string taken = "36 records, " + range(earlier.end, end);
      assert_refused(engine, "copies of different times");
      assert_refused(
          engine,
          "lost with -accept-loss: nothing that the log tells of; taken in from the log: " + taken + ")");
      const std::string told = accept_loss(engine);
      CPPUNIT_ASSERT_MESSAGE(told, has(told, "taken_in=\"" + taken + "\""));
      CPPUNIT_ASSERT_MESSAGE(told, has(told, "lost=\"nothing that the log tells of\""));
      CPPUNIT_ASSERT(engine.state().marks.tail.load() > end);
      for (int i = 0; i < 2; ++i) {
        assert_holds(engine, 1, 2);
        assert_holds(engine, 4, 40);
        assert_absent(engine, 3);
        engine.kill();
        engine.start();
      }
    }
  }

  /// Behind an unclean stop other records follow, a ring further: they follow what is not there any more.
  void up_to_where_lsns_leapt() {
    Earlier earlier;
    Engine& engine = earlier.engine;
    const store::Lsn end = fill(engine, 6, 9);
    engine.kill();
    engine.start();
    fill(engine, 10, 10);
    const store::Lsn last = fill(engine, 11, 12);
    engine.kill();
    earlier.put_back();
    const std::string told = accept_loss(engine);
    CPPUNIT_ASSERT_MESSAGE(told, has(told, "taken_in=\"4 records, " + range(earlier.end, end)));
    CPPUNIT_ASSERT_MESSAGE(told,
                           has(told, "3 whole records of later laps, up to LSN " + std::to_string(last)));
    CPPUNIT_ASSERT(engine.state().marks.tail.load() > last);
    assert_holds(engine, 1, 9);
    assert_absent(engine, 10);
  }

  void up_to_the_damage() {
    Earlier earlier;
    Engine& engine = earlier.engine;
    const store::Lsn damaged = fill(engine, 6, 20);
    const store::Lsn end = fill(engine, 21, 30);
    engine.stop();
    earlier.put_back();
    flip_bit(log_of(engine), offset_of(damaged + 60, engine.config.log_bytes));
    const std::string told = accept_loss(engine);
    CPPUNIT_ASSERT_MESSAGE(told, has(told, "taken_in=\"15 records, " + range(earlier.end, damaged)));
    CPPUNIT_ASSERT_MESSAGE(told, has(told, "LSN " + std::to_string(damaged) + " to "));
    CPPUNIT_ASSERT_MESSAGE(told, has(told, "9 whole records follow, of keys \\\"key 22\\\""));
    CPPUNIT_ASSERT(engine.state().marks.tail.load() > end);
    assert_holds(engine, 1, 20);
    for (const std::uint64_t lost : {21, 22, 30}) assert_absent(engine, lost);
  }

  /// The ring began later than where the base stands. Its notes would speak of records that are in neither.
  void nothing_over_a_gap() {
    Earlier earlier;
    Engine& engine = earlier.engine;
    fill(engine, 6, 9);
    engine.stop();
    engine.config.log_bytes *= 2;
    engine.start();
    const store::Lsn born = engine.state().marks.tail.load();
    const store::Lsn end = fill(engine, 10, 12);
    engine.kill();
    earlier.put_back();
    const std::string told = accept_loss(engine);
    CPPUNIT_ASSERT_MESSAGE(told, has(told, "taken_in=nothing"));
    CPPUNIT_ASSERT_MESSAGE(told, has(told, "3 whole records, " + range(born, end)));
    CPPUNIT_ASSERT_MESSAGE(told, has(told, "one that ends at LSN " + std::to_string(born)));
    // Twice the ring that was: an unsynced tail of it may have been lost as well.
    CPPUNIT_ASSERT(engine.state().limits.first_lsn.load() >= end + 2 * engine.config.log_bytes);
    assert_holds(engine, 1, 5);
    for (const std::uint64_t lost : {6, 10, 12}) assert_absent(engine, lost);
  }

  /// A copy of the directory lived on and used the same LSNs; its log comes to the other's base.
  void nothing_of_another_life() {
    Earlier earlier;
    Engine& engine = earlier.engine;
    engine.stop();
    const std::string kept_log = engine.directory() + "/kept.log";
    const std::string other_log = engine.directory() + "/other.log";
    copy_over(log_of(engine), kept_log);
    earlier.kept = engine.directory() + "/kept2.mdb";
    copy_over(base_of(engine), earlier.kept);
    engine.start();
    fill(engine, 10, 29);
    engine.kill();
    copy_over(log_of(engine), other_log);

    copy_over(kept_log, log_of(engine));
    earlier.put_back();
    engine.start();
    const store::Lsn end = fill(engine, 30, 39);
    engine.stop();
    engine.start();
    engine.stop();
    copy_over(other_log, log_of(engine));
    const std::string told = accept_loss(engine);
    CPPUNIT_ASSERT_MESSAGE(told, has(told, "taken_in=nothing"));
    CPPUNIT_ASSERT_MESSAGE(told, has(told, std::to_string(end)));
    CPPUNIT_ASSERT_EQUAL(end, engine.state().limits.found_end.load());  // not where that log ended
    assert_holds(engine, 30, 39);
    assert_absent(engine, 20);
  }

  /// Also where its tombstone was purged long ago: the log that is taken in has the delete. Without peers it
  /// takes the key away; else a tombstone stays until the floor is known.
  void what_was_deleted_stays_deleted() {
    for (const bool with_peers : {true, false}) {
      Earlier earlier(5, with_peers);
      Engine& engine = earlier.engine;
      fill(engine, 6, 6);
      {
        store::Store store = engine.open_store();
        for (const std::uint64_t deleted : {2, 6}) remove(store, key_of(deleted));
        engine.wait_durable(engine.state().marks.tail.load());
      }
      engine.checkpoint_now();
      if (with_peers) {
        await_tombstones(engine, 2);
        engine.state().limits.tombstone_floor_hlc.store(engine.state().append.last_hlc.load() +
                                                        2 * store::kTombstoneGrace);
      }
      await_tombstones(engine, 0);
      const store::Lsn end = fill(engine, 7, 8);
      engine.kill();
      earlier.put_back();
      const std::string told = accept_loss(engine);
      CPPUNIT_ASSERT_MESSAGE(told, has(told, std::to_string(end)));
      for (const std::uint64_t deleted : {2, 6}) assert_absent(engine, deleted);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, engine.state().totals.keys.load());
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{with_peers ? 2U : 0U}, engine.state().totals.tombstones.load());
      assert_holds(engine, 3, 5);
      assert_holds(engine, 7, 8);
    }
  }

  /// Nor does it cost anything: the next start that is told to goes on.
  void a_death_in_between_is_no_consent() {
    Earlier earlier;
    Engine& engine = earlier.engine;
    fill(engine, 6, 20);
    engine.kill();
    earlier.put_back();
    engine.config.accept_loss = true;
    fault_plan().arm("recovery.before_epoch", FaultPlan::Action::kKill);
    CPPUNIT_ASSERT(!engine.try_start());
    CPPUNIT_ASSERT_EQUAL(1U, fault_plan().acted.load());
    fault_plan().disarm();
    engine.config.accept_loss = false;
    assert_refused(engine, "copies of different times");
    (void)accept_loss(engine);
    assert_holds(engine, 1, 20);
  }

  void a_log_that_is_gone() {
    Earlier earlier;
    Engine& engine = earlier.engine;
    fill(engine, 6, 20);
    engine.kill();
    earlier.put_back();
    std::filesystem::remove(log_of(engine));
    const std::string lost = "what was acknowledged from LSN ";
    assert_refused(engine, lost);
    const std::string told = accept_loss(engine);
    CPPUNIT_ASSERT_MESSAGE(told, has(told, lost) && has(told, "does not exist"));
    CPPUNIT_ASSERT_MESSAGE(told, has(told, "taken_in=nothing"));
    assert_holds(engine, 1, 5);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SalvageTest, "salvage_test");

}  // namespace minivault::test
