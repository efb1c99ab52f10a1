// Goal: the largest value is what all members take, whoever of them is there; what is too large for one is
// refused by name and is no storm. Method: nodes with logs of different sizes; a real one beside one
// that says what no real one would.

#include <csignal>
#include <thread>

#include "tests/cluster_node/clients.h"
#include "tests/cluster_node/fake_node.h"
#include "tests/support/http_assert.h"

namespace minivault::test {
namespace {

ClusterOptions one_node() {
  return {.nodes = 1, .flags = {"-write-timeout", "1s", "-procs", "1"}, .start = false};
}

void start_beside(Cluster& cluster, const FakeNode& other) {
  cluster.start(0, {{"CLUSTER_NODES", other.address()}});
  cluster.await_reachable(0, 2);
}

std::string text(const rapidjson::Value& value) {
  return value.GetString();
}

/// What node `i` says of the peer at `address`.
std::string said_of(const Cluster& cluster, unsigned i, const std::string& address, const char* what) {
  const rapidjson::Document health = cluster.health(i);
  for (const auto& peer : health["peers"].GetArray()) {
    if (peer["address"].GetString() == address) return text(peer[what]);
  }
  return {};
}

}  // namespace

class LimitsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LimitsTest);
  CPPUNIT_TEST(a_limit_outlasts_who_told_it_and_who_heard_it);
  CPPUNIT_TEST(a_node_too_small_for_what_there_is_says_so);
  CPPUNIT_TEST(whoever_takes_hellos_and_no_batches_is_called_seldom);
  CPPUNIT_TEST(what_is_too_large_is_not_sent_again);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_limit_outlasts_who_told_it_and_who_heard_it() {
    FakeNode other;
    other.say([](FakeNode::Words& words) { words.largest_value = 1'000; });
    Cluster cluster(one_node());
    start_beside(cluster, other);
    const std::string large(1'001, 'v');
    eventually("it is refused", [&] { return put(cluster, 0, "l", large).status == 413; });
    other.say([](FakeNode::Words& words) { words.refuses = true; });
    const pid_t replicator = cluster.node(0).child("replicator");
    ::kill(replicator, SIGKILL);
    eventually("another one replicates", [&] {
      const std::vector<pid_t> now = cluster.node(0).children("replicator");
      return now.size() == 1 && now[0] != replicator &&
             cluster.health(0)["quorum"]["reachable"].GetUint() == 1;
    });
    const unsigned before = other.hellos();
    eventually("it has called", [&] { return other.hellos() > before + 1; });
    assert_refused(put(cluster, 0, "l", large), 413);
    cluster.kill(0);
    cluster.start(0, {{"CLUSTER_NODES", other.address()}});
    assert_refused(put(cluster, 0, "l", large), 413);
    // It comes back with more room.
    other.say([](FakeNode::Words& words) { words.refuses = false, words.largest_value = 2'000; });
    eventually("it is taken", [&] { return put(cluster, 0, "l", large).status == 200; });
  }

  // A node joins that has less room than values there are. Nothing can be done about it but another start.
  void a_node_too_small_for_what_there_is_says_so() {
    Cluster cluster({.nodes = 3, .flags = {"-write-timeout", "5s", "-log", "64MB"}, .start = false});
    cluster.start(0);
    cluster.start(1);
    cluster.await_reachable(0, 2);
    const std::string value(10'000'000, 'v');
    eventually("the large value is there", [&] { return put(cluster, 0, "large", value).status == 200; });
    cluster.start(2, {{"MINIVAULT_MAX_VALUE", "1MB"}});
    eventually("it is refused",
               [&] { return said_of(cluster, 0, cluster.address(2), "state") == "refused"; });
    std::string why;
    eventually("and why", [&] {
      why = said_of(cluster, 0, cluster.address(2), "last_error");
      return why.starts_with("node ");
    });
    const std::string id = said_of(cluster, 0, cluster.address(2), "id");
    CPPUNIT_ASSERT_MESSAGE(why, why.starts_with("node " + id + " takes values of at most 1048576 bytes, "));
    CPPUNIT_ASSERT_MESSAGE(why, why.find(": start it with -max-value 10MB or more") != std::string::npos);
    eventually("it says so itself",
               [&] { return cluster.health(2)["too_large"].GetUint64() >= value.size(); });
    CPPUNIT_ASSERT_EQUAL(std::string("degraded"), text(cluster.health(2)["status"]));
    CPPUNIT_ASSERT(!cluster.health(2)["complete"].GetBool());
    // The two others get on, with values that all three take.
    eventually("the limit is known", [&] { return put(cluster, 1, "l", value).status == 413; });
    assert_done(put(cluster, 1, "small", "v"));
    cluster.kill(2);
    cluster.start(2);
    cluster.await_quorum();
    CPPUNIT_ASSERT_EQUAL(value, cluster.converge().at("large"));
  }

  void whoever_takes_hellos_and_no_batches_is_called_seldom() {
    FakeNode other;
    Cluster cluster(one_node());
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) {
      words.refuses_batches = true;
      words.reason = cluster::Reply::kCannotWrite;
    });
    const unsigned before = other.hellos();
    assert_refused(put(cluster, 0, "k", "v"), 503);
    std::this_thread::sleep_for(milliseconds(3'000));  // what does not happen meanwhile cannot be awaited
    const unsigned hellos = other.hellos() - before;
    CPPUNIT_ASSERT_MESSAGE(std::to_string(hellos), hellos >= 2 && hellos < 20);
    other.say([](FakeNode::Words& words) { words.refuses_batches = false; });
    cluster.await_reachable(0, 2);
    eventually("it is acknowledged", [&] { return put(cluster, 0, "k", "w").status == 200; });
  }

  void what_is_too_large_is_not_sent_again() {
    FakeNode other;
    Cluster cluster(one_node());
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) {
      words.refuses_batches = true;
      words.reason = cluster::Reply::kTooLarge;
    });
    assert_refused(put(cluster, 0, "k", "v"), 503);
    eventually("it is refused", [&] { return said_of(cluster, 0, other.address(), "state") == "refused"; });
    eventually("and why", [&] { return said_of(cluster, 0, other.address(), "last_error") == "not that"; });
    const unsigned hellos = other.hellos();
    const unsigned pulses = other.pulses();
    eventually("time has passed", [&] { return other.pulses() > pulses + 15; });
    CPPUNIT_ASSERT_EQUAL(hellos, other.hellos());
    CPPUNIT_ASSERT_EQUAL(1U, other.batches());
    CPPUNIT_ASSERT_EQUAL(std::string("not that"), said_of(cluster, 0, other.address(), "last_error"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LimitsTest, "limits_test");

}  // namespace minivault::test
