// The comparison of the children that live with those that should, driven by a made-up clock and made-up
// pids.

#include "supervisor/fleet.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "tests/support/seed.h"

namespace minivault::supervisor {
namespace {

using Kind = Order::Kind;
using shared::Role;

/// Carries out the fleet's plans at once, as a supervisor with a perfect kernel would.
struct Model {
  Config config;
  Goal goal{.phase = Phase::kStarting, .config = &config};
  Fleet fleet{
      role_table().first(2)};  ///< the checkpointer and the workers: the rest is like the one or the other
  std::uint64_t now_ms = 1'000'000;
  pid_t last_pid = 100;
  std::vector<Order> orders;  ///< all that were given since the test last cleared them

  explicit Model(unsigned workers) { config.worker_processes = workers; }

  void carry_out() {
    for (int round = 0; round < 10; ++round) {
      const Plan plan = fleet.plan(goal, now_ms);
      if (plan.orders.empty()) return;
      for (const Order& order : plan.orders) carry_out(order);
    }
    CPPUNIT_FAIL("the plan never comes to rest");
  }

  void carry_out(const Order& order) {
    orders.push_back(order);
    if (order.kind == Kind::kTerminate) fleet.asked(order.pid, now_ms);
    if (order.kind == Kind::kKill) fleet.killed(order.pid);
    if (order.kind == Kind::kSpawn) {
      fleet.born({.pid = ++last_pid,
                  .slot = fleet.free_slot().value(),
                  .spec = order.spec,
                  .number = order.number,
                  .generation = order.spec->replaced_on_reload ? goal.generation : 0,
                  .born_ms = now_ms});
    }
  }

  void die(pid_t pid) {
    CPPUNIT_ASSERT(fleet.buried(pid, now_ms).has_value());
    carry_out();
  }
  void become_ready(pid_t pid) {
    fleet.ready(pid);
    carry_out();
  }
  void enter(Phase phase) {
    goal.phase = phase;
    if (phase == Phase::kDraining) goal.stop_began_ms = now_ms;
    carry_out();
  }
  void reload(unsigned workers) {
    config.worker_processes = workers;
    ++goal.generation;
    carry_out();
  }
  void pass(std::uint64_t ms) {
    now_ms += ms;
    carry_out();
  }

  void run() {
    carry_out();
    become_ready(last_pid);
    enter(Phase::kRunning);
    for (const Child& child : std::vector<Child>(fleet.children().begin(), fleet.children().end())) {
      become_ready(child.pid);
    }
    orders.clear();
  }

