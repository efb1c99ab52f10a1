// Goal: an acknowledgement counts if, and only if, it is of a member that holds this node's member set, and
// of just what it was sent. Method: a real node beside a fake one, which says what no real one would.

#include <future>

#include "tests/cluster_node/beside_fakes.h"

namespace minivault::test {

class AcknowledgementTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(AcknowledgementTest);
  CPPUNIT_TEST(whoever_holds_another_set_does_not_count);
  CPPUNIT_TEST(just_what_was_sent_is_acknowledged);
  CPPUNIT_TEST(a_jump_acknowledges_nothing_of_before);
  CPPUNIT_TEST(the_smallest_limit_is_that_of_all);
  CPPUNIT_TEST(nobody_is_a_member_before_it_answers_where_it_says);
  CPPUNIT_TEST(before_all_were_heard_nobody_vouches);
  CPPUNIT_TEST(whoever_has_forgotten_some_vouches_for_nothing);
  CPPUNIT_TEST(whoever_had_a_majority_keeps_its_id);
  CPPUNIT_TEST_SUITE_END();

 public:
  void whoever_holds_another_set_does_not_count() {
    FakeNode other;
    Cluster cluster(one_node());
    start_beside(cluster, other);
    assert_done(put(cluster, 0, "k", "v"));
    other.say([](FakeNode::Words& words) { words.knows_another_set = true; });
    assert_refused(put(cluster, 0, "k", "w"), 503);
    await_reachable(cluster, 1);
    other.say([](FakeNode::Words& words) { words.knows_another_set = false; });
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "x"));
  }

  void just_what_was_sent_is_acknowledged() {
    FakeNode other;
    Cluster cluster(one_node());
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.acks_beyond = 8; });
    assert_refused(put(cluster, 0, "k", "v"), 503);
    other.say([](FakeNode::Words& words) { words.acks_beyond = 0; });
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "w"));
  }

  // A write waits for a peer whose stream falls out of the ring behind it. Where the stream goes on the peer
  // has everything, and of that write it never heard.
  void a_jump_acknowledges_nothing_of_before() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "18s"}));
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.holds_answers = true; });
    RawConnection writer(cluster.port(0));
    write_large(cluster, writer, 10);  // more than a stream has under way
    auto waits = std::async(std::launch::async, [&] { return put(cluster, 0, "k", "never sent"); });
    eventually("it is there and waits", [&] { return connect(cluster, 0).get("k") == "never sent"; });
    write_large(cluster, writer, 24);
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    eventually("the stream has jumped", [&] { return other.last_stream_jumped(); });
    const HttpResponse response = waits.get();
    const auto records = other.records();
    CPPUNIT_ASSERT(std::none_of(records.begin(), records.end(), [](const auto& r) { return r.key == "k"; }));
    assert_refused(response, 503);
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "sent"));
  }

  void the_smallest_limit_is_that_of_all() {
    FakeNode other;
    other.say([](FakeNode::Words& words) { words.largest_value = 1'000; });
    Cluster cluster(one_node());
    start_beside(cluster, other);
    const std::string fits(1'000, 'v');  // beside a key of one byte
    eventually("a larger one is refused", [&] { return put(cluster, 0, "l", fits + 'v').status == 413; });
    assert_done(put(cluster, 0, "f", fits));
    assert_refused(put(cluster, 0, "l", fits + 'v'), 413);
    CPPUNIT_ASSERT(!connect(cluster, 0).get("l").has_value());
  }

  // Whoever says hello is called at the address that it told; until it answers there it counts for nothing.
  void nobody_is_a_member_before_it_answers_where_it_says() {
    FakeNode other;
    other.say([](FakeNode::Words& words) { words.refuses = true; });
    Cluster cluster(one_node());
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    await_needed(cluster, 1);
    assert_done(put(cluster, 0, "k", "u"));  // its start is over: it could take a member in
    other.call(cluster.port(0));
    eventually("it is called back",
               [&] { return lines_with(cluster, "stranger_lost peer=" + other.address()) == 1; });
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, lines_with(cluster, " members=2 "));  // said before, if at all
    CPPUNIT_ASSERT_EQUAL(1U, cluster.health(0)["quorum"]["needed"].GetUint());
    assert_done(put(cluster, 0, "k", "v"));
    other.say([](FakeNode::Words& words) { words.refuses = false; });
    other.call(cluster.port(0));
    await_needed(cluster, 2);
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "w"));
  }

  // Each member may know more of a node's stream than the node's directory does. Until the last one has said
  // what it knows, no batch vouches for what came before.
  void before_all_were_heard_nobody_vouches() {
    FakeNode first;
    FakeNode second;
    Cluster cluster(one_node());
    join(cluster, first, second);
    assert_done(put(cluster, 0, "k", "v"));
    eventually("it vouches", [&] { return first.vouched() != 0 && second.vouched() != 0; });
    cluster.kill(0);
    second.say([](FakeNode::Words& words) { words.refuses = true; });
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "w"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, first.records().back().vouched);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, first.vouched());
    second.say([](FakeNode::Words& words) { words.refuses = false; });
    // Though nothing more is written.
    const std::uint64_t written = first.records().back().version.hlc;
    eventually("it does again", [&] { return first.vouched() > written && second.vouched() > written; });
  }

  void whoever_has_forgotten_some_vouches_for_nothing() {
    FakeNode first;
    FakeNode second;
    Cluster cluster(one_node());
    join(cluster, first, second);
    cluster.kill(0);
    second.say([](FakeNode::Words& words) { words.knows_more = true; });
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    await_reachable(cluster, 3);
    CPPUNIT_ASSERT(!cluster.health(0)["complete"].GetBool());
    for (int i = 0; i < 5; ++i) {
      assert_done(put(cluster, 0, "k", "v"));
      // One is acknowledged, and looks around each 200 ms.
      const unsigned pulses = first.pulses();
      eventually("some time passes", [&] { return first.pulses() > pulses + 1; });
    }
    for (const FakeNode::Record& record : first.records()) {
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, record.vouched);
    }
  }

  // Of two holders of an id it was there first: a peer that knows the other one better tells it in vain.
  void whoever_had_a_majority_keeps_its_id() {
    FakeNode other;
    Cluster cluster(one_node());
    start_beside(cluster, other);
    assert_done(put(cluster, 0, "k", "v"));
    const unsigned pulses = other.pulses();
    eventually("it has looked around", [&] { return other.pulses() > pulses + 3; });
    other.say([](FakeNode::Words& words) {
      words.reason = cluster::Reply::kIdTaken;
      words.refuses = words.ends_streams = true;
    });
    assert_refused(put(cluster, 0, "k", "w"), 503);
    eventually("it was told", [&] { return last_error(cluster) == "not now"; });
    other.say([](FakeNode::Words& words) { words.refuses = words.ends_streams = false; });
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "x"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, lines_with(cluster, "node_id_taken"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(AcknowledgementTest, "acknowledgement_test");

}  // namespace minivault::test
