// Goal: a write that a peer finds older than what it holds is acknowledged with a newer record of it, or not
// at all, whatever is lost or dies meanwhile. Method: a real node beside a fake one, which says what it
// holds.

#include <csignal>
#include <fstream>
#include <future>
#include <thread>

#include "tests/cluster_node/beside_fakes.h"

namespace minivault::test {

class ConflictTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ConflictTest);
  CPPUNIT_TEST(a_write_that_came_too_late_is_acknowledged_anew);
  CPPUNIT_TEST(of_two_that_came_too_late_the_later_stays_the_later);
  CPPUNIT_TEST(a_write_on_a_condition_that_came_too_late_is_not_done);
  CPPUNIT_TEST(what_was_told_when_nobody_was_needed_is_decided);
  CPPUNIT_TEST(what_was_told_at_once_is_decided_after_a_reload);
  CPPUNIT_TEST(a_conflict_is_heard_though_its_answer_was_lost);
  CPPUNIT_TEST(a_replicator_that_dies_leaves_conflicts_undecided);
  CPPUNIT_TEST(a_conflict_of_what_the_ring_lost_is_no_acknowledgement);
  CPPUNIT_TEST(whoever_is_alone_writes_nothing_anew);
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

  // What is held there may have been acknowledged before the condition was judged: the write does not go on
  // top of it, and neither its client nor anybody else waits for that.
  void a_write_on_a_condition_that_came_too_late_is_not_done() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "60s"}));
    cluster.start(0, {{"CLUSTER_NODES", ""}});  // it is complete, and decides conditions by itself
    other.call(cluster.port(0));
    await_reachable(cluster, 2);
    assert_done(put(cluster, 0, "k", "v"));
    const std::string seen = http(cluster.port(0), http_request("GET", "/k")).header("etag");
    const store::Version held{other.records()[0].version.hlc + (1ULL << 32U), FakeNode::Words().id};
    other.say([&](FakeNode::Words& words) { words.holds = held; });
    const auto is_beaten = [&](const std::string& key, const std::string& condition) {
      const HttpResponse answer =
          http(cluster.port(0), http_upload("PUT", "/" + key, R"({"value":1})", {condition}));
      assert_refused(answer, 503);
      CPPUNIT_ASSERT_MESSAGE(answer.body, answer.body.find("something newer") != std::string::npos);
      CPPUNIT_ASSERT_EQUAL(key, other.records().back().key);
      CPPUNIT_ASSERT(other.records().back().version < held);
    };
    is_beaten("k", "If-Match: " + seen);
    is_beaten("new", "If-None-Match: *");
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, other.records().size());
    CPPUNIT_ASSERT_EQUAL(0U, cluster.health(0)["restamped"].GetUint());
    assert_done(put(cluster, 0, "k", "w"));
    eventually("that was written anew", [&] { return cluster.health(0)["restamped"].GetUint() == 1; });
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

  // A write waits for room to be written anew, and before there is any the other one is forgotten. Then
  // nobody waits for it, and the replicator must not look after it each millisecond.
  void whoever_is_alone_writes_nothing_anew() {
    FakeNode other;
    Cluster cluster(one_node({"-write-timeout", "60s", "-log", "16"}));
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    other.call(cluster.port(0));
    await_reachable(cluster, 2);
    other.say([](FakeNode::Words& words) { words.holds_answers = words.conflicts_once = true; });
    auto waits = std::async(std::launch::async, [&] { return put(cluster, 0, "k", "v"); });
    eventually("it was sent", [&] { return other.batches() == 1; });
    const std::vector<pid_t> stopped = overfill_log(cluster);
    const auto tail = [&] { return cluster.health(0)["log"]["tail"].GetUint64(); };
    eventually("it is full", [&] {
      const std::uint64_t before = tail();
      std::this_thread::sleep_for(milliseconds(200));
      return before > 15 << 20 && tail() == before;
    });
    other.say([](FakeNode::Words& words) { words.holds_answers = false; });
    eventually("its conflict is told", [&] { return other.conflicting().origin != 0; });
    const pid_t replicator = cluster.node(0).child("replicator");
    eventually("it waits for room", [&] { return wakes_a_second(replicator) > 50; });
    ::kill(replicator, SIGSTOP);
    go_on(stopped);
    // So it finds room and this wish at once: whom it forgets it looks at before what waits.
    RawConnection writer(cluster.port(0));
    writer.send(set_frame("room", "there is"));
    await_value(cluster, 0, "room", "there is");
    const std::string id = cluster::id_text(FakeNode::Words().id);
    cluster::Hello hello;
    hello.dial_back = true;
    client::Connection wish = connect(cluster, 0);
    CPPUNIT_ASSERT(wish.sync(cluster::kHello, cluster::encode(hello)).has_value());
    CPPUNIT_ASSERT_EQUAL(std::string(1, '\0'), wish.sync(cluster::kForget, id).value());
    std::this_thread::sleep_for(milliseconds(500));  // its next look is due
    ::kill(replicator, SIGCONT);
    assert_done(waits.get());
    CPPUNIT_ASSERT_EQUAL(0U, cluster.health(0)["restamped"].GetUint());
    eventually("it sleeps", [&] { return wakes_a_second(replicator) < 50; });
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

 private:
  /// How often a process sleeps.
  static unsigned wakes_a_second(pid_t pid) {
    const auto sleeps = [pid] {
      std::ifstream stream("/proc/" + std::to_string(pid) + "/status");
      for (std::string word; stream >> word;) {
        unsigned count = 0;
        if (word == "voluntary_ctxt_switches:" && stream >> count) return count;
      }
      throw std::runtime_error("no voluntary_ctxt_switches");
    };
    const unsigned before = sleeps();
    std::this_thread::sleep_for(milliseconds(500));
    return 2 * (sleeps() - before);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ConflictTest, "conflict_test");

}  // namespace minivault::test
