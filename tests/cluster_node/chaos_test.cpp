// Goal: no order of deaths, cuts, slow lines, wrong clocks, lost disks and restarts loses an acknowledged
// write, undoes a delete or leaves two nodes different. Method: three to five nodes under a load that
// remembers, misfortunes of every kind by a seed, at any moment; then all is healed, the nodes converge, and
// what is left is judged. MINIVAULT_CHAOS_SECONDS says for how long; `make chaos` is this test for two
// minutes.

#include <iostream>

#include "tests/cluster_node/clients.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

using Clock = std::chrono::steady_clock;

/// The misfortunes of one cluster.
class Chaos {
 public:
  Chaos(Cluster& cluster, std::uint64_t seed, bool skews) : cluster_(cluster), random_(seed), skews_(skews) {
    unlucky_ = any();
  }

  void strike() {
    const std::uint64_t dice = random_() % 100;
    if (dice < 15) return kill_child();
    if (dice < 25) return kill_node();
    if (dice < 30) return restart_node();
    if (dice < 33) return kill_all();
    if (dice < 41) return disconnect();
    if (dice < 49) return black_hole();
    if (dice < 57) return slow_line();
    if (dice < 67) return half_message();
    if (dice < 73) return skews_ ? jump() : lose_disk();
    if (dice < 78) return freeze_child();
    cluster_.heal();
    say("heal");
  }

  void end() {
    cluster_.heal();
    cluster_.start_all();
    for (unsigned i = 0; i < cluster_.size(); ++i) cluster_.set_clock(i, milliseconds(0));
    say("end");
  }

 private:
  unsigned any() { return static_cast<unsigned>(random_() % cluster_.size()); }
  /// Two that are not the same.
  std::pair<unsigned, unsigned> pair() {
    const unsigned a = any();
    return {a, (a + 1 + static_cast<unsigned>(random_() % (cluster_.size() - 1))) % cluster_.size()};
  }
  void say(const std::string& what) {
    const auto at = std::chrono::duration_cast<milliseconds>(Clock::now() - start_);
    std::cerr << at.count() << " ms: " << what << '\n';
  }

  void kill_child() {
    const unsigned i = any();
    if (!cluster_.runs(i)) return;
    const std::vector<pid_t> pids = cluster_.node(i).children();
    if (pids.empty()) return;
    ::kill(pids[random_() % pids.size()], SIGKILL);
    say("a child of " + std::to_string(i) + " is killed");
  }

  /// Or starts it, where it is down.
  void kill_node() {
    const unsigned i = any();
    say("node " + std::to_string(i) + (cluster_.runs(i) ? " is killed" : " starts"));
    if (!cluster_.runs(i)) return cluster_.start(i);
    cluster_.kill(i);
    if (random_() % 2 == 0) cluster_.start(i);
  }

  /// One node's alone: what was acknowledged has a copy at another. Not where clocks are wrong: of two
  /// majorities this node can be all that they have in common, and it has forgotten what the first one wrote.
  void lose_disk() {
    say("node " + std::to_string(unlucky_) + " loses its disk");
    if (cluster_.runs(unlucky_)) cluster_.kill(unlucky_);
    cluster_.wipe(unlucky_);
    cluster_.start(unlucky_);
  }

