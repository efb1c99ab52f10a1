// Goal: a start finds everything acknowledged again, or says what is lost and refuses; LSNs and versions
// never go back. Method: starts cut short at every step; logs torn at every eight bytes, damaged in the
// middle, stopped in order.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "common/core/clock.h"
#include "common/core/fault_point.h"
#include "tests/store/base_support.h"
#include "tests/store/recovery_support.h"

namespace minivault::test {
namespace {

using namespace recovery_support;

constexpr std::array<const char*, 3> kStartSteps{"recovery.before_new_log", "recovery.before_log_header",
                                                 "recovery.after_log_header"};

void die_at(Engine& engine, const char* point, std::int64_t count = 1) {
  fault_plan().arm(point, FaultPlan::Action::kKill, count);
  CPPUNIT_ASSERT_MESSAGE(point, !engine.try_start());
  CPPUNIT_ASSERT_EQUAL_MESSAGE(point, 1U, fault_plan().acted.load());
  fault_plan().disarm();
}

/// As a replicator does with the epoch that it draws.
void tell_the_end(Engine& engine) {
  store::Store store = engine.open_store();
  store::Write empty;
  empty.operation = store::Operation::kNote;
  empty.key = store::kUntoldEndNote;
  commit_one(store, empty);
  engine.wait_durable(engine.state().marks.tail.load());
}

}  // namespace

class RecoveryTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RecoveryTest);
  CPPUNIT_TEST(births_cut_short);
  CPPUNIT_TEST(a_first_start_whose_ceiling_the_power_took);
  CPPUNIT_TEST(starts_cut_short);
  CPPUNIT_TEST(starts_cut_short_while_the_ring_is_replaced);
  CPPUNIT_TEST(recovery_killed_and_begun_again_in_the_same_memory);
  CPPUNIT_TEST(what_a_start_took_in_may_be_gone_from_the_log);
  CPPUNIT_TEST(torn_at_every_eight_bytes);
  CPPUNIT_TEST(torn_tail_starts_without_a_word);
  CPPUNIT_TEST(acknowledged_damage_is_refused);
  CPPUNIT_TEST(lsns_are_never_handed_out_twice);
  CPPUNIT_TEST(a_lost_tail_is_remembered_until_it_is_told);
  CPPUNIT_TEST(a_start_without_a_leap_leaves_no_note_of_the_end);
  CPPUNIT_TEST(a_damaged_note_of_the_end_stops_no_start);
  CPPUNIT_TEST(versions_never_go_back);
  CPPUNIT_TEST(nothing_to_replay_after_an_orderly_stop);
  CPPUNIT_TEST_SUITE_END();

 public:
  void tearDown() override { fault_plan().disarm(); }

  void births_cut_short() {
    for (const char* point :
         {"ring.before_rename", "birth.before_base", "recovery.before_epoch", "recovery.before_new_log",
          "recovery.before_log_header", "recovery.after_log_header"}) {
      Engine engine;
      die_at(engine, point);
      engine.start();
      fill(engine, 1, 3);
      engine.stop();
      CPPUNIT_ASSERT_EQUAL(0, engine.exit_status());
      engine.start();
      assert_holds(engine, 1, 3);
    }
  }

  /// It is synced together with the mark that a start is under way; nothing was stamped below it.
  void a_first_start_whose_ceiling_the_power_took() {
    Engine engine;
    die_at(engine, "recovery.after_log_header");
    overwrite(log_of(engine), 512, std::string(16, '\0'));
    engine.start();
    fill(engine, 1, 3);
    engine.kill();
    engine.start();
    assert_holds(engine, 1, 3);
  }

  void starts_cut_short() {
    Engine engine;
    engine.start();
    std::uint64_t last = 0;
    store::Lsn highest = 0;
    for (const bool orderly : {false, true}) {
      for (const char* point : kStartSteps) {
        highest = fill(engine, last + 1, last + 5);
        last += 5;
        orderly ? engine.stop() : engine.kill();
        die_at(engine, point);
        die_at(engine, point);
        engine.start();
        CPPUNIT_ASSERT(engine.state().marks.tail.load() >= highest);
        assert_holds(engine, 1, last);
      }
    }
  }

  void starts_cut_short_while_the_ring_is_replaced() {
    Engine engine;
    engine.start();
    std::uint64_t last = 0;
    for (const char* point :
         {"recovery.before_new_log", "ring.before_rename", "recovery.before_log_header"}) {
      fill(engine, last + 1, last + 5);
      last += 5;
      engine.kill();
      engine.config.log_bytes = (engine.config.log_bytes == 16U << 20) ? 32U << 20 : 16U << 20;
      die_at(engine, point);
      engine.start();
      CPPUNIT_ASSERT_EQUAL(engine.config.log_bytes, engine.state().limits.ring_bytes.load());
      assert_holds(engine, 1, last);
    }
  }

  void recovery_killed_and_begun_again_in_the_same_memory() {
    Engine engine;
    engine.start();
    engine.suspend_checkpointer();  // a log full of work for recovery
    {
      store::Store store = engine.open_store();
      for (std::uint64_t i = 1; i <= 12'000; ++i) put(store, key_of(i % 11'000), stamped(i % 11'000, 400));
    }
    engine.kill();
    die_at(engine, "checkpoint.before_commit", 1);
    for (const std::int64_t count : {1, 2}) {
      fault_plan().arm("checkpoint.before_commit", FaultPlan::Action::kKill, count);
      engine.fork_checkpointer();
      engine.reap_checkpointer();
      CPPUNIT_ASSERT_EQUAL(1U, fault_plan().acted.load());
    }
    fault_plan().disarm();
    engine.restart_checkpointer();
    assert_holds(engine, 1, 10'999);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{11'000}, engine.state().totals.keys.load());
  }

  /// It read the page cache, synced the base, and the power failed: the base is ahead of the log.
  void what_a_start_took_in_may_be_gone_from_the_log() {
    Engine engine;
    engine.start();
    fill(engine, 1, 3);
    engine.checkpoint_now();
    const store::Lsn first = engine.state().marks.tail.load();
    const store::Lsn end = fill(engine, 4, 6, 6'000);
    engine.kill();
    die_at(engine, "recovery.before_epoch");
    overwrite(log_of(engine), offset_of(first, engine.config.log_bytes), std::string(end - first, '\0'));
    engine.start();
    assert_holds(engine, 1, 6);
  }

  void torn_at_every_eight_bytes() {
    Engine engine;
    engine.start();
    const store::Lsn first = engine.state().marks.tail.load();
    const store::Lsn last = fill(engine, 1, 4);
    const store::Lsn end = fill(engine, 5, 5, 300);
    engine.kill();
    const std::string torn = engine.directory() + "/torn.log";
    copy_over(log_of(engine), torn);
    CPPUNIT_ASSERT_EQUAL(end, store::examine_log(store::Ring::open(torn).value(), first, true).end);
    for (store::Lsn cut = end - 8; cut >= last; cut -= 8) {
      overwrite(torn, offset_of(cut, engine.config.log_bytes), std::string(8, '\0'));
      const store::LogExamination found = store::examine_log(store::Ring::open(torn).value(), first, true);
      CPPUNIT_ASSERT_EQUAL(last, found.end);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, found.records);
      CPPUNIT_ASSERT(!found.damage_durable_to.has_value());
    }
  }

  void torn_tail_starts_without_a_word() {
    Engine engine;
    engine.start();
    const store::Lsn last = fill(engine, 1, 4);
    fill(engine, 5, 5);
    engine.kill();
    overwrite(log_of(engine), offset_of(last + 16, engine.config.log_bytes), std::string(8, '\0'));
    engine.start();
    assert_holds(engine, 1, 4);
    assert_absent(engine, 5);
    fill(engine, 5, 6);
    engine.kill();
    engine.start();
    assert_holds(engine, 1, 6);
  }

  void acknowledged_damage_is_refused() {
    Engine engine;
    engine.start();
    fill(engine, 1, 1);
    engine.checkpoint_now();
    const store::Lsn end = fill(engine, 2, 6);
    engine.kill();
    // Damage what the base does not have, else nothing would be lost.
    const store::Lsn checkpoint = engine.state().marks.checkpoint.load();
    CPPUNIT_ASSERT(checkpoint < end);
    flip_bit(log_of(engine), offset_of(checkpoint + 50, engine.config.log_bytes));
    const std::string message = refusal(engine);
    CPPUNIT_ASSERT_MESSAGE(message,
                           message.find("LSN " + std::to_string(checkpoint) + " to ") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(message, message.find("-accept-loss") != std::string::npos);
    CPPUNIT_ASSERT(!engine.try_start());
    CPPUNIT_ASSERT_EQUAL(3, engine.exit_status());
    engine.config.accept_loss = true;
    engine.start();
    CPPUNIT_ASSERT(engine.state().marks.tail.load() > end);
    assert_holds(engine, 1, 1);
    assert_absent(engine, 6);
    engine.config.accept_loss = false;
    fill(engine, 7, 9);
    engine.kill();
    engine.start();
    assert_holds(engine, 7, 9);
  }

  void lsns_are_never_handed_out_twice() {
    Engine engine;
    store::Lsn highest = 0;
    for (int i = 0; i < 6; ++i) {
      engine.start();
      CPPUNIT_ASSERT(engine.state().marks.tail.load() >= highest + (i == 0 ? 0 : engine.config.log_bytes));
      if (i % 2 == 0) fill(engine, 1, 3);  // else it crashes before the first write
      highest = engine.state().marks.tail.load();
      engine.kill();
    }
  }

  /// However often the power is cut before that, or a start is cut short.
  void a_lost_tail_is_remembered_until_it_is_told() {
    Engine engine;
    engine.start();
    const store::Lsn last = fill(engine, 1, 4);
    fill(engine, 5, 5);
    engine.kill();
    overwrite(log_of(engine), offset_of(last + 16, engine.config.log_bytes), std::string(8, '\0'));
    for (const char* point : kStartSteps) {
      die_at(engine, point);
      engine.start();
      CPPUNIT_ASSERT_EQUAL_MESSAGE(point, last, engine.state().limits.found_end.load());
      CPPUNIT_ASSERT(engine.state().limits.first_lsn.load() > last);
      fill(engine, 6, 7);
      engine.kill();
    }
    engine.start();
    engine.stop();
    engine.config.log_bytes *= 2;
    engine.start();
    CPPUNIT_ASSERT_EQUAL(last, engine.state().limits.found_end.load());
    tell_the_end(engine);
    const store::Lsn end = engine.state().marks.tail.load();
    engine.kill();
    engine.start();
    CPPUNIT_ASSERT_EQUAL(end, engine.state().limits.found_end.load());
    // This one is not told either: the note is newer than the empty one before.
    engine.kill();
    engine.start();
    CPPUNIT_ASSERT_EQUAL(end, engine.state().limits.found_end.load());
  }

  void a_start_without_a_leap_leaves_no_note_of_the_end() {
    Engine engine;
    for (int i = 0; i < 2; ++i) {
      engine.start();
      CPPUNIT_ASSERT_EQUAL(engine.state().limits.first_lsn.load(), engine.state().limits.found_end.load());
      store::Store store = engine.open_store();
      in_turn(store, [&] { CPPUNIT_ASSERT(!store.note(store::kUntoldEndNote).value().known); });
      put(store, "k", "v");
      engine.stop();
    }
  }

  /// What it said cannot be known: so the peers are told of an end from which on all is looked at again. The
  /// next start finds a whole one.
  void a_damaged_note_of_the_end_stops_no_start() {
    Engine engine;
    engine.start();
    const store::Lsn born = engine.state().limits.first_lsn.load();
    fill(engine, 1, 4);
    engine.kill();
    engine.start();
    fill(engine, 5, 6);
    engine.kill();
    store::base_support::raw_put(base_of(engine), "notes", store::kUntoldEndNote, std::string(40, '\1'));
    for (int i = 0; i < 2; ++i) {
      engine.start();
      assert_holds(engine, 1, 6);
      CPPUNIT_ASSERT_EQUAL(born, engine.state().limits.found_end.load());
      engine.kill();
    }
  }

  void versions_never_go_back() {
    Engine engine;
    engine.start();
    store::Version highest;
    {
      store::Store store = engine.open_store();
      store::Write write;
      write.key = "from a node whose clock runs ahead";
      write.version = {(wall_ms() + 86'400'000) << 16, 99};
      write.condition = store::Condition::kNewerThanHeld;
      commit_one(store, write);
      write.key = "local";
      write.version = {};
      write.condition = store::Condition::kNone;
      highest = commit_one(store, write).version;
      CPPUNIT_ASSERT(highest.hlc > (wall_ms() + 86'000'000) << 16);
    }
    for (const bool orderly : {false, true, false}) {
      orderly ? engine.stop() : engine.kill();
      engine.start();
      store::Store store = engine.open_store();
      store::Write write;
      write.key = "local";
      const store::Version now = commit_one(store, write).version;
      CPPUNIT_ASSERT(now.hlc > highest.hlc);
      CPPUNIT_ASSERT_EQUAL(highest.origin, now.origin);
      highest = now;
    }
  }

  void nothing_to_replay_after_an_orderly_stop() {
    Engine engine;
    engine.start();
    const store::Lsn end = fill(engine, 1, 20);
    CPPUNIT_ASSERT_EQUAL(0U, store::Ring::open(log_of(engine)).value().header().clean);
    engine.stop();
    {
      const store::Ring ring = store::Ring::open(log_of(engine)).value();
      CPPUNIT_ASSERT_EQUAL(1U, ring.header().clean);
      CPPUNIT_ASSERT_EQUAL(end, ring.header().boundary);
      const store::Base base = store::Base::open_writer(engine.directory()).value();
      const store::Lsn checkpoint = base.snapshot().value().meta().value().checkpoint;
      CPPUNIT_ASSERT_EQUAL(end, checkpoint);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, store::examine_log(ring, checkpoint, true).records);
    }
    engine.start();
    CPPUNIT_ASSERT_EQUAL(end, engine.state().marks.tail.load());
    assert_holds(engine, 1, 20);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RecoveryTest, "recovery_test");

}  // namespace minivault::test
