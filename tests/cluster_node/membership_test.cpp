// Goal: a member set grows so that of any two majorities, whoever believes in which set, one node is in both.
// Method: newcomers that reach a part of a cluster only; callers that are not who they say they are.

#include <algorithm>
#include <filesystem>
#include <set>

#include "tests/cluster_node/clients.h"
#include "tests/cluster_node/fake_node.h"
#include "tests/support/http_assert.h"

namespace minivault::test {

class MembershipTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MembershipTest);
  CPPUNIT_TEST(newcomers_of_a_minority_are_no_majority);
  CPPUNIT_TEST(newcomers_are_no_majority_of_those_who_were_expected);
  CPPUNIT_TEST(the_next_one_waits_until_the_last_one_is_agreed_on);
  CPPUNIT_TEST(a_peer_records_the_set_between_hello_and_pulse);
  CPPUNIT_TEST(members_that_change_places_stay_members);
  CPPUNIT_TEST(two_disks_lost_while_the_third_is_off);
  CPPUNIT_TEST(a_copy_joins_when_all_whom_it_knew_were_replaced);
  CPPUNIT_TEST_SUITE_END();

 public:
  // 0 is cut off from 1 and 2, which go on. Two newcomers reach it alone: three of five, if it took them in.
  void newcomers_of_a_minority_are_no_majority() {
    Cluster cluster({.nodes = 5, .flags = {"-write-timeout", "3s", "-procs", "1"}, .start = false});
    const std::string old = cluster.address(0) + ',' + cluster.address(1) + ',' + cluster.address(2);
    for (unsigned i = 0; i < 3; ++i) cluster.start(i, {{"CLUSTER_NODES", old}});
    cluster.await_quorum();
    assert_write(cluster, history_, 0, "k", "before");
    for (const unsigned here : {0U, 3U, 4U}) {
      for (const unsigned there : {1U, 2U}) cluster.partition(here, there);
    }
    cluster.await_reachable(0, 1);
    cluster.await_reachable(1, 2);
    for (const unsigned i : {3U, 4U}) cluster.start(i, {{"CLUSTER_NODES", cluster.address(0)}});
    eventually("they have been heard and called",
               [&] { return cluster.attempts(0, 3) > 0 && cluster.attempts(0, 4) > 0; });
    assert_unknown(cluster);
    await_write(cluster, history_, 1, "k", "majority");
    cluster.heal();
    assert_all_count_all(cluster);
  }

  // 0 was never with 1 and 2, which may be elsewhere and acknowledge what they take. Whoever comes knows 0
  // alone.
  void newcomers_are_no_majority_of_those_who_were_expected() {
    Cluster cluster({.nodes = 5, .flags = {"-write-timeout", "3s", "-procs", "1"}, .start = false});
    const std::string old = cluster.address(0) + ',' + cluster.address(1) + ',' + cluster.address(2);
    cluster.start(0, {{"CLUSTER_NODES", old}});
    cluster.start(3, {{"CLUSTER_NODES", ""}});
    assert_write(cluster, history_, 3, "alone", "v");
    cluster.stop(3);
    for (const unsigned i : {3U, 4U}) cluster.start(i, {{"CLUSTER_NODES", cluster.address(0)}});
    for (const unsigned i : {0U, 3U, 4U}) {
      eventually("all three know each other", [&] { return known(cluster, i) == 2; });
    }
    assert_unknown(cluster);
    for (const unsigned i : {1U, 2U}) cluster.start(i, {{"CLUSTER_NODES", old}});
    assert_all_count_all(cluster);
  }

  // A majority of those who were there before is both of them, and one says that it holds another set.
  void the_next_one_waits_until_the_last_one_is_agreed_on() {
    FakeNode old;
    FakeNode last;
    FakeNode next;
    last.say([](FakeNode::Words& words) { words.id += 1; });
    next.say([](FakeNode::Words& words) { words.id += 2; });
    Cluster cluster({.nodes = 1, .flags = {"-procs", "1"}, .start = false});
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    old.call(cluster.port(0));
    // Until then it is as good as new, and takes whatever the next one says of the set.
    eventually("it is agreed on", [&] { return cluster.health(0)["quorum"]["needed"].GetUint() == 2; });
    old.say([](FakeNode::Words& words) { words.knows_another_set = true; });
    last.call(cluster.port(0));
    eventually("one comes in", [&] { return taken_in(cluster) == 1; });
    next.call(cluster.port(0));
    eventually("another one has been asked twice", [&] { return next.hellos() > 1; });
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, taken_in(cluster));
    old.say([](FakeNode::Words& words) { words.knows_another_set = false; });
    eventually("it comes in", [&] { return taken_in(cluster) == 2; });
  }

  // To a set that is the same nobody says hello again.
  void a_peer_records_the_set_between_hello_and_pulse() {
    FakeNode other;
    other.say([](FakeNode::Words& words) { words.hellos_are_older = true; });
    Cluster cluster({.nodes = 1, .flags = {"-procs", "1"}, .start = false});
    cluster.start(0, {{"CLUSTER_NODES", other.address()}});
    cluster.await_reachable(0, 2);
    assert_done(put(cluster, 0, "k", "v"));
  }

  // 1 and 2 exchange their addresses, then all three move on by one. Whoever is at the new address of another
  // first, while that one is nowhere, does not take its place: only a node that is new does.
  void members_that_change_places_stay_members() {
    Cluster cluster({.flags = {"-write-timeout", "3s", "-procs", "1"}});
    cluster.await_quorum();
    const std::set<std::string> before = ids(cluster);
    assert_write(cluster, history_, 0, "k", "before");
    for (const unsigned i : {1U, 2U}) cluster.stop(i);
    exchange_directories(cluster, 1, 2);
    cluster.start(1);
    cluster.await_reachable(0, 2);
    assert_write(cluster, history_, 1, "k", "one of them");
    cluster.start(2);
    assert_same(cluster, before);
    for (const unsigned i : {0U, 1U, 2U}) cluster.stop(i);
    exchange_directories(cluster, 0, 1);
    exchange_directories(cluster, 1, 2);
    for (const unsigned i : {1U, 0U, 2U}) {
      cluster.start(i);
      if (i == 0) cluster.await_reachable(0, 2);
    }
    assert_same(cluster, before);
  }

  // The two agree with each other before the third meets them: they have taken the places of those whom it
  // knew all the same, or it would wait for these for ever.
  void two_disks_lost_while_the_third_is_off() {
    Cluster cluster({.flags = {"-write-timeout", "3s", "-procs", "1"}});
    cluster.await_quorum();
    for (unsigned i = 0; i < 3; ++i) cluster.stop(i);
    for (const unsigned i : {1U, 2U}) cluster.wipe(i);
    for (const unsigned i : {1U, 2U}) cluster.start(i);
    for (const unsigned i : {1U, 2U}) cluster.await_reachable(i, 2);
    assert_write(cluster, history_, 1, "k", "v");
    cluster.start(0);
    assert_same(cluster, ids(cluster));
  }

  // Its directory remembers a set of which nobody is left: it would wait for a majority of none, and the
  // others count it meanwhile.
  void a_copy_joins_when_all_whom_it_knew_were_replaced() {
    Cluster cluster({.nodes = 4, .flags = {"-write-timeout", "3s", "-procs", "1"}, .start = false});
    const std::string old = cluster.address(0) + ',' + cluster.address(1) + ',' + cluster.address(2);
    for (unsigned i = 0; i < 3; ++i) cluster.start(i, {{"CLUSTER_NODES", old}});
    cluster.await_quorum();
    assert_write(cluster, history_, 0, "old", "v");
    cluster.start(3, {{"CLUSTER_NODES", ""}});
    for (const unsigned i : {0U, 3U}) cluster.stop(i);
    cluster.wipe(3);
    std::filesystem::copy(cluster.node(0).data(), cluster.node(3).data(),
                          std::filesystem::copy_options::recursive);
    cluster.start(0, {{"CLUSTER_NODES", old}});
    cluster.await_quorum();
    for (unsigned i = 0; i < 3; ++i) {
      cluster.kill(i);
      cluster.wipe(i);
      cluster.start(i, {{"CLUSTER_NODES", old}});
      await_filled(cluster, 3);
    }
    const Finished done = run({minivault_binary(), "new-id", cluster.node(3).data()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    cluster.start(3, {{"CLUSTER_NODES", old}});
    await_filled(cluster, 4);
    for (unsigned i = 0; i < 4; ++i) {
      CPPUNIT_ASSERT_EQUAL(4U, members(cluster, i));
      await_write(cluster, history_, i, "from" + std::to_string(i), "after");
    }
    (void)assert_converges(cluster, history_);
  }

 private:
  static unsigned members(const Cluster& cluster, unsigned i) { return cluster.health(i)["members"].Size(); }
  /// So many run, each reaches all of them and lacks nothing.
  static void await_filled(const Cluster& cluster, unsigned count) {
    for (unsigned i = 0; i < cluster.size(); ++i) {
      if (!cluster.runs(i)) continue;
      eventually("node " + std::to_string(i) + " reaches all and is complete", [&] {
        const auto health = cluster.health(i);
        return health["quorum"]["reachable"].GetUint() == count && health["members"].Size() == count &&
               health["complete"].GetBool();
      });
    }
  }

  static std::ptrdiff_t taken_in(Cluster& cluster) {
    const std::vector<std::string> lines = cluster.node(0).supervisor().lines();
    return std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
      return line.find(" member node=") != std::string::npos;
    });
  }

  static std::set<std::string> ids(const Cluster& cluster) {
    std::set<std::string> all;
    for (unsigned i = 0; i < cluster.size(); ++i) all.insert(cluster.health(i)["node"].GetString());
    return all;
  }
  static void exchange_directories(Cluster& cluster, unsigned a, unsigned b) {
    const std::string between = cluster.node(a).data() + ".other";
    std::filesystem::rename(cluster.node(a).data(), between);
    std::filesystem::rename(cluster.node(b).data(), cluster.node(a).data());
    std::filesystem::rename(between, cluster.node(b).data());
  }
  void assert_same(const Cluster& cluster, const std::set<std::string>& before) {
    cluster.await_quorum();
    CPPUNIT_ASSERT(ids(cluster) == before);
    for (unsigned i = 0; i < cluster.size(); ++i) {
      assert_write(cluster, history_, i, "from" + std::to_string(i), "after");
      eventually("two of three are needed",
                 [&] { return cluster.health(i)["quorum"]["needed"].GetUint() == 2; });
    }
    (void)assert_converges(cluster, history_);
  }

  static std::ptrdiff_t known(const Cluster& cluster, unsigned i) {
    const auto health = cluster.health(i);
    const auto peers = health["peers"].GetArray();
    return std::count_if(peers.Begin(), peers.End(),
                         [](const auto& peer) { return peer["id"].GetStringLength() > 0; });
  }
  void assert_unknown(const Cluster& cluster) {
    CPPUNIT_ASSERT(write(cluster, history_, 0, "k", "minority") == Outcome::kUnknown);
    CPPUNIT_ASSERT(write(cluster, history_, 3, "newcomer", "minority") == Outcome::kUnknown);
  }
  void assert_all_count_all(const Cluster& cluster) {
    cluster.await_quorum();
    for (unsigned i = 0; i < 5; ++i) {
      eventually("all count all", [&] { return cluster.health(i)["quorum"]["needed"].GetUint() == 3; });
      assert_write(cluster, history_, i, "from" + std::to_string(i), "after");
    }
    (void)assert_converges(cluster, history_);
  }

  History history_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MembershipTest, "membership_test");

}  // namespace minivault::test
