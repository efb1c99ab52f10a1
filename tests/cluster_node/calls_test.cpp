// Goal: what a node calls its peers for is bounded, goes on and is told, whatever a peer answers. Method: a
// real node beside fake ones, which refuse, remove it, hold their answers or have it owe a repair.

#include <array>
#include <fstream>

#include "tests/cluster_node/beside_fakes.h"
#include "tests/support/processes.h"

namespace minivault::test {
namespace {

/// What a process has of its own, shared mappings and files left out.
std::uint64_t anonymous_bytes(pid_t pid) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/smaps_rollup");
  for (std::string word; stream >> word;) {
    std::uint64_t kilobytes = 0;
    if (word == "Anonymous:" && stream >> kilobytes) return kilobytes << 10U;
  }
  throw std::runtime_error("no smaps_rollup");
}

}  // namespace

class CallsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CallsTest);
  CPPUNIT_TEST(what_was_held_against_a_stream_is_asked_again);
  CPPUNIT_TEST(what_is_over_is_no_error);
  CPPUNIT_TEST(a_debt_that_found_no_room_is_noted_later);
  CPPUNIT_TEST(a_repair_says_for_whom_it_is);
  CPPUNIT_TEST(a_repair_finds_its_own_node_under_any_name);
  CPPUNIT_TEST(who_is_removed_hangs_up_both_lines);
  CPPUNIT_TEST(no_more_are_called_than_workers_allow);
  CPPUNIT_TEST(large_records_are_bounded_and_delay_no_heartbeat);
  CPPUNIT_TEST_SUITE_END();

 public:
  // The hello of a stream tells a node what it has no room to note: the stream stays closed, while the pulse
  // goes on. When there is room nothing but another hello tells.
  void what_was_held_against_a_stream_is_asked_again() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "2s", "-log", "16"}));
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    other.call(cluster.port(0));
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "v"));
    other.say([](FakeNode::Words& words) { words.holds_answers = true; });
    const std::vector<pid_t> stopped = fill_log(cluster);
    other.say([](FakeNode::Words& words) {
      words.forgets = 4711;
      words.ends_streams = true;
      words.holds_answers = false;
    });
    eventually("it finds no room",
               [&] { return last_error(cluster) == "the node could not be noted as a member yet"; });
    other.say([](FakeNode::Words& words) { words.ends_streams = false; });
    go_on(stopped);
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "v"));
  }

  void what_is_over_is_no_error() {
    FakeNode other;
    other.say([](FakeNode::Words& words) { words.refuses = true; });
    Cluster cluster(one_node());
    cluster.start(0, {{"CLUSTER_NODES", other.address()}});
    eventually("it says why it is not there", [&] { return last_error(cluster) == "not now"; });
    other.say([](FakeNode::Words& words) { words.refuses = false; });
    await_reachable(cluster, 2);
    eventually("it says nothing any more", [&] { return last_error(cluster).empty(); });
  }

  // Whoever sent a ghost owes a repair, also where the log had no room for the note of it.
  void a_debt_that_found_no_room_is_noted_later() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "2s", "-log", "16"}));
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    other.call(cluster.port(0));
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "v"));
    CPPUNIT_ASSERT(cluster.health(0)["complete"].GetBool());
    other.say([](FakeNode::Words& words) { words.holds_answers = true; });
    const std::vector<pid_t> stopped = fill_log(cluster);
    other.say([](FakeNode::Words& words) {
      words.drops_ghosts = true;
      words.holds_answers = false;
    });
    eventually("all of it was answered",
               [&] { return cluster.health(0)["peers"][0]["lag_bytes"].GetUint64() == 0; });
    other.say([](FakeNode::Words& words) { words.drops_ghosts = false; });
    CPPUNIT_ASSERT_EQUAL(0U, other.repairs());
    go_on(stopped);
    eventually("a repair is asked for", [&] { return other.repairs() > 0; });
  }

  // Else one that was forgotten would still bring its records by repair. And since when it runs, and did
  // before: else it is taken for a copy of itself where it was heard of a moment ago.
  void a_repair_says_for_whom_it_is() {
    FakeNode other;
    Cluster cluster(one_node());
    start_beside(cluster, other);
    assert_done(put(cluster, 0, "k", "u"));
    cluster.stop(0);
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.drops_ghosts = true; });
    assert_done(put(cluster, 0, "k", "v"));
    eventually("a repair is asked for", [&] { return other.repairs() > 0; });
    CPPUNIT_ASSERT_EQUAL(0U, other.nameless_repairs());
    eventually("its health says that it is owed",
               [&] { return cluster.health(0)["peers"][0]["repair_owed"].GetBool(); });
    CPPUNIT_ASSERT_EQUAL(1U, cluster.health(0)["repairs_owed"].GetUint());
    const std::string address = cluster.node(0).address();
    const Finished shown = run({minivault_binary(), "cluster", address});
    CPPUNIT_ASSERT_MESSAGE(shown.out,
                           shown.out.find("until it has repaired with 1 of them") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(shown.out, shown.out.find("  owed  ") != std::string::npos);
    const Finished status = run({minivault_binary(), "status", address});
    CPPUNIT_ASSERT_MESSAGE(status.out, status.out.find("  1 owed  ") != std::string::npos);
  }

  // The name is wrong and the port any that is free: it listens where it listens.
  void a_repair_finds_its_own_node_under_any_name() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "3s", "-public-url", "127.0.0.1:1"}));
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.drops_ghosts = true; });
    assert_done(put(cluster, 0, "k", "v"));
    eventually("a repair is asked for", [&] { return other.repairs() > 0; });
  }

  void who_is_removed_hangs_up_both_lines() {
    FakeNode other;
    Cluster cluster(one_node());
    start_beside(cluster, other);
    assert_done(put(cluster, 0, "k", "v"));
    other.say([](FakeNode::Words& words) { words.has_removed_caller = true; });
    eventually("it is refused, and has hung up", [&] {
      const auto health = cluster.health(0);
      const auto& peer = health["peers"][0];
      return std::string_view(peer["state"].GetString()) == "refused" && peer["connections"].GetUint() == 0;
    });
    const unsigned batches = other.batches();
    assert_refused(put(cluster, 0, "k", "w"), 503);
    CPPUNIT_ASSERT_EQUAL(batches, other.batches());
    // It asks on, and is there again should that have been a mistake.
    other.say([](FakeNode::Words& words) { words.has_removed_caller = false; });
    await_reachable(cluster, 2);
  }

  // Four connections: stream and pulse of one peer, and those of a repair.
  void no_more_are_called_than_workers_allow() {
    FakeNode first;
    FakeNode second;
    second.say([](FakeNode::Words& words) { words.id += 1; });
    Cluster cluster(one_node({"-write-timeout", "3s", "-workers", "4"}));
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    first.call(cluster.port(0));
    await_reachable(cluster, 2);
    second.call(cluster.port(0));
    eventually("it says whom it does not call",
               [&] { return lines_with(cluster, "peer_not_called peer=" + second.address()) == 1; });
    assert_done(put(cluster, 0, "k", "v"));
    CPPUNIT_ASSERT_EQUAL(0U, second.hellos());
  }

  // Two peers that take what they are sent and answer nothing: of 128 MB of large records the replicator
  // keeps what is under way, and goes on talking to both.
  void large_records_are_bounded_and_delay_no_heartbeat() {
    FakeNode first;
    FakeNode second;
    second.say([](FakeNode::Words& words) { words.id += 1; });
    Cluster cluster(one_node({"-log", "256", "-async"}));
    cluster.start(0, {{"CLUSTER_NODES", first.address() + ',' + second.address()}});
    await_reachable(cluster, 3);
    for (FakeNode* node : {&first, &second}) {
      node->say([](FakeNode::Words& words) { words.holds_answers = true; });
    }
    const std::string large(8 << 20, 'v');
    for (int i = 0; i < 16; ++i) assert_done(put(cluster, 0, "large" + std::to_string(i), large));
    // For longer than the silence that ends a pulse.
    const std::array<unsigned, 2> pulses{first.pulses(), second.pulses()};
    eventually("heartbeats go on",
               [&] { return first.pulses() > pulses[0] + 15 && second.pulses() > pulses[1] + 15; });
    const std::uint64_t bytes = anonymous_bytes(cluster.node(0).child("replicator"));
    std::cerr << "the replicator takes " << (bytes >> 20U) << " MB\n";
    CPPUNIT_ASSERT(bytes < 64ULL << 20U);
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, lines_with(cluster, "it is silent"));
    for (FakeNode* node : {&first, &second}) {
      node->say([](FakeNode::Words& words) { words.holds_answers = false; });
      eventually(
          "all of them arrive", [&] { return node->records().size() >= 16; }, kPatience * 3);
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CallsTest, "calls_test");

}  // namespace minivault::test
