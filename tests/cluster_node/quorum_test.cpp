// Goal: a write is acknowledged by a majority or not at all, and whoever is told "unknown" was told the
// truth. Method: nodes of a cluster are killed or never started; what the rest then says to writes and reads;
// what is there when all are back.

#include <future>

#include "tests/cluster_node/clients.h"
#include "tests/support/http_assert.h"

namespace minivault::test {
namespace {

/// So that a test of a missing quorum is short.
ClusterOptions impatient(unsigned nodes = 3) {
  return {.nodes = nodes, .flags = {"-write-timeout", "1500ms"}};
}

}  // namespace

class QuorumTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(QuorumTest);
  CPPUNIT_TEST(three_of_three);
  CPPUNIT_TEST(two_of_three);
  CPPUNIT_TEST(one_of_three);
  CPPUNIT_TEST(three_of_five);
  CPPUNIT_TEST(two_nodes_need_both);
  CPPUNIT_TEST(the_first_of_three_acknowledges_nothing);
  CPPUNIT_TEST(before_a_majority_was_heard_nothing_is_stamped);
  CPPUNIT_TEST(async_waits_for_nobody);
  CPPUNIT_TEST(a_node_without_a_list_needs_nobody);
  CPPUNIT_TEST(a_quorum_that_comes_in_time_is_one);
  CPPUNIT_TEST_SUITE_END();

 public:
  void three_of_three() {
    Cluster cluster;
    cluster.await_quorum();
    assert_quorum(cluster, 0, 2, 3);
    assert_done(put(cluster, 0, "k", "v"));
  }

  void two_of_three() {
    Cluster cluster;
    cluster.await_quorum();
    cluster.kill(2);
    cluster.await_quorum();
    assert_quorum(cluster, 0, 2, 2);
    for (const unsigned i : {0U, 1U}) assert_done(put(cluster, i, "k" + std::to_string(i), "v"));
    cluster.start(2);
    CPPUNIT_ASSERT((cluster.converge() == Content{{"k0", "v"}, {"k1", "v"}}));
  }

  void one_of_three() {
    Cluster cluster(impatient());
    cluster.await_quorum();
    History history;
    assert_write(cluster, history, 0, "before", "v");
    cluster.kill(1);
    cluster.kill(2);
    cluster.await_quorum();
    assert_quorum(cluster, 0, 2, 1);

    const History::Write over_http = history.begin("http", "v");
    const auto start = std::chrono::steady_clock::now();
    assert_unknown(put(cluster, 0, "http", "v"), 1, 2);
    const auto waited = std::chrono::steady_clock::now() - start;
    CPPUNIT_ASSERT(waited >= milliseconds(1'400) && waited < milliseconds(8'000));
    history.end(over_http, Outcome::kUnknown);
    auto set = std::async(std::launch::async, [&] { return write(cluster, history, 0, "binary", "v"); });
    const Outcome removed = write(cluster, history, 0, "before", std::nullopt);
    CPPUNIT_ASSERT(set.get() == Outcome::kUnknown && removed == Outcome::kUnknown);
    CPPUNIT_ASSERT(connect(cluster, 0).get("http").has_value());  // reads are local and go on

    cluster.start_all();
    cluster.await_quorum();
    const Content content = assert_converges(cluster, history);
    CPPUNIT_ASSERT_EQUAL(std::string("v"), content.at("binary"));  // the write stayed where it was taken
  }

  void three_of_five() {
    Cluster cluster({.nodes = 5, .flags = {"-write-timeout", "1500ms", "-procs", "1"}});
    cluster.await_quorum();
    assert_quorum(cluster, 0, 3, 5);
    cluster.kill(4);
    cluster.kill(3);
    cluster.await_quorum();
    assert_done(put(cluster, 0, "k", "3 of 5"));
    cluster.kill(2);
    cluster.await_quorum();
    assert_unknown(put(cluster, 0, "k", "2 of 5"), 2, 3);
  }

