// Who is killed for standing still, with a clock and sightings that the test makes up.

#include "supervisor/watcher.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace minivault::supervisor {
namespace {

constexpr pid_t kPid = 4711;

class WatcherTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(WatcherTest);
  CPPUNIT_TEST(a_lock_holder_that_stands_still_is_found);
  CPPUNIT_TEST(a_lock_that_changes_hands_is_left_alone);
  CPPUNIT_TEST(a_successor_does_not_inherit_the_accusation);
  CPPUNIT_TEST(a_pin_that_stands_still_is_found);
  CPPUNIT_TEST(a_pin_of_who_computes_gets_longer);
  CPPUNIT_TEST(turns_that_end_are_left_alone);
  CPPUNIT_TEST(a_gap_in_watching_accuses_nobody);
  CPPUNIT_TEST(several_are_found_at_once);
  CPPUNIT_TEST(who_sleeps_though_rung_is_found);
  CPPUNIT_TEST(who_cannot_run_is_left_alone);
  CPPUNIT_TEST(who_never_comes_round_is_found_at_last);
  CPPUNIT_TEST(a_recovery_may_take_its_time);
  CPPUNIT_TEST(who_moved_again_is_judged_anew);
  CPPUNIT_TEST(it_tells_when_a_child_last_moved);
  CPPUNIT_TEST_SUITE_END();

  std::uint64_t now_ms_ = 1'000'000;
  Watcher watcher_;

  /// One look, a watch interval after the last.
  std::vector<Verdict> look(const Sighting& seen) {
    now_ms_ += kWatchIntervalMs;
    return watcher_.look(seen, now_ms_);
  }

