// Goal: whatever happens to the network, a majority goes on, a minority acknowledges nothing, and once it is
// healed all are the same, nothing lost and nothing back. Method: each kind of fault between real nodes,
// under a load that remembers.

#include <algorithm>
#include <functional>
#include <future>
#include <iostream>
#include <span>

#include "tests/cluster_node/clients.h"
#include "tests/support/http_assert.h"
#include "tests/support/seed.h"

namespace minivault::test {

class PartitionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PartitionTest);
  CPPUNIT_TEST(a_node_is_cut_off);
  CPPUNIT_TEST(a_node_falls_into_a_black_hole);
  CPPUNIT_TEST(what_a_minority_took_is_decided_when_healed);
  CPPUNIT_TEST(a_node_that_hears_but_is_not_heard);
  CPPUNIT_TEST(a_node_that_is_heard_but_does_not_hear);
  CPPUNIT_TEST(two_do_not_see_each_other_but_the_third);
  CPPUNIT_TEST(a_slow_node_slows_nobody);
  CPPUNIT_TEST(far_away_nodes);
  CPPUNIT_TEST(a_narrow_line);
  CPPUNIT_TEST(a_large_value_on_a_narrow_line_delays_nobody);
  CPPUNIT_TEST(connections_flap);
  CPPUNIT_TEST(half_messages);
  CPPUNIT_TEST(two_halves_of_four);
  CPPUNIT_TEST(deletes_during_a_partition_stay);
  CPPUNIT_TEST(refused_connections_are_no_storm);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    options_.seed = seed();
    random_.seed(options_.seed);
  }

  void a_node_is_cut_off() {
    survive([](Cluster& cluster) {
      cluster.disconnect(0, 1);
      cluster.disconnect(0, 2);
    });
  }

  void a_node_falls_into_a_black_hole() {
    survive([](Cluster& cluster) {
      cluster.isolate(0);
      cluster.await_reachable(1, 2);  // the silence was noticed
    });
  }

  // The minority's write was answered "unknown" and lies there with an older version than what the majority
  // acknowledged since: healing brings back neither it nor the key that the majority deleted.
  void what_a_minority_took_is_decided_when_healed() {
    Cluster cluster({.flags = {"-write-timeout", "500ms"}});
    cluster.await_quorum();
    assert_write(cluster, history_, 0, "deleted", "v");
    (void)assert_converges(cluster, history_);
    cluster.isolate(0);
    cluster.await_reachable(0, 1);
    CPPUNIT_ASSERT(write(cluster, history_, 0, "only here", "minority") == Outcome::kUnknown);
    CPPUNIT_ASSERT(write(cluster, history_, 0, "both", "minority") == Outcome::kUnknown);
    CPPUNIT_ASSERT(write(cluster, history_, 0, "deleted", "minority") == Outcome::kUnknown);
    await_later_clock();
    assert_write(cluster, history_, 1, "both", "majority");
    assert_write(cluster, history_, 2, "deleted", std::nullopt);
    cluster.heal();
    const Content content = assert_converges(cluster, history_);
    CPPUNIT_ASSERT((content == Content{{"both", "majority"}, {"only here", "minority"}}));
  }

  void a_node_that_hears_but_is_not_heard() {
    survive([](Cluster& cluster) {
      cluster.set(0, 1, {.stalled = true});
      cluster.set(0, 2, {.stalled = true});
    });
  }

  void a_node_that_is_heard_but_does_not_hear() {
    survive([](Cluster& cluster) {
      cluster.set(1, 0, {.stalled = true});
      cluster.set(2, 0, {.stalled = true});
    });
  }

  // A majority for each: everybody acknowledges.
  void two_do_not_see_each_other_but_the_third() {
    Cluster cluster;
    cluster.await_quorum();
    cluster.partition(0, 1);
    cluster.await_reachable(0, 2);
    cluster.await_reachable(1, 2);
    ClusterLoad load(cluster, history_, options_);
    load.await_done(200);
    load.stop();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, load.failed());
    cluster.heal();
    (void)assert_converges(cluster, history_);
  }

  void a_slow_node_slows_nobody() {
    Cluster cluster;
    cluster.await_quorum();
    for (unsigned i = 0; i < 2; ++i) {
      cluster.set(i, 2, {.delay = milliseconds(300), .bytes_per_second = 20'000});
      cluster.set(2, i, {.delay = milliseconds(300), .bytes_per_second = 20'000});
    }
    options_.nodes = {0, 1};
    ClusterLoad load(cluster, history_, options_);
    const auto start = Clock::now();
    load.await_done(300);
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    load.stop();
    std::cerr << load.done() << " writes beside a slow node in " << took.count() << " ms\n";
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, load.failed());
    CPPUNIT_ASSERT(took < milliseconds(10'000));  // with a wait for the slow node in each pipeline: 40 s
    cluster.heal();
    (void)assert_converges(cluster, history_);
  }

  // 20 ms each way to both: one round trip a write, and pipelines share it.
  void far_away_nodes() {
    Cluster cluster;
    cluster.await_quorum();
    cluster.slow_all({.delay = milliseconds(20)});
    std::vector<milliseconds> times;
    for (int i = 0; i < 15; ++i) {
      const auto start = Clock::now();
      assert_write(cluster, history_, 0, "k", std::to_string(i));
      times.push_back(std::chrono::duration_cast<milliseconds>(Clock::now() - start));
    }
    std::sort(times.begin(), times.end());
    std::cerr << "a write with 20 ms each way: median " << times[7].count() << " ms\n";
    CPPUNIT_ASSERT(times[7] >= milliseconds(40));
    CPPUNIT_ASSERT(times[7] < milliseconds(79));  // never two round trips
    ClusterLoad load(cluster, history_, options_);
    load.await_done(100);
    load.stop();
    (void)assert_converges(cluster, history_);
  }

  // 200 kB/s between all: large values neither delay what is small for long, nor break anything.
  void a_narrow_line() {
    Cluster cluster({.flags = {"-write-timeout", "10s"}});
    cluster.await_quorum();
    cluster.slow_all({.bytes_per_second = 400'000});
    std::string large(600'000, '\0');
    for (char& byte : large) byte = static_cast<char>('!' + random_() % 90);
    auto first = std::async(std::launch::async, [&] { return write(cluster, history_, 0, "large", large); });
    for (int i = 0; i < 20; ++i) assert_write(cluster, history_, 0, "small", std::to_string(i));
    CPPUNIT_ASSERT(first.get() == Outcome::kDone);
    cluster.heal();
    (void)assert_converges(cluster, history_);
  }

  // 10 MB to one peer take longer than a stream may be silent. Meanwhile the other peer acknowledges, the
  // slow one is heard from, and nothing begins anew.
  void a_large_value_on_a_narrow_line_delays_nobody() {
    Cluster cluster({.flags = {"-log", "64", "-procs", "1"}});
    cluster.await_quorum();
    const std::size_t at_the_start = cluster.node(0).supervisor().lines().size();
    cluster.set(0, 2, {.bytes_per_second = 600'000});
    std::string large(10 << 20, '\0');
    for (char& byte : large) byte = static_cast<char>('!' + random_() % 90);
    assert_write(cluster, history_, 0, "large", large);
    const auto arrived = [&] { return cluster.bytes(0, 2) > large.size(); };
    int small = 0;
    for (; small < 50; ++small) assert_write(cluster, history_, 0, "small", std::to_string(small));
    CPPUNIT_ASSERT_MESSAGE("all small writes were acknowledged before the large one arrived", !arrived());
    eventually("it has arrived", arrived, kPatience * 6);
    (void)assert_converges(cluster, history_);
    const std::vector<std::string> lines = cluster.node(0).supervisor().lines();
    for (const std::string& line : std::span(lines).subspan(at_the_start)) {
      const bool lost =
          line.find("peer_lost") != std::string::npos || line.find("stream_ended") != std::string::npos;
      CPPUNIT_ASSERT_MESSAGE(line, !lost);
    }
  }

  void connections_flap() {
    survive([&](Cluster& cluster) {
      for (int i = 0; i < 30; ++i) {
        const unsigned a = static_cast<unsigned>(random_() % 3);
        const unsigned b = (a + 1 + static_cast<unsigned>(random_() % 2)) % 3;
        if (random_() % 3 == 0) {
          cluster.partition(a, b);
        } else {
          cluster.cut(a, b);
        }
        std::this_thread::sleep_for(milliseconds(random_() % 50));
        cluster.heal(a, b);
      }
    });
  }

  void half_messages() {
    survive([&](Cluster& cluster) {
      for (int i = 0; i < 40; ++i) {
        const unsigned a = static_cast<unsigned>(random_() % 3);
        const unsigned b = (a + 1 + static_cast<unsigned>(random_() % 2)) % 3;
        cluster.cut_after(1 + random_() % 3'000, a, b);
        std::this_thread::sleep_for(milliseconds(random_() % 40));
      }
    });
  }

  // Neither half of four is a majority.
  void two_halves_of_four() {
    Cluster cluster({.nodes = 4, .flags = {"-write-timeout", "500ms", "-procs", "1"}});
    cluster.await_quorum();
    for (const unsigned a : {0U, 1U}) {
      for (const unsigned b : {2U, 3U}) cluster.partition(a, b);
    }
    for (unsigned i = 0; i < 4; ++i) {
      cluster.await_reachable(i, 2);
      const std::string own = std::to_string(i);
      CPPUNIT_ASSERT(write(cluster, history_, i, "k" + own, own) == Outcome::kUnknown);
    }
    cluster.heal();
    cluster.await_quorum();
    assert_write(cluster, history_, 3, "k", "v");
    (void)assert_converges(cluster, history_);
  }

  // Keys deleted by the majority, long known to the node that is away.
  void deletes_during_a_partition_stay() {
    Cluster cluster;
    cluster.await_quorum();
    const auto key = [](int i) { return "k" + std::to_string(i); };
    for (int i = 0; i < 50; ++i) assert_write(cluster, history_, 0, key(i), "v");
    (void)assert_converges(cluster, history_);
    cluster.isolate(2);
    cluster.await_reachable(0, 2);
    for (int i = 0; i < 50; ++i) assert_write(cluster, history_, 1, key(i), std::nullopt);
    cluster.kill(2);  // and it forgets whatever it only had in memory
    cluster.start(2);
    cluster.heal();
    CPPUNIT_ASSERT(assert_converges(cluster, history_).empty());
  }

  // A node that takes connections and drops them: others come back, but not as fast as they can. That a
  // connection was made ends no back-off.
  void refused_connections_are_no_storm() {
    Cluster cluster;
    cluster.await_quorum();
    const auto start = Clock::now();
    cluster.disconnect(0, 1);
    const unsigned before = cluster.attempts(0, 1);
    // At most a second apart: doubling on, the twelfth would come after a minute and a half.
    eventually(
        "it goes on trying", [&] { return cluster.attempts(0, 1) >= before + 12; }, kPatience * 2);
    // And each twice as long after the one before, from 50 ms to a second: 8.5 s.
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(took.count()) + " ms", took >= milliseconds(6'000));
    cluster.heal();
    cluster.await_quorum();
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// Versions are milliseconds: what is done after this is newer than what was done before it, whoever does
  /// it.
  static void await_later_clock() { std::this_thread::sleep_for(milliseconds(30)); }

  /// A load on three nodes, of which at most one is troubled: the others go on meanwhile. What the troubled
  /// one takes alone is unknown to its clients soon.
  void survive(const std::function<void(Cluster&)>& trouble) {
    Cluster cluster({.flags = {"-write-timeout", "1s"}});
    cluster.await_quorum();
    options_.writers = 2;
    ClusterLoad everywhere(cluster, history_, options_);
    ClusterLoad untroubled(
        cluster, history_,
        {.seed = options_.seed + 100, .prefix = "untroubled", .writers = 2, .nodes = {1, 2}});
    everywhere.await_done(50);
    trouble(cluster);
    untroubled.await_done(100);
    cluster.heal();
    everywhere.await_done(50);
    everywhere.stop();
    untroubled.stop();
    const History::Counts counts = history_.counts();
    std::cerr << counts.done << " done, " << counts.unknown << " unknown; beside the trouble "
              << untroubled.done() << " done\n";
    assert_none(everywhere.violations());
    (void)assert_converges(cluster, history_);
  }

  History history_;
  ClusterLoad::Options options_;
  std::mt19937_64 random_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PartitionTest, "partition_test");

}  // namespace minivault::test