  void freeze_child() {
    const unsigned i = any();
    const std::vector<pid_t> pids = cluster_.runs(i) ? cluster_.node(i).children() : std::vector<pid_t>();
    if (pids.empty()) return;
    const pid_t pid = pids[random_() % pids.size()];
    const milliseconds time(random_() % 1'500);
    say("a child of " + std::to_string(i) + " stands still for " + std::to_string(time.count()) + " ms");
    ::kill(pid, SIGSTOP);
    std::this_thread::sleep_for(time);
    ::kill(pid, SIGCONT);
  }

  void restart_node() {
    const unsigned i = any();
    if (!cluster_.runs(i)) return;
    say("node " + std::to_string(i) + " is restarted");
    cluster_.restart(i);
  }

  void kill_all() {
    say("all are killed");
    for (unsigned i = 0; i < cluster_.size(); ++i) {
      if (cluster_.runs(i)) cluster_.kill(i);
    }
    cluster_.start_all();
  }

  void disconnect() {
    const auto [a, b] = pair();
    say("no connections between " + std::to_string(a) + " and " + std::to_string(b));
    cluster_.disconnect(a, b);
  }

  void black_hole() {
    const auto [a, b] = pair();
    say("nothing arrives from " + std::to_string(a) + " at " + std::to_string(b));
    cluster_.set(a, b, {.stalled = true});
    if (random_() % 2 == 0) cluster_.set(b, a, {.stalled = true});
  }

  void slow_line() {
    const auto [a, b] = pair();
    const Faults faults{.delay = milliseconds(random_() % 200),
                        .bytes_per_second = 20'000 + random_() % 1'000'000};
    say("slow from " + std::to_string(a) + " to " + std::to_string(b));
    cluster_.set(a, b, faults);
  }

  void half_message() {
    const auto [a, b] = pair();
    const std::uint64_t bytes = random_() % 5'000;
    say("a cut after " + std::to_string(bytes) + " bytes from " + std::to_string(a) + " to " +
        std::to_string(b));
    cluster_.cut_after(bytes, a, b);
  }

  void jump() {
    const unsigned i = any();
    constexpr milliseconds kOffsets[] = {milliseconds(0),          milliseconds(300),
                                         milliseconds(-300),       milliseconds(5'000),
                                         milliseconds(-3'600'000), milliseconds(3'600'000)};
    const milliseconds offset = kOffsets[random_() % std::size(kOffsets)];
    say("the clock of " + std::to_string(i) + " is off by " + std::to_string(offset.count()) + " ms");
    cluster_.set_clock(i, offset);
  }

  Cluster& cluster_;
  std::mt19937_64 random_;
  const bool skews_;
  unsigned unlucky_ = 0;
  const Clock::time_point start_ = Clock::now();
};

}  // namespace

class ChaosTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ChaosTest);
  CPPUNIT_TEST(with_right_clocks);
  CPPUNIT_TEST(with_wrong_clocks);
  CPPUNIT_TEST_SUITE_END();

 public:
  void with_right_clocks() { storm(false); }
  void with_wrong_clocks() { storm(true); }

 private:
  static void storm(bool skews) {
    const std::uint64_t chosen = seed();
    std::mt19937_64 random(chosen);
    const auto end =
        Clock::now() + std::chrono::seconds(environment_number("MINIVAULT_CHAOS_SECONDS", 10)) / 2;
    const unsigned nodes = 3 + static_cast<unsigned>(random() % 3);
    // In half of the storms whoever is down for some seconds is away for long: nobody waits for it.
    const char* const ttl = random() % 2 == 0 ? "168h" : "2s";
    Cluster cluster({.nodes = nodes,
                     .flags = {"-write-timeout", "1s", "-procs", nodes == 3 ? "2" : "1", "-log", "16",
                               "-tombstone-ttl", ttl}});
    cluster.await_quorum();
    History history(skews ? History::Unknowns::kStayUndecided : History::Unknowns::kEndSoon);
    ClusterLoad load(cluster, history, {.seed = chosen});
    Chaos chaos(cluster, chosen, skews);
    while (Clock::now() < end) {
      std::this_thread::sleep_for(milliseconds(random() % 300));
      chaos.strike();
    }
    chaos.end();
    load.await_done(50, kPatience * 3);  // nothing is stuck
    load.stop();
    const History::Counts counts = history.counts();
    std::cerr << nodes << " nodes, ttl " << ttl << ": " << counts.done << " writes done, " << counts.refused
              << " refused, " << counts.unknown << " unknown\n";
    assert_none(load.violations());
    assert_none(history.violations(cluster.converge(kPatience * 3)));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ChaosTest, "chaos_test");

}  // namespace minivault::test
