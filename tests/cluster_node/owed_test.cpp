// Goal: a repair that is owed is one that began after what made it due, and until then nobody takes the
// node's word for its stream, nor does it for having all there is. Method: a real node beside fake ones that
// compare when they are told to.

#include <optional>

#include "tests/cluster_node/clients.h"
#include "tests/cluster_node/fake_node.h"
#include "tests/support/http_assert.h"

namespace minivault::test {
namespace {

ClusterOptions one_node() {
  return {.nodes = 1, .flags = {"-procs", "1", "-write-timeout", "3s"}, .start = false};
}

/// A node that was born alone, so it is complete, is joined by them.
void join(Cluster& cluster, const std::vector<FakeNode*>& others) {
  cluster.start(0, {{"CLUSTER_NODES", ""}});
  unsigned count = 1;
  for (FakeNode* other : others) {
    other->call(cluster.port(0));
    cluster.await_reachable(0, ++count);
  }
}

}  // namespace

class OwedTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(OwedTest);
  CPPUNIT_TEST(a_ghost_during_a_repair_is_owed_anew);
  CPPUNIT_TEST(before_all_is_paid_nobody_vouches);
  CPPUNIT_TEST(who_vouches_anew_says_so_though_nothing_is_written);
  CPPUNIT_TEST(whoever_owes_a_repair_says_so_too);
  CPPUNIT_TEST(a_complete_member_that_is_away_is_waited_for);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_ghost_during_a_repair_is_owed_anew() {
    FakeNode other;
    Cluster cluster(one_node());
    join(cluster, {&other});
    other.say([](FakeNode::Words& words) { words.compares = words.holds_comparisons = true; });
    drop_a_ghost(cluster, other);
    eventually("a repair begins", [&] { return other.repairs() == 1; });
    drop_a_ghost(cluster, other);
    CPPUNIT_ASSERT_EQUAL(1U, other.repairs());
    other.say([](FakeNode::Words& words) { words.holds_comparisons = false; });
    eventually("another one begins", [&] { return other.repairs() > 1; });
  }

