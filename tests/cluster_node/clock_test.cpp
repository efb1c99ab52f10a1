// Goal: clocks that are wrong cost nobody a write: nodes converge, and a write that begins after another was
// acknowledged wins, whichever nodes took them. Method: nodes whose wall clock the test sets, and moves.

#include <algorithm>
#include <iostream>

#include "tests/cluster_node/clients.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

using Offsets = std::vector<std::chrono::milliseconds>;
using std::chrono::hours;
using std::chrono::seconds;

}  // namespace

class ClockTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ClockTest);
  CPPUNIT_TEST(a_little_apart);
  CPPUNIT_TEST(a_second_apart);
  CPPUNIT_TEST(hours_apart);
  CPPUNIT_TEST(clocks_jump_while_nodes_run);
  CPPUNIT_TEST(a_clock_is_set_back_between_two_starts);
  CPPUNIT_TEST(under_load);
  CPPUNIT_TEST(a_clock_that_is_far_off_is_named);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override { random_.seed(seed()); }

  void a_little_apart() { write_in_turn({milliseconds(0), milliseconds(200), milliseconds(-200)}); }
  void a_second_apart() { write_in_turn({milliseconds(0), seconds(1), seconds(-1)}); }
  void hours_apart() { write_in_turn({milliseconds(0), hours(1), hours(-1)}); }

  void clocks_jump_while_nodes_run() {
    Cluster cluster;
    cluster.await_quorum();
    for (const Offsets& offsets :
         {Offsets{seconds(30), seconds(0), seconds(0)}, Offsets{hours(-1), seconds(10), seconds(0)},
          Offsets{seconds(0), seconds(0), hours(-2)}}) {
      set_clocks(cluster, offsets);
      write_some(cluster, 60);
    }
    (void)assert_converges(cluster, history_);
  }

  // What it stamped before must not be newer than what it stamps now.
  void a_clock_is_set_back_between_two_starts() {
    for (const bool killed : {false, true}) {
      History history;
      Cluster cluster;
      cluster.await_quorum();
      assert_write(cluster, history, 0, "k", "before");
      assert_write(cluster, history, 0, "gone", "before");
      if (killed) {
        cluster.kill(0);
      } else {
        cluster.stop(0);
      }
      cluster.set_clock(0, hours(-1));
      cluster.start(0);
      assert_write(cluster, history, 0, "k", "after");
      assert_write(cluster, history, 0, "gone", std::nullopt);
      (void)assert_converges(cluster, history);
    }
  }

  void under_load() {
    History history(History::Unknowns::kStayUndecided);
    Cluster cluster({.start = false});
    set_clocks(cluster, {seconds(0), seconds(2), seconds(-2)});
    cluster.start_all();
    cluster.await_quorum();
    ClusterLoad load(cluster, history, {.seed = random_()});
    load.await_done(150);
    set_clocks(cluster, {seconds(-5), hours(1), seconds(0)});
    load.await_done(150);
    cluster.kill(1);
    set_clocks(cluster, {seconds(0), hours(-1), seconds(0)});
    load.await_done(50);
    cluster.start(1);
    load.await_done(150);
    load.stop();
    assert_none(load.violations());
    const Content content = assert_converges(cluster, history);
    CPPUNIT_ASSERT(!content.empty());
  }

  // Beyond -max-drift of the members' median a node says so, in health and in its log.
  void a_clock_that_is_far_off_is_named() {
    Cluster cluster;
    cluster.set_clock(2, hours(1));
    cluster.await_quorum();
    eventually("node 2 says that its clock is off",
               [&] { return cluster.health(2)["clock"]["drifts"].IsTrue(); });
    CPPUNIT_ASSERT(cluster.health(0)["clock"]["drifts"].IsFalse());
    eventually("its log, too", [&] {
      const auto lines = cluster.node(2).supervisor().lines();
      return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        return line.find("] clock_drift ") != std::string::npos;
      });
    });
    assert_write(cluster, history_, 2, "k", "v");
    (void)assert_converges(cluster, history_);
  }

 private:
  static void set_clocks(Cluster& cluster, const Offsets& offsets) {
    for (unsigned i = 0; i < cluster.size(); ++i) cluster.set_clock(i, offsets[i]);
  }

  void write_in_turn(const Offsets& offsets) {
    Cluster cluster({.start = false});
    set_clocks(cluster, offsets);
    cluster.start_all();
    cluster.await_quorum();
    write_some(cluster, 200);
    (void)assert_converges(cluster, history_);
  }

  /// One after another, each at any node.
  void write_some(const Cluster& cluster, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string key = "k" + std::to_string(random_() % 4);
      const bool removes = random_() % 5 == 0;
      assert_write(cluster, history_, static_cast<unsigned>(random_() % 3), key,
                   removes ? std::nullopt : History::State(std::to_string(++writes_)));
    }
  }

  History history_;
  std::mt19937_64 random_;
  int writes_ = 0;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ClockTest, "clock_test");

}  // namespace minivault::test