  void two_nodes_need_both() {
    Cluster cluster(impatient(2));
    cluster.await_quorum();
    assert_quorum(cluster, 1, 2, 2);
    assert_done(put(cluster, 1, "k", "both"));
    cluster.kill(0);
    cluster.await_quorum();
    assert_unknown(put(cluster, 1, "k", "one"), 1, 2);
  }

  void the_first_of_three_acknowledges_nothing() {
    ClusterOptions options = impatient();
    options.start = false;
    Cluster cluster(options);
    cluster.start(0);
    assert_unknown(put(cluster, 0, "k", "alone"), 1, 2);
    cluster.start(1);
    cluster.await_quorum();
    assert_done(put(cluster, 0, "k", "two"));
    cluster.start(2);
    cluster.await_quorum();
    CPPUNIT_ASSERT((cluster.converge() == Content{{"k", "two"}}));
  }

  // A node that lived before may have told others of a later clock than it remembers: the stable floor may be
  // above what it would stamp by itself.
  void before_a_majority_was_heard_nothing_is_stamped() {
    Cluster cluster(impatient());
    cluster.await_quorum();
    History history;
    assert_write(cluster, history, 0, "k", "before");
    cluster.stop(0);
    cluster.isolate(0);
    cluster.start(0);
    const History::Write refused = history.begin("k", "refused");
    assert_refused(put(cluster, 0, "k", "refused"), 503,
                   "no majority of the nodes was heard since the start; nothing was written");
    history.end(refused, Outcome::kRefused);
    CPPUNIT_ASSERT(connect(cluster, 0).get("k") == "before");
    CPPUNIT_ASSERT(!cluster.health(0)["clock"]["confirmed"].GetBool());
    cluster.heal();
    cluster.await_quorum();
    assert_write(cluster, history, 0, "k", "after");
    CPPUNIT_ASSERT((assert_converges(cluster, history) == Content{{"k", "after"}}));
  }

  void async_waits_for_nobody() {
    ClusterOptions options = impatient();
    options.flags.push_back("-async");
    Cluster cluster(options);
    cluster.await_quorum();
    cluster.kill(1);
    cluster.kill(2);
    assert_done(put(cluster, 0, "k", "alone"));
    cluster.start_all();
    CPPUNIT_ASSERT((cluster.converge() == Content{{"k", "alone"}}));
  }

  void a_node_without_a_list_needs_nobody() {
    for (const bool lists_itself : {false, true}) {
      Cluster cluster({.nodes = 1, .start = false});
      cluster.start(0, {{"CLUSTER_NODES", lists_itself ? cluster.address(0) : ""}});
      assert_quorum(cluster, 0, 1, 1);
      assert_done(put(cluster, 0, "k", "v"));
    }
  }

  // Parked, not refused: the write waits for the node that comes back within -write-timeout.
  void a_quorum_that_comes_in_time_is_one() {
    Cluster cluster({.flags = {"-write-timeout", "15s"}, .start = false});
    cluster.start(0);
    auto response = std::async(std::launch::async, [&] { return put(cluster, 0, "k", "v"); });
    eventually("the write is there and waits", [&] { return connect(cluster, 0).get("k").has_value(); });
    cluster.start(1);
    assert_done(response.get());
  }

 private:
  /// Soon: each worker's health is up to 100 ms old.
  static void assert_quorum(const Cluster& cluster, unsigned i, unsigned needed, unsigned reachable) {
    eventually(std::to_string(needed) + " needed, " + std::to_string(reachable) + " reachable", [&] {
      const auto health = cluster.health(i);
      return health["quorum"]["needed"].GetUint() == needed &&
             health["quorum"]["reachable"].GetUint() == reachable;
    });
  }

  /// 503, naming how many of how many have the write, and that it may still take effect.
  static void assert_unknown(const HttpResponse& response, unsigned have, unsigned needed) {
    assert_refused(response, 503);
    const std::string counts = std::to_string(have) + " of the " + std::to_string(needed);
    CPPUNIT_ASSERT_MESSAGE(response.body, response.body.find(counts) != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(response.body, response.body.find("may still take effect") != std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(QuorumTest, "quorum_test");

}  // namespace minivault::test