  // Two that are complete have filled it; another one knows more of its stream, and has not been repaired
  // with.
  void before_all_is_paid_nobody_vouches() {
    FakeNode first;
    FakeNode second;
    FakeNode third;
    second.say([](FakeNode::Words& words) { words.id += 1; });
    third.say([](FakeNode::Words& words) { words.id += 2; });
    Cluster cluster(one_node());
    join(cluster, {&first, &second, &third});
    cluster.kill(0);
    for (FakeNode* other : {&first, &third}) {
      other->say([](FakeNode::Words& words) { words.compares = true; });
    }
    second.say([](FakeNode::Words& words) { words.knows_more = true; });
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    cluster.await_reachable(0, 4);
    eventually("it is filled",
               [&] { return first.repairs() > 0 && cluster.health(0)["complete"].GetBool(); });
    for (int i = 0; i < 5; ++i) {
      assert_done(put(cluster, 0, "k", "v"));
      const unsigned pulses = first.pulses();
      eventually("it looks around", [&] { return first.pulses() > pulses + 1; });
    }
    CPPUNIT_ASSERT_EQUAL(1U, first.repairs());  // what was paid is not paid once more
    for (const FakeNode::Record& record : first.records()) {
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, record.vouched);
    }
    second.say([](FakeNode::Words& words) { words.compares = true; });
    eventually("it vouches", [&] { return first.vouched() != 0; });
  }

  // What it has forgotten it hears from one of them when that one comes back, and the stream to the other
  // goes on.
  void who_vouches_anew_says_so_though_nothing_is_written() {
    FakeNode first;
    FakeNode second;
    second.say([](FakeNode::Words& words) { words.id += 1; });
    Cluster cluster(one_node());
    join(cluster, {&first, &second});
    assert_done(put(cluster, 0, "k", "v"));
    eventually("it vouches, and has nothing more to say",
               [&] { return first.batches() == 1 && first.vouched() != 0 && second.vouched() != 0; });
    const std::uint64_t before = first.vouched();
    second.say([](FakeNode::Words& words) { words.has_removed_caller = true; });
    cluster.await_reachable(0, 2);
    second.say([](FakeNode::Words& words) {
      words.has_removed_caller = false;
      words.knows_more = true;
    });
    eventually("it has forgotten something", [&] { return !cluster.health(0)["complete"].GetBool(); });
    second.say([](FakeNode::Words& words) { words.knows_more = false; });
    for (FakeNode* other : {&first, &second}) {
      other->say([](FakeNode::Words& words) { words.compares = true; });
    }
    eventually("it vouches anew", [&] { return first.vouched() > before; });
    CPPUNIT_ASSERT_EQUAL(1U, first.batches());
  }

  // By the word of the one that lacks something; of a build that does not know the question nothing is told.
  void whoever_owes_a_repair_says_so_too() {
    FakeNode other;
    other.say([](FakeNode::Words& words) { words.knows_no_debts = words.lacks = true; });
    Cluster cluster(one_node());
    join(cluster, {&other});
    assert_done(put(cluster, 0, "k", "v"));
    const auto lacks = [&] { return cluster.health(0)["peers"][0]["lacks_repair"].GetBool(); };
    const unsigned refused = other.debts();
    eventually("it was asked", [&] { return other.debts() > refused + 1; });
    CPPUNIT_ASSERT(!lacks());
    CPPUNIT_ASSERT_EQUAL(0U, cluster.health(0)["peers"][0]["errors"].GetUint());
    other.say([](FakeNode::Words& words) { words.knows_no_debts = false; });
    eventually("it is told", lacks);
    const std::string address = cluster.node(0).address();
    const Finished shown = run({minivault_binary(), "cluster", address});
    CPPUNIT_ASSERT_MESSAGE(shown.out, shown.out.find("  lacks   ") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(shown.out,
                           shown.out.find("1 of its peers may lack writes of its own") != std::string::npos);
    other.say([](FakeNode::Words& words) { words.lacks = false; });
    eventually("it is over", [&] { return !lacks(); });
  }

  // Who is there is a newborn like the node itself. The other one said that it is complete before it went:
  // the two may lack what it has, and are no majority of those who have nothing, however long they wait.
  void a_complete_member_that_is_away_is_waited_for() {
    FakeNode here;
    std::optional<FakeNode> away(std::in_place);
    here.say([](FakeNode::Words& words) { words.complete = false; });
    away->say([](FakeNode::Words& words) { words.id += 1; });
    Cluster cluster(one_node());
    cluster.start(0, {{"CLUSTER_NODES", here.address() + ',' + away->address()}});
    cluster.await_reachable(0, 3);
    away.reset();
    cluster.await_reachable(0, 2);
    here.say([](FakeNode::Words& words) { words.compares = true; });
    eventually("it was repaired with who is there",
               [&] { return cluster.health(0)["peers"][0]["repairs"].GetUint64() > 0; });
    eventually("a majority of newborns had waited long enough",
               [&] { return cluster.health(0)["uptime_seconds"].GetUint64() > 13; });
    CPPUNIT_ASSERT(!cluster.health(0)["complete"].GetBool());
    here.say([](FakeNode::Words& words) { words.complete = true; });
    eventually("it was repaired with one that lacks nothing",
               [&] { return cluster.health(0)["complete"].GetBool(); });
  }

 private:
  /// Whatever is told of the write.
  static void drop_a_ghost(const Cluster& cluster, FakeNode& other) {
    other.say([](FakeNode::Words& words) { words.drops_ghosts = true; });
    (void)put(cluster, 0, "k", "v");
    other.say([](FakeNode::Words& words) { words.drops_ghosts = false; });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(OwedTest, "owed_test");

}  // namespace minivault::test