 public:
  void a_lock_holder_that_stands_still_is_found() {
    const Sighting stuck{.lock_holder = kPid, .lock_acquisitions = 7};
    for (std::uint64_t ms = 0; ms < kLockStallMs; ms += kWatchIntervalMs) CPPUNIT_ASSERT(look(stuck).empty());
    const auto verdicts = look(stuck);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, verdicts.size());
    CPPUNIT_ASSERT(verdicts[0].reason == Verdict::Reason::kLockHeld);
    CPPUNIT_ASSERT_EQUAL(kPid, verdicts[0].pid);
    CPPUNIT_ASSERT(verdicts[0].stalled_ms >= kLockStallMs);
    CPPUNIT_ASSERT_MESSAGE("said once, then time is given to die", look(stuck).empty());
  }

  void a_lock_that_changes_hands_is_left_alone() {
    for (std::uint64_t i = 0; i < 30; ++i) {
      CPPUNIT_ASSERT(look({.lock_holder = kPid, .lock_acquisitions = i}).empty());
    }
    for (int i = 0; i < 30; ++i) {
      // Held at every look but the fifth: somebody let go in between.
      const pid_t holder = i % 5 == 4 ? 0 : kPid;
      CPPUNIT_ASSERT(look({.lock_holder = holder, .lock_acquisitions = 7}).empty());
    }
  }

  void a_successor_does_not_inherit_the_accusation() {
    for (int i = 0; i < 5; ++i) CPPUNIT_ASSERT(look({.lock_holder = kPid, .lock_acquisitions = 7}).empty());
    for (int i = 0; i < 5; ++i)
      CPPUNIT_ASSERT(look({.lock_holder = kPid + 1, .lock_acquisitions = 7}).empty());
  }

  void a_pin_that_stands_still_is_found() {
    const Sighting stuck{.turns = {{kPid, 100, 9}}};
    for (std::uint64_t ms = 0; ms < kPinStallMs; ms += kWatchIntervalMs) CPPUNIT_ASSERT(look(stuck).empty());
    const auto verdicts = look(stuck);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, verdicts.size());
    CPPUNIT_ASSERT(verdicts[0].reason == Verdict::Reason::kRingPinned);
    CPPUNIT_ASSERT_EQUAL(kPid, verdicts[0].pid);
    CPPUNIT_ASSERT_MESSAGE("said once, then time is given to die", look(stuck).empty());
  }

  void a_pin_of_who_computes_gets_longer() {
    std::uint64_t cpu_ns = 0;
    const auto busy = [&cpu_ns] { return Sighting{.turns = {{kPid, 100, 9, ++cpu_ns}}}; };
    for (std::uint64_t ms = 0; ms < kBusyPinStallMs; ms += kWatchIntervalMs)
      CPPUNIT_ASSERT(look(busy()).empty());
    CPPUNIT_ASSERT_EQUAL_MESSAGE("but not for ever", std::size_t{1}, look(busy()).size());

    for (int i = 0; i < 5; ++i) CPPUNIT_ASSERT(look(busy()).empty());
    const Sighting stopped{.turns = {{kPid, 100, 9, cpu_ns}}};
    CPPUNIT_ASSERT(look(stopped).empty());
    CPPUNIT_ASSERT_EQUAL_MESSAGE("stopped in the middle", std::size_t{1}, look(stopped).size());
  }

  void turns_that_end_are_left_alone() {
    for (std::uint64_t i = 0; i < 30; ++i) {
      CPPUNIT_ASSERT_MESSAGE("busy", look({.turns = {{kPid, 100, i}}}).empty());
    }
    for (int i = 0; i < 30; ++i) {
      CPPUNIT_ASSERT_MESSAGE("idle", look({.turns = {{kPid, shared::kNoLsn, 9}}}).empty());
    }
    for (int i = 0; i < 30; ++i) {
      const shared::Lsn pin = i % 2 == 1 ? shared::kNoLsn : 100;
      CPPUNIT_ASSERT_MESSAGE("now and then", look({.turns = {{kPid, pin, 9}}}).empty());
    }
  }

  void a_gap_in_watching_accuses_nobody() {
    const Sighting stuck{.lock_holder = kPid, .lock_acquisitions = 7, .turns = {{kPid, 100, 9}}};
    CPPUNIT_ASSERT(look(stuck).empty());
    now_ms_ += 3'600'000;  // the whole group was stopped, and goes on
    CPPUNIT_ASSERT(look(stuck).empty());
  }

  void several_are_found_at_once() {
    const Sighting stuck{.lock_holder = kPid,
                         .lock_acquisitions = 7,
                         .turns = {{kPid, shared::kNoLsn, 1}, {kPid + 1, 100, 9}, {kPid + 2, 100, 9}}};
    std::size_t pinned = 0;
    std::size_t locked = 0;
    for (int i = 0; i < 6; ++i) {
      for (const Verdict& verdict : look(stuck)) {
        if (verdict.reason == Verdict::Reason::kLockHeld) {
          ++locked;
          CPPUNIT_ASSERT_EQUAL(kPid, verdict.pid);
        } else {
          ++pinned;
          CPPUNIT_ASSERT(verdict.pid == kPid + 1 || verdict.pid == kPid + 2);
        }
      }
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, locked);
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, pinned);  // both, at the third and at the sixth look
  }

  static Sighting still(bool ready, char run_state) {
    return {.turns = {{.pid = kPid,
                       .pin = shared::kNoLsn,
                       .turns = 9,
                       .cpu_ns = 50,
                       .ready = ready,
                       .run_state = run_state}}};
  }

  void who_sleeps_though_rung_is_found() {
    for (const auto& seen : {still(true, 'S'), still(true, 'T'), still(false, 'T')}) {
      Watcher watcher;
      std::uint64_t now_ms = 1'000'000;
      const auto next = [&] { return watcher.look(seen, now_ms += kWatchIntervalMs); };
      for (std::uint64_t ms = 0; ms < kStillMs; ms += kWatchIntervalMs) CPPUNIT_ASSERT(next().empty());
      const auto verdicts = next();
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, verdicts.size());
      CPPUNIT_ASSERT(verdicts[0].reason == Verdict::Reason::kStandsStill);
      CPPUNIT_ASSERT_EQUAL(kPid, verdicts[0].pid);
      CPPUNIT_ASSERT_MESSAGE("said once, then time is given to die", next().empty());
    }
  }

  /// A disk, a processor, a debugger, the turn to open the base.
  void who_cannot_run_is_left_alone() {
    for (const auto& seen : {still(true, 'D'), still(true, 'R'), still(true, 't'), still(false, 'S')}) {
      for (std::uint64_t ms = 0; ms < 3 * kStillMs; ms += kWatchIntervalMs)
        CPPUNIT_ASSERT(look(seen).empty());
    }
  }

  /// Without coming round to its loop: its `cpu_ns`th look.
  static Sighting computing(bool ready, std::uint64_t cpu_ns) {
    Sighting seen = still(ready, 'R');
    seen.turns[0].cpu_ns = cpu_ns;
    return seen;
  }

  void who_never_comes_round_is_found_at_last() {
    std::uint64_t cpu_ns = 0;
    for (std::uint64_t ms = 0; ms < kBusyStillMs; ms += kWatchIntervalMs)
      CPPUNIT_ASSERT(look(computing(true, ++cpu_ns)).empty());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, look(computing(true, ++cpu_ns)).size());
  }

  void a_recovery_may_take_its_time() {
    std::uint64_t cpu_ns = 0;
    for (std::uint64_t ms = 0; ms < 2 * kBusyStillMs; ms += kWatchIntervalMs)
      CPPUNIT_ASSERT(look(computing(false, ++cpu_ns)).empty());
  }

  void who_moved_again_is_judged_anew() {
    for (std::uint64_t turns = 1; turns <= 3; ++turns) {
      Sighting seen = still(true, 'S');
      seen.turns[0].turns = turns;
      for (std::uint64_t ms = 0; ms < kStillMs; ms += kWatchIntervalMs) CPPUNIT_ASSERT(look(seen).empty());
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, look(seen).size());
    }
  }

  void it_tells_when_a_child_last_moved() {
    CPPUNIT_ASSERT(!watcher_.moved_within(kPid, kStillMs));  // never seen
    CPPUNIT_ASSERT(look(still(true, 'D')).empty());
    CPPUNIT_ASSERT(watcher_.moved_within(kPid, 0));
    for (int i = 0; i < 4; ++i) CPPUNIT_ASSERT(look(still(true, 'D')).empty());
    CPPUNIT_ASSERT(!watcher_.moved_within(kPid, 3'999));
    CPPUNIT_ASSERT(watcher_.moved_within(kPid, 4'000));
    Sighting moved = still(true, 'D');
    moved.turns[0].cpu_ns = 51;
    CPPUNIT_ASSERT(look(moved).empty());
    CPPUNIT_ASSERT(watcher_.moved_within(kPid, 0));
    CPPUNIT_ASSERT(look({}).empty());
    CPPUNIT_ASSERT(!watcher_.moved_within(kPid, kStillMs));  // gone
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(WatcherTest, "watcher_test");

}  // namespace
}  // namespace minivault::supervisor