  [[nodiscard]] std::vector<Child> at(Role role, unsigned number = 1) const {
    std::vector<Child> found;
    for (const Child& child : fleet.children()) {
      if (child.spec->role == role && child.number == number) found.push_back(child);
    }
    return found;
  }
  Child only(Role role, unsigned number = 1) const {
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, at(role, number).size());
    return at(role, number).front();
  }
  [[nodiscard]] std::ptrdiff_t count(Kind kind) const {
    return std::count_if(orders.begin(), orders.end(),
                         [kind](const Order& order) { return order.kind == kind; });
  }
  /// Somebody takes new connections, or would as soon as it could.
  [[nodiscard]] bool serves() const {
    return std::any_of(fleet.children().begin(), fleet.children().end(), [](const Child& child) {
      return child.spec->role == Role::kWorker && child.ready && !child.asked();
    });
  }
};

class FleetTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FleetTest);
  CPPUNIT_TEST(workers_wait_for_the_checkpointer);
  CPPUNIT_TEST(a_dead_worker_is_replaced_at_once_then_with_back_off);
  CPPUNIT_TEST(a_failed_fork_is_tried_again_later);
  CPPUNIT_TEST(a_dead_checkpointer_does_not_disturb_workers);
  CPPUNIT_TEST(reload_replaces_one_by_one);
  CPPUNIT_TEST(reload_grows_and_shrinks);
  CPPUNIT_TEST(reload_during_a_reload_aims_at_the_newest);
  CPPUNIT_TEST(reload_survives_deaths_on_both_sides);
  CPPUNIT_TEST(a_stop_ends_workers_before_the_checkpointer);
  CPPUNIT_TEST(who_does_not_end_is_killed_in_time);
  CPPUNIT_TEST(hurry_kills_workers_and_leaves_the_checkpointer_a_moment);
  CPPUNIT_TEST(slots_are_kept_low_and_never_shared);
  CPPUNIT_TEST(random_lives_always_settle);
  CPPUNIT_TEST_SUITE_END();

 public:
  void workers_wait_for_the_checkpointer() {
    Model model(3);
    model.carry_out();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, model.fleet.children().size());
    model.only(Role::kCheckpointer);
    model.become_ready(model.last_pid);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, model.fleet.children().size());
    model.enter(Phase::kRunning);
    for (unsigned number = 1; number <= 3; ++number) model.only(Role::kWorker, number);
    CPPUNIT_ASSERT(!model.fleet.settled(model.goal));
  }

  void a_dead_worker_is_replaced_at_once_then_with_back_off() {
    Model model(2);
    model.run();
    CPPUNIT_ASSERT(model.fleet.settled(model.goal));
    model.die(model.only(Role::kWorker, 2).pid);
    CPPUNIT_ASSERT_EQUAL(1U, model.fleet.restarts(*model.only(Role::kWorker, 2).spec, 2));
    model.die(model.only(Role::kWorker, 2).pid);
    CPPUNIT_ASSERT(model.at(Role::kWorker, 2).empty());
    CPPUNIT_ASSERT_EQUAL(model.now_ms + 100, model.fleet.plan(model.goal, model.now_ms).due_ms);
    model.pass(99);
    CPPUNIT_ASSERT(model.at(Role::kWorker, 2).empty());
    model.pass(1);
    const Child third = model.only(Role::kWorker, 2);
    CPPUNIT_ASSERT_EQUAL(2U, model.fleet.restarts(*third.spec, 2));
    CPPUNIT_ASSERT_EQUAL_MESSAGE("others are not blamed", 0U, model.fleet.restarts(*third.spec, 1));
  }

  void a_failed_fork_is_tried_again_later() {
    Model model(1);
    const Order order = model.fleet.plan(model.goal, model.now_ms).orders.at(0);
    model.fleet.stillborn(*order.spec, order.number, model.now_ms);
    const Plan plan = model.fleet.plan(model.goal, model.now_ms);
    CPPUNIT_ASSERT(plan.orders.empty());
    CPPUNIT_ASSERT(plan.due_ms > model.now_ms && plan.due_ms != kNever);
    model.pass(plan.due_ms - model.now_ms);
    model.only(Role::kCheckpointer);
  }

  void a_dead_checkpointer_does_not_disturb_workers() {
    Model model(2);
    model.run();
    model.die(model.only(Role::kCheckpointer).pid);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, model.orders.size());
    CPPUNIT_ASSERT(model.orders[0].kind == Kind::kSpawn && model.orders[0].spec->role == Role::kCheckpointer);
  }

  void reload_replaces_one_by_one() {
    Model model(3);
    model.run();
    const Child checkpointer = model.only(Role::kCheckpointer);
    model.reload(3);
    for (unsigned number = 1; number <= 3; ++number) {
      CPPUNIT_ASSERT_EQUAL_MESSAGE("one more than usual", std::size_t{5}, model.fleet.children().size());
      const auto pair = model.at(Role::kWorker, number);
      CPPUNIT_ASSERT_EQUAL(std::size_t{2}, pair.size());
      CPPUNIT_ASSERT_MESSAGE("the old one goes on until the new one serves", !pair[0].asked());
      model.become_ready(pair[1].pid);
      CPPUNIT_ASSERT(model.at(Role::kWorker, number)[0].asked());
      CPPUNIT_ASSERT_EQUAL_MESSAGE("the next waits for its end", std::size_t{5},
                                   model.fleet.children().size());
      CPPUNIT_ASSERT(!model.fleet.settled(model.goal));
      model.die(pair[0].pid);
    }
    CPPUNIT_ASSERT(model.fleet.settled(model.goal));
    CPPUNIT_ASSERT_EQUAL(checkpointer.pid, model.only(Role::kCheckpointer).pid);
    CPPUNIT_ASSERT_EQUAL_MESSAGE("no death, no restart", 0U, model.fleet.restarts(role_table()[1], 1));
  }

  /// Lets every successor serve and every predecessor end.
  static void roll(Model& model) {
    for (int step = 0; step < 100 && !model.fleet.settled(model.goal); ++step) {
      const std::vector<Child> now(model.fleet.children().begin(), model.fleet.children().end());
      for (const Child& child : now) {
        if (child.asked())
          model.die(child.pid);
        else if (!child.ready)
          model.become_ready(child.pid);
      }
      CPPUNIT_ASSERT(model.serves());
    }
    CPPUNIT_ASSERT(model.fleet.settled(model.goal));
  }

  void reload_grows_and_shrinks() {
    Model model(2);
    model.run();
    model.reload(4);
    roll(model);
    CPPUNIT_ASSERT_EQUAL(std::size_t{5}, model.fleet.children().size());
    model.reload(1);
    roll(model);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, model.fleet.children().size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, model.only(Role::kWorker, 1).generation);
  }

  void reload_during_a_reload_aims_at_the_newest() {
    Model model(2);
    model.run();
    model.reload(2);
    model.reload(2);
    const auto first = model.at(Role::kWorker, 1);
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, first.size());
    CPPUNIT_ASSERT_MESSAGE("the one that serves stays", !first[0].asked());
    CPPUNIT_ASSERT_MESSAGE("the one that was overtaken goes", first[1].asked());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, first[2].generation);
    roll(model);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, model.only(Role::kWorker, 1).generation);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, model.only(Role::kWorker, 2).generation);
  }

  void reload_survives_deaths_on_both_sides() {
    Model model(2);
    model.run();
    model.reload(2);
    model.die(model.at(Role::kWorker, 1)[1].pid);  // the successor: the old one goes on, another is tried
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, model.at(Role::kWorker, 1).size());
    model.die(model.only(Role::kWorker, 2).pid);  // one whose turn has not come: replaced out of turn
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, model.only(Role::kWorker, 2).generation);
    model.die(model.at(Role::kWorker, 1)[0].pid);  // the old one: its successor is there already
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, model.only(Role::kWorker, 1).generation);
    for (const unsigned number : {1U, 2U}) model.become_ready(model.only(Role::kWorker, number).pid);
    CPPUNIT_ASSERT(model.fleet.settled(model.goal));
  }

  void a_stop_ends_workers_before_the_checkpointer() {
    Model model(2);
    model.run();
    model.enter(Phase::kDraining);
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{2}, model.count(Kind::kTerminate));
    CPPUNIT_ASSERT(!model.only(Role::kCheckpointer).asked());
    CPPUNIT_ASSERT(!model.fleet.empty(Phase::kDraining));
    for (const unsigned number : {1U, 2U}) model.die(model.only(Role::kWorker, number).pid);
    CPPUNIT_ASSERT_EQUAL_MESSAGE("nobody is replaced", std::size_t{1}, model.fleet.children().size());
    CPPUNIT_ASSERT(model.fleet.empty(Phase::kDraining));
    CPPUNIT_ASSERT(!model.fleet.empty(Phase::kFinishing));
    model.enter(Phase::kFinishing);
    model.die(model.only(Role::kCheckpointer).pid);
    CPPUNIT_ASSERT(model.fleet.empty(Phase::kFinishing));
  }

  void who_does_not_end_is_killed_in_time() {
    Model model(1);
    model.run();
    const std::uint64_t asked_ms = model.now_ms;
    model.enter(Phase::kDraining);
    CPPUNIT_ASSERT_EQUAL(asked_ms + 8'000, model.fleet.plan(model.goal, model.now_ms).due_ms);
    model.pass(7'999);
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{0}, model.count(Kind::kKill));
    model.pass(1);
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, model.count(Kind::kKill));
    model.pass(1'000);
    CPPUNIT_ASSERT_EQUAL_MESSAGE("once is enough", std::ptrdiff_t{1}, model.count(Kind::kKill));
    model.die(model.only(Role::kWorker).pid);
    model.enter(Phase::kFinishing);
    model.pass(499);
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, model.count(Kind::kKill));
    model.pass(1);  // 9.5 s after the stop began
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{2}, model.count(Kind::kKill));
  }

  void hurry_kills_workers_and_leaves_the_checkpointer_a_moment() {
    Model model(2);
    model.run();
    model.enter(Phase::kDraining);
    model.now_ms += 300;
    model.goal.hurried_ms = model.now_ms;
    model.carry_out();
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{2}, model.count(Kind::kKill));
    for (const unsigned number : {1U, 2U}) model.die(model.only(Role::kWorker, number).pid);
    model.enter(Phase::kFinishing);
    CPPUNIT_ASSERT(model.only(Role::kCheckpointer).asked());
    model.pass(1'999);
    CPPUNIT_ASSERT(!model.only(Role::kCheckpointer).killed);
    model.pass(1);
    CPPUNIT_ASSERT(model.only(Role::kCheckpointer).killed);
  }

  void slots_are_kept_low_and_never_shared() {
    Model model(4);
    model.run();
    const unsigned freed = model.only(Role::kWorker, 2).slot;
    model.die(model.only(Role::kWorker, 2).pid);
    CPPUNIT_ASSERT_EQUAL(freed, model.only(Role::kWorker, 2).slot);
    model.reload(4);
    roll(model);
    std::set<unsigned> slots;
    for (const Child& child : model.fleet.children()) {
      CPPUNIT_ASSERT(slots.insert(child.slot).second);
      CPPUNIT_ASSERT(child.slot <= 6);
    }
  }

  void random_lives_always_settle() {
    std::mt19937_64 random(test::seed());
    for (int life = 0; life < 200; ++life) {
      Model model(1 + random() % 5);
      model.run();
      for (int step = 0; step < 60; ++step) {
        const auto children = model.fleet.children();
        const auto pid = children.empty() ? pid_t{0} : children[random() % children.size()].pid;
        switch (random() % 4) {
          case 0:
            model.reload(1 + random() % 5);
            break;
          case 1:
            if (pid != 0) model.die(pid);
            break;
          case 2:
            if (pid != 0) model.become_ready(pid);
            break;
          default:
            model.pass(random() % 3'000);
        }
        CPPUNIT_ASSERT_MESSAGE("three a place at most", model.fleet.children().size() <= 16);
      }
      model.pass(20'000);
      settle(model);
    }
  }

  static void settle(Model& model) {
    for (int step = 0; step < 200 && !model.fleet.settled(model.goal); ++step) {
      const std::vector<Child> now(model.fleet.children().begin(), model.fleet.children().end());
      for (const Child& child : now) {
        if (child.asked())
          model.die(child.pid);
        else if (!child.ready)
          model.become_ready(child.pid);
      }
      model.pass(100);
    }
    CPPUNIT_ASSERT(model.fleet.settled(model.goal));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FleetTest, "fleet_test");

}  // namespace
}  // namespace minivault::supervisor
