// The node's state machine, walked over the whole product of phases and events.

#include "supervisor/supervisor_state.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <string>

namespace minivault::supervisor {
namespace {

constexpr std::array kPhases{Phase::kStarting, Phase::kRunning, Phase::kDraining, Phase::kFinishing,
                             Phase::kStopped};
constexpr std::array kEvents{Event::kCheckpointerReady,   Event::kCheckpointerDone,
                             Event::kCheckpointerKilled,  Event::kCheckpointerFailed,
                             Event::kCheckpointerRefused, Event::kWorkerDied,
                             Event::kStopRequested,       Event::kPhaseEmpty};

NodeState in(Phase phase) {
  return {.phase = phase};
}

Phase after(Phase phase, Event event) {
  return next(in(phase), event).phase;
}

class SupervisorStateTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SupervisorStateTest);
  CPPUNIT_TEST(every_pair_has_the_phase_it_should);
  CPPUNIT_TEST(a_node_never_goes_back);
  CPPUNIT_TEST(a_clean_stop_exits_with_0);
  CPPUNIT_TEST(a_stop_without_a_clean_end_does_not_exit_with_0);
  CPPUNIT_TEST(a_second_request_hurries);
  CPPUNIT_TEST(a_refusal_ends_the_node_with_its_status_in_every_phase);
  CPPUNIT_TEST(a_failed_start_ends_the_node);
  CPPUNIT_TEST(a_killed_start_is_tried_again_but_not_for_ever);
  CPPUNIT_TEST(deaths_while_running_change_nothing);
  CPPUNIT_TEST_SUITE_END();

 public:
  void every_pair_has_the_phase_it_should() {
    using enum Phase;
    // Rows: phases. Columns: events, in the order of kEvents.
    const std::array<std::array<Phase, 8>, 5> expected{{
        {kRunning, kStarting, kStarting, kFinishing, kFinishing, kStarting, kDraining, kStarting},
        {kRunning, kRunning, kRunning, kRunning, kFinishing, kRunning, kDraining, kRunning},
        {kDraining, kDraining, kDraining, kDraining, kFinishing, kDraining, kDraining, kFinishing},
        {kFinishing, kFinishing, kFinishing, kFinishing, kFinishing, kFinishing, kFinishing, kStopped},
        {kStopped, kStopped, kStopped, kStopped, kStopped, kStopped, kStopped, kStopped},
    }};
    for (std::size_t p = 0; p < kPhases.size(); ++p) {
      for (std::size_t e = 0; e < kEvents.size(); ++e) {
        const std::string where = std::string(name_of(kPhases[p])) + ", event " + std::to_string(e);
        CPPUNIT_ASSERT_MESSAGE(where, after(kPhases[p], kEvents[e]) == expected[p][e]);
      }
    }
  }

  void a_node_never_goes_back() {
    for (const Phase phase : kPhases) {
      for (const Event event : kEvents) {
        for (const bool hurried : {false, true}) {
          NodeState state = in(phase);
          state.hurried = hurried;
          const NodeState later = next(state, event);
          CPPUNIT_ASSERT(later.phase >= phase);
          CPPUNIT_ASSERT_MESSAGE("hurry is not taken back", later.hurried >= hurried);
        }
      }
    }
  }

  void a_clean_stop_exits_with_0() {
    NodeState state;
    for (const Event event : {Event::kCheckpointerReady, Event::kStopRequested, Event::kWorkerDied,
                              Event::kPhaseEmpty, Event::kCheckpointerDone, Event::kPhaseEmpty}) {
      CPPUNIT_ASSERT_EQUAL(kExitFailure, state.exit_status);
      state = next(state, event);
      if (event == Event::kCheckpointerDone) break;
    }
    state = next(state, Event::kPhaseEmpty);
    CPPUNIT_ASSERT(state.phase == Phase::kStopped);
    CPPUNIT_ASSERT_EQUAL(kExitOk, state.exit_status);
    CPPUNIT_ASSERT(!state.hurried);
  }

  void a_stop_without_a_clean_end_does_not_exit_with_0() {
    for (const Event end : {Event::kCheckpointerKilled, Event::kCheckpointerFailed}) {
      NodeState state = next(in(Phase::kFinishing), end);
      state = next(state, Event::kPhaseEmpty);
      CPPUNIT_ASSERT(state.phase == Phase::kStopped);
      CPPUNIT_ASSERT_EQUAL(kExitFailure, state.exit_status);
    }
    // Nor if it ended well once, was started again and is gone now.
    const NodeState state = next(next(in(Phase::kDraining), Event::kCheckpointerDone), Event::kPhaseEmpty);
    CPPUNIT_ASSERT_EQUAL(kExitFailure, next(state, Event::kPhaseEmpty).exit_status);
  }

  void a_second_request_hurries() {
    const NodeState once = next(in(Phase::kRunning), Event::kStopRequested);
    CPPUNIT_ASSERT(!once.hurried);
    CPPUNIT_ASSERT(next(once, Event::kStopRequested).hurried);
    CPPUNIT_ASSERT(next(in(Phase::kFinishing), Event::kStopRequested).hurried);
  }

  void a_refusal_ends_the_node_with_its_status_in_every_phase() {
    for (const Phase phase : {Phase::kStarting, Phase::kRunning, Phase::kDraining, Phase::kFinishing}) {
      const NodeState refused = next(in(phase), Event::kCheckpointerRefused);
      CPPUNIT_ASSERT(refused.phase == Phase::kFinishing);
      CPPUNIT_ASSERT_EQUAL(kExitRefused, next(refused, Event::kPhaseEmpty).exit_status);
    }
    CPPUNIT_ASSERT_MESSAGE("no answer can become durable",
                           next(in(Phase::kRunning), Event::kCheckpointerRefused).hurried);
  }

  void a_failed_start_ends_the_node() {
    const NodeState failed = next(in(Phase::kStarting), Event::kCheckpointerFailed);
    CPPUNIT_ASSERT(failed.phase == Phase::kFinishing);
    CPPUNIT_ASSERT_EQUAL(kExitFailure, failed.exit_status);
  }

  void a_killed_start_is_tried_again_but_not_for_ever() {
    NodeState state;
    for (unsigned i = 1; i < kMaxKilledStarts; ++i) {
      state = next(state, Event::kCheckpointerKilled);
      CPPUNIT_ASSERT(state.phase == Phase::kStarting);
    }
    CPPUNIT_ASSERT(next(state, Event::kCheckpointerReady).phase == Phase::kRunning);
    CPPUNIT_ASSERT(next(state, Event::kCheckpointerKilled).phase == Phase::kFinishing);
  }

  void deaths_while_running_change_nothing() {
    for (const Event event : {Event::kCheckpointerDone, Event::kCheckpointerKilled,
                              Event::kCheckpointerFailed, Event::kWorkerDied}) {
      CPPUNIT_ASSERT(next(in(Phase::kRunning), event) == in(Phase::kRunning));
      CPPUNIT_ASSERT(next(in(Phase::kDraining), event) == in(Phase::kDraining));
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SupervisorStateTest, "supervisor_state_test");

}  // namespace
}  // namespace minivault::supervisor
