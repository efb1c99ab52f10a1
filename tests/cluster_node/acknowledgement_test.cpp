// Goal: an acknowledgement counts if, and only if, it is of a member that holds this node's member set, and
// of just what it was sent. Method: a real node beside a fake one, which says what no real one would.

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <future>

#include "tests/cluster_node/clients.h"
#include "tests/cluster_node/fake_node.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/processes.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {
namespace {

ClusterOptions one_node(std::vector<std::string> flags = {"-write-timeout", "3s"}) {
  flags.insert(flags.end(), {"-procs", "1"});
  return {.nodes = 1, .flags = std::move(flags), .start = false};
}

void await_needed(const Cluster& cluster, unsigned count) {
  eventually("it needs " + std::to_string(count),
             [&] { return cluster.health(0)["quorum"]["needed"].GetUint() == count; });
}

void await_reachable(const Cluster& cluster, unsigned count) {
  cluster.await_reachable(0, count);
}

/// The node lists the other one, and they have met.
void start_beside(Cluster& cluster, const FakeNode& other) {
  cluster.start(0, {{"CLUSTER_NODES", other.address()}});
  await_reachable(cluster, 2);
}

std::size_t lines_with(Cluster& cluster, const std::string& text) {
  const std::vector<std::string> lines = cluster.node(0).supervisor().lines();
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(text) != std::string::npos;
  }));
}

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

class AcknowledgementTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(AcknowledgementTest);
  CPPUNIT_TEST(whoever_holds_another_set_does_not_count);
  CPPUNIT_TEST(just_what_was_sent_is_acknowledged);
  CPPUNIT_TEST(a_jump_acknowledges_nothing_of_before);
  CPPUNIT_TEST(a_write_that_came_too_late_is_acknowledged_anew);
  CPPUNIT_TEST(of_two_that_came_too_late_the_later_stays_the_later);
  CPPUNIT_TEST(what_was_told_when_nobody_was_needed_is_decided);
  CPPUNIT_TEST(what_was_told_at_once_is_decided_after_a_reload);
  CPPUNIT_TEST(a_conflict_is_heard_though_its_answer_was_lost);
  CPPUNIT_TEST(a_replicator_that_dies_leaves_conflicts_undecided);
  CPPUNIT_TEST(a_conflict_of_what_the_ring_lost_is_no_acknowledgement);
  CPPUNIT_TEST(nothing_is_stamped_above_what_is_no_clock);
  CPPUNIT_TEST(the_smallest_limit_is_that_of_all);
  CPPUNIT_TEST(nobody_is_a_member_before_it_answers_where_it_says);
  CPPUNIT_TEST(before_all_were_heard_nobody_vouches);
  CPPUNIT_TEST(whoever_has_forgotten_some_vouches_for_nothing);
  CPPUNIT_TEST(what_was_held_against_a_stream_is_asked_again);
  CPPUNIT_TEST(what_is_over_is_no_error);
  CPPUNIT_TEST(a_debt_that_found_no_room_is_noted_later);
  CPPUNIT_TEST(whoever_had_a_majority_keeps_its_id);
  CPPUNIT_TEST(a_repair_says_for_whom_it_is);
  CPPUNIT_TEST(who_is_removed_hangs_up_both_lines);
  CPPUNIT_TEST(no_more_are_called_than_workers_allow);
  CPPUNIT_TEST(large_records_are_bounded_and_delay_no_heartbeat);
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

  // With -async the writer was told before anybody was asked; then the node is told to wait for others, and
  // the replicator that hears of the conflict is of a time in which writers wait.
  void what_was_told_at_once_is_decided_after_a_reload() {
    const TemporaryDirectory directory;
    const std::string file = directory.file("minivault.conf");
    std::ofstream(file) << "async = true\n";
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "60s", "-config", file}));
    start_beside(cluster, other);
    other.say([](FakeNode::Words& words) { words.holds_answers = true; });
    assert_done(put(cluster, 0, "k", "v"));
    eventually("it was sent", [&] { return other.records().size() == 1; });
    other.say([](FakeNode::Words& words) { words.holds_answers = false, words.conflicts_once = true; });
    std::ofstream(file) << "async = false\n";
    cluster.node(0).reload();
    eventually("it says that it holds something newer", [&] { return other.conflicting().origin != 0; });
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "l", "v"));
    CPPUNIT_ASSERT_EQUAL(std::string("l"), other.records().back().key);
    CPPUNIT_ASSERT_EQUAL(0U, cluster.health(0)["restamped"].GetUint());
    // From now on they wait, and are judged.
    other.say([](FakeNode::Words& words) { words.conflicts_once = true; });
    auto waits = std::async(std::launch::async, [&] { return put(cluster, 0, "m", "v"); });
    eventually("it goes out again", [&] { return cluster.health(0)["restamped"].GetUint() == 1; });
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    assert_done(waits.get());
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
               [&] { return lines_with(cluster, "peer_lost peer=" + other.address()) == 1; });
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

 private:
  /// A node that was born alone, so it is complete, becomes one of three.
  static void join(Cluster& cluster, FakeNode& first, FakeNode& second) {
    second.say([](FakeNode::Words& words) { words.id += 1; });
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    first.call(cluster.port(0));
    await_reachable(cluster, 2);
    second.call(cluster.port(0));
    await_reachable(cluster, 3);
  }

  static std::string last_error(const Cluster& cluster) {
    return cluster.health(0)["peers"][0]["last_error"].GetString();
  }

  /// Until not even a small record fits in: with the checkpointer stopped, and who would end it for that.
  static std::vector<pid_t> fill_log(Cluster& cluster) {
    std::vector<pid_t> stopped{cluster.node(0).child("checkpointer"), cluster.node(0).supervisor().pid()};
    for (const pid_t pid : stopped) ::kill(pid, SIGSTOP);
    RawConnection connection(cluster.port(0));
    const std::string large = set_frame("large", std::string(1 << 20, 'v'));
    for (int i = 0; i < 14; ++i) connection.send(large);
    std::string small;
    for (int i = 0; i < 40'000; ++i) small += set_frame("small", "v");
    connection.send(small);
    eventually("it is full", [&] { return lines_with(cluster, "the log has no room") > 0; });
    return stopped;
  }

  static void go_on(const std::vector<pid_t>& stopped) {
    for (const pid_t pid : stopped) ::kill(pid, SIGCONT);
  }

  /// Sends so many writes of 1 MB without waiting for answers, and waits until they are in the log.
  static void write_large(const Cluster& cluster, RawConnection& connection, unsigned count) {
    const auto tail = [&] { return cluster.health(0)["log"]["tail"].GetUint64(); };
    const std::uint64_t end = tail() + (std::uint64_t{count} << 20U);
    const std::string frame = set_frame("large", std::string(1 << 20, 'v'));
    for (unsigned i = 0; i < count; ++i) connection.send(frame);
    eventually("all of it is in the log", [&] { return tail() >= end; });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(AcknowledgementTest, "acknowledgement_test");

}  // namespace minivault::test
