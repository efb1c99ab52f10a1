// Goal: a write that a peer finds older than what it holds is acknowledged with a newer record of it, or not
// at all, whatever is lost or dies meanwhile. Method: a real node beside a fake one, which says what it
// holds.

#include <csignal>
#include <future>

#include "tests/cluster_node/beside_fakes.h"

namespace minivault::test {

class ConflictTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ConflictTest);
  CPPUNIT_TEST(a_write_that_came_too_late_is_acknowledged_anew);
  CPPUNIT_TEST(of_two_that_came_too_late_the_later_stays_the_later);
  CPPUNIT_TEST(what_was_told_when_nobody_was_needed_is_decided);
  CPPUNIT_TEST(a_conflict_is_heard_though_its_answer_was_lost);
  CPPUNIT_TEST(a_replicator_that_dies_leaves_conflicts_undecided);
  CPPUNIT_TEST(a_conflict_of_what_the_ring_lost_is_no_acknowledgement);
  CPPUNIT_TEST(nothing_is_stamped_above_what_is_no_clock);
  CPPUNIT_TEST_SUITE_END();

 public:
  // The fake one says that it holds something newer, of a clock ahead. Nobody may be told before the write
  // has gone there again, with a version above that.
  void a_write_that_came_too_late_is_acknowledged_anew() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "20s"}));
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.conflicts_once = true; });
    auto waits = std::async(std::launch::async, [&] { return put(cluster, 0, "k", "v"); });
    eventually("it comes again", [&] { return other.records().size() == 2; });
    const std::vector<FakeNode::Record> records = other.records();
    CPPUNIT_ASSERT(records[0].key == "k" && records[1].key == "k");
    CPPUNIT_ASSERT(records[0].version < other.conflicting() && other.conflicting() < records[1].version);
    CPPUNIT_ASSERT(waits.wait_for(milliseconds(500)) == std::future_status::timeout);
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    assert_done(waits.get());
  }

  // One client wrote both, one behind the other. What beats them there comes here before the answers do.
  void of_two_that_came_too_late_the_later_stays_the_later() {
    for (const bool erases : {false, true}) {
      FakeNode other;
      Cluster cluster(one_node({"-write-timeout", "20s"}));
      start_beside(cluster, other);
      other.say([](FakeNode::Words& words) { words.holds_answers = true; });
      RawConnection writer(cluster.port(0));
      writer.send(set_frame("k", "earlier") + (erases ? delete_frame("k") : set_frame("k", "later")) +
                  set_frame("l", "behind both"));
      eventually("the first was sent", [&] { return !other.records().empty(); });
      await_value(cluster, 0, "l", "behind both");
      const store::Version held{other.records()[0].version.hlc + (1ULL << 32U), FakeNode::Words().id};
      other.bring(cluster.port(0), "k", held, "theirs");
      await_value(cluster, 0, "k", "theirs");
      other.say([&](FakeNode::Words& words) { words.holds = held, words.holds_answers = false; });
      CPPUNIT_ASSERT_EQUAL(kOk + kOk + kOk, writer.receive(15));
      const Result<std::string> left = connect(cluster, 0).get("k");
      CPPUNIT_ASSERT_EQUAL(std::string(erases ? "" : "later"), left.value_or(""));
      eventually("each key was written once more",
                 [&] { return cluster.health(0)["restamped"].GetUint() == 2; });
    }
  }

  // Its writer was told while the node was alone, before anybody came with something newer: written again,
  // above that, it would beat what was written later.
  void what_was_told_when_nobody_was_needed_is_decided() {
    FakeNode other;
    other.say([](FakeNode::Words& words) { words.conflicts_once = true; });
    Cluster cluster(one_node({"-write-timeout", "60s"}));  // after which all is decided
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    await_needed(cluster, 1);
    assert_done(put(cluster, 0, "k", "v"));
    other.call(cluster.port(0));
    eventually("all of its log is sent", [&] { return other.batches() == 1; });
    CPPUNIT_ASSERT_EQUAL(std::string("k"), other.records().front().key);
    eventually("it says that it holds something newer", [&] { return other.conflicting().origin != 0; });
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "l", "v"));
    const std::vector<FakeNode::Record> records = other.records();
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, records.size());
    CPPUNIT_ASSERT_EQUAL(std::string("l"), records.back().key);
    CPPUNIT_ASSERT_EQUAL(0U, cluster.health(0)["restamped"].GetUint());
  }

  // The position in the next hello says that the write is held, and not that it lost there.
  void a_conflict_is_heard_though_its_answer_was_lost() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "20s"}));
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.loses_answer = words.conflicts_once = true; });
    auto waits = std::async(std::launch::async, [&] { return put(cluster, 0, "k", "v"); });
    eventually("it comes again, and above what was in the way", [&] { return other.records().size() == 3; });
    const std::vector<FakeNode::Record> records = other.records();
    CPPUNIT_ASSERT(records[0].version == records[1].version);
    CPPUNIT_ASSERT(other.conflicting() < records[2].version);
    CPPUNIT_ASSERT(waits.wait_for(milliseconds(500)) == std::future_status::timeout);
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    assert_done(waits.get());
  }

  // What it knew of a conflict is gone with it; that nobody was told of the write is not.
  void a_replicator_that_dies_leaves_conflicts_undecided() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "20s"}));
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.conflicts_once = true; });
    auto waits = std::async(std::launch::async, [&] { return put(cluster, 0, "k", "v"); });
    eventually("it comes again", [&] { return other.records().size() == 2; });
    const unsigned hellos = other.hellos();
    ::kill(cluster.node(0).child("replicator"), SIGKILL);
    eventually("another one calls", [&] { return other.hellos() >= hellos + 2; });
    CPPUNIT_ASSERT(waits.wait_for(milliseconds(500)) == std::future_status::timeout);
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    assert_done(waits.get());
    CPPUNIT_ASSERT(other.conflicting() < other.records().back().version);
  }

  // The record cannot be read any more, so it is not written again, and its writer never told.
  void a_conflict_of_what_the_ring_lost_is_no_acknowledgement() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "18s"}));
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.holds_answers = words.conflicts_once = true; });
    auto waits = std::async(std::launch::async, [&] { return put(cluster, 0, "k", "lost"); });
    eventually("it was sent", [&] { return other.batches() == 1; });
    RawConnection writer(cluster.port(0));
    write_large(cluster, writer, 34);
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    assert_refused(waits.get(), 503);
    CPPUNIT_ASSERT_EQUAL(0U, cluster.health(0)["restamped"].GetUint());
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "sent"));
  }

  void nothing_is_stamped_above_what_is_no_clock() {
    FakeNode other;
    Cluster cluster(one_node());
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.holds_no_clock = true; });
    assert_refused(put(cluster, 0, "k", "v"), 503);
    eventually("it says why",  // again and again: a hello that went well empties it
               [&] { return last_error(cluster).find("more than a century above") != std::string::npos; });
    CPPUNIT_ASSERT_EQUAL(0U, cluster.health(0)["restamped"].GetUint());
    other.say([](FakeNode::Words& words) { words.holds_no_clock = false; });
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "w"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ConflictTest, "conflict_test");

}  // namespace minivault::test
