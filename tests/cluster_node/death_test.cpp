// Goal: the death of any process or node takes no acknowledged write, stops nobody else, and all are the same
// again afterwards. Method: SIGKILL under a load that remembers; converge, and judge.

#include <iostream>

#include "tests/cluster_node/clients.h"
#include "tests/support/seed.h"

namespace minivault::test {

class DeathTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DeathTest);
  CPPUNIT_TEST(each_node_is_killed_in_turn);
  CPPUNIT_TEST(all_are_killed_at_once);
  CPPUNIT_TEST(a_rolling_restart_fails_no_write);
  CPPUNIT_TEST(replicators_are_killed);
  CPPUNIT_TEST(workers_are_killed);
  CPPUNIT_TEST(checkpointers_are_killed);
  CPPUNIT_TEST(a_node_that_was_away_takes_up_where_it_was);
  CPPUNIT_TEST(the_last_copy_of_a_dead_node_spreads);
  CPPUNIT_TEST(what_a_node_took_before_it_died_is_old);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    options_.seed = seed();
    random_.seed(options_.seed);
  }

  void each_node_is_killed_in_turn() {
    Cluster cluster;
    cluster.await_quorum();
    ClusterLoad load(cluster, history_, options_);
    for (unsigned i = 0; i < cluster.size(); ++i) {
      load.await_done(100);
      cluster.kill(i);
      load.await_done(100);  // the other two go on
      cluster.start(i);
    }
    judge(cluster, load);
  }

  void all_are_killed_at_once() {
    Cluster cluster;
    cluster.await_quorum();
    ClusterLoad load(cluster, history_, options_);
    load.await_done(300);
    for (unsigned i = 0; i < cluster.size(); ++i) cluster.node(i).supervisor().signal(SIGSTOP);
    for (unsigned i = 0; i < cluster.size(); ++i) cluster.kill(i);
    cluster.start_all();
    load.await_done(100);
    judge(cluster, load);
  }

  // A connection that is lost may be opened again; no write may be told anything but done.
  void a_rolling_restart_fails_no_write() {
    Cluster cluster;
    cluster.await_quorum();
    ClusterLoad load(cluster, history_, options_);
    for (unsigned i = 0; i < cluster.size(); ++i) {
      load.await_done(50);
      cluster.restart(i);
      cluster.await_quorum();
    }
    load.await_done(50);
    judge(cluster, load);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, load.failed());
  }

  void replicators_are_killed() {
    Cluster cluster;
    cluster.await_quorum();
    ClusterLoad load(cluster, history_, options_);
    for (int i = 0; i < 9; ++i) {
      load.await_done(20);
      const pid_t victim = kill_child(cluster.node(static_cast<unsigned>(i % 3)), "replicator");
      eventually("it is gone", [&] { return !is_alive(victim); });
    }
    load.await_done(50);
    judge(cluster, load);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, load.failed());  // a write waits for the next one
  }

  void workers_are_killed() { kill_children("worker"); }
  void checkpointers_are_killed() { kill_children("checkpointer"); }

  // Within the log nothing has to be repaired: what was missed is streamed, and hardly more.
  void a_node_that_was_away_takes_up_where_it_was() {
    Cluster cluster;
    cluster.await_quorum();
    for (unsigned i = 0; i < 200; ++i)
      assert_write(cluster, history_, 0, "before" + std::to_string(i), big(i));
    (void)assert_converges(cluster, history_);
    cluster.stop(2);
    for (unsigned i = 0; i < 20; ++i)
      assert_write(cluster, history_, 0, "missed" + std::to_string(i), big(i));
    const std::uint64_t before = cluster.bytes(0, 2) + cluster.bytes(1, 2);
    cluster.start(2);
    (void)assert_converges(cluster, history_);
    const std::uint64_t moved = cluster.bytes(0, 2) + cluster.bytes(1, 2) - before;
    std::cerr << moved << " bytes to catch up with 20 values of 10,000 among 220\n";
    CPPUNIT_ASSERT(moved > 100'000 && moved < 600'000);
  }

  // Node 0 is gone for good, and only node 1 has its last acknowledged write.
  void the_last_copy_of_a_dead_node_spreads() {
    Cluster cluster;
    cluster.await_quorum();
    assert_write(cluster, history_, 0, "k", "first");
    (void)assert_converges(cluster, history_);
    cluster.disconnect(0, 2);
    cluster.await_reachable(0, 2);
    assert_write(cluster, history_, 0, "k", "last");
    assert_write(cluster, history_, 0, "deleted", std::nullopt);
    cluster.kill(0);
    (void)assert_converges(cluster, history_);
  }

  // Taken alone and never acknowledged; while the node was away others acknowledged something newer.
  void what_a_node_took_before_it_died_is_old() {
    Cluster cluster({.flags = {"-write-timeout", "500ms"}});
    cluster.await_quorum();
    cluster.isolate(0);
    CPPUNIT_ASSERT(write(cluster, history_, 0, "k", "old") == Outcome::kUnknown);
    cluster.kill(0);
    cluster.heal();
    std::this_thread::sleep_for(milliseconds(30));  // versions are milliseconds
    assert_write(cluster, history_, 1, "k", "new");
    cluster.start(0);
    (void)assert_converges(cluster, history_);
  }

 private:
  static std::string big(unsigned i) {
    std::mt19937_64 random(i);
    std::string text(10'000, '\0');
    for (char& letter : text) letter = static_cast<char>('!' + random() % 90);
    return text;
  }

  pid_t kill_child(const Node& node, const std::string& role) {
    std::vector<pid_t> pids;
    eventually("it has a " + role, [&] { return !(pids = node.children(role)).empty(); });
    const pid_t victim = pids[random_() % pids.size()];
    ::kill(victim, SIGKILL);
    return victim;
  }

  void kill_children(const std::string& role) {
    Cluster cluster;
    cluster.await_quorum();
    ClusterLoad load(cluster, history_, options_);
    for (int i = 0; i < 12; ++i) {
      load.await_done(20);
      (void)kill_child(cluster.node(static_cast<unsigned>(random_() % 3)), role);
    }
    load.await_done(50);
    judge(cluster, load);
  }

  void judge(const Cluster& cluster, ClusterLoad& load) {
    load.stop();
    const History::Counts counts = history_.counts();
    std::cerr << counts.done << " writes done, " << counts.refused << " refused, " << counts.unknown
              << " unknown\n";
    assert_none(load.violations());
    (void)assert_converges(cluster, history_);
  }

  History history_;
  ClusterLoad::Options options_;
  std::mt19937_64 random_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(DeathTest, "death_test");

}  // namespace minivault::test
