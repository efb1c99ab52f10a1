// Goal: a quorum read finds what was acknowledged before it began, and readers after each other never see
// time go back; a local read is local. Method: lines so slow that nodes hold different values for long, and
// readers that go from node to node.

#include <atomic>
#include <future>
#include <iostream>

#include "tests/cluster_node/clients.h"
#include "tests/support/http_assert.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

constexpr const char* kQuorum = "X-Minivault-Consistency: quorum";
constexpr const char* kLocal = "X-Minivault-Consistency: local";

HttpResponse get(const Cluster& cluster, unsigned i, const std::string& key, const std::string& consistency) {
  return http(cluster.port(i),
              http_request("GET", "/" + key, {consistency, "Accept: application/octet-stream"}));
}

/// 0 where there is no such key.
int number(const HttpResponse& response) {
  CPPUNIT_ASSERT_MESSAGE(response.body, response.status == 200 || response.status == 404);
  return response.status == 404 ? 0 : std::stoi(response.body);
}

}  // namespace

class ReadTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReadTest);
  CPPUNIT_TEST(a_quorum_read_finds_what_was_acknowledged);
  CPPUNIT_TEST(quorum_reads_never_go_back);
  CPPUNIT_TEST(what_will_be_stamped_anew_is_not_read_before_what_it_beats);
  CPPUNIT_TEST(without_a_majority_there_are_local_reads_only);
  CPPUNIT_TEST(the_command_asks_a_quorum_too);
  CPPUNIT_TEST_SUITE_END();

 public:
  // Node 2 hears late of everything; a local read there shows that it does.
  void a_quorum_read_finds_what_was_acknowledged() {
    Cluster cluster;
    cluster.await_quorum();
    cluster.set(0, 2, {.delay = milliseconds(150)});
    int stale = 0;
    for (int i = 1; i <= 10; ++i) {
      assert_set(cluster, 0, "k", std::to_string(i));
      stale += number(get(cluster, 2, "k", kLocal)) < i ? 1 : 0;
      CPPUNIT_ASSERT_EQUAL(i, number(get(cluster, 2, "k", kQuorum)));
      if (i == 5) CPPUNIT_ASSERT(connect(cluster, 0).remove("k").has_value());
      if (i == 5) CPPUNIT_ASSERT_EQUAL(0, number(get(cluster, 2, "k", kQuorum)));
    }
    CPPUNIT_ASSERT(stale > 0);
  }

  // -async, so that values are read long before a majority has them.
  void quorum_reads_never_go_back() {
    std::mt19937_64 random(seed());
    Cluster cluster({.flags = {"-async"}});
    cluster.await_quorum();
    cluster.set(0, 1, {.delay = milliseconds(30)});
    cluster.set(0, 2, {.delay = milliseconds(60)});
    std::atomic<bool> done = false;
    std::jthread writer([&] {
      auto connection = client::Connection::open({"127.0.0.1", cluster.port(0)}, {});
      for (int i = 1; connection && !done; ++i) {
        (void)connection->set("k", std::to_string(i));
        std::this_thread::sleep_for(milliseconds(10));
      }
    });
    int last = 0;
    int back = 0;
    int steps = 0;
    for (int i = 0; i < 40; ++i) {
      const int found = number(get(cluster, static_cast<unsigned>(random() % 3), "k", kQuorum));
      back += found < last ? 1 : 0;
      steps += found > last ? 1 : 0;
      last = found;
    }
    done = true;
    CPPUNIT_ASSERT_EQUAL(0, back);
    CPPUNIT_ASSERT(steps > 5);
  }

  // 1 was written first, lies below 2, and is acknowledged by nobody; 2 is, so 1 will be stamped above it.
  // Node 2 has heard of neither when its read begins, and the first that it hears of is 1, at node 1. It
  // would bring that to its own store, which refuses: 2 is there. Were 1 the answer, time would go back
  // twice.
  void what_will_be_stamped_anew_is_not_read_before_what_it_beats() {
    Cluster cluster({.flags = {"-procs", "1", "-write-timeout", "60s"}});
    cluster.await_quorum();
    assert_set(cluster, 0, "k", "0");
    (void)cluster.converge();
    RawConnection reader(cluster.port(2));
    CPPUNIT_ASSERT_EQUAL(0, ask(reader, kQuorum));  // its worker has called the others
    stall_calls(cluster, 2, 0);
    stall_calls(cluster, 2, 1);
    reader.send(http_request("GET", "/k", {kQuorum, "Accept: application/octet-stream"}));
    await_turn(cluster, 2);
    stall_calls(cluster, 0, 1);
    stall_calls(cluster, 1, 0);
    stall_calls(cluster, 1, 2);
    auto waits = std::async(std::launch::async, [&] { return put(cluster, 1, "k", "1"); });
    await_value(cluster, 1, "k", "1");
    assert_set(cluster, 0, "k", "2");
    await_value(cluster, 2, "k", "2");
    const auto tag = [&](unsigned i) { return get(cluster, i, "k", kLocal).header("etag"); };
    CPPUNIT_ASSERT(tag(1) < tag(2));

    cluster.set_calls(2, 1, {});
    CPPUNIT_ASSERT_EQUAL(2, number(receive_http(reader)));
    CPPUNIT_ASSERT_EQUAL(2, number(get(cluster, 0, "k", kQuorum)));
    cluster.heal();
    assert_done(waits.get());
    for (unsigned i = 0; i < cluster.size(); ++i) {
      CPPUNIT_ASSERT_EQUAL(1, number(get(cluster, i, "k", kQuorum)));
    }
  }

  void without_a_majority_there_are_local_reads_only() {
    Cluster cluster({.flags = {"-write-timeout", "1500ms"}});
    cluster.await_quorum();
    assert_set(cluster, 0, "k", "1");
    (void)cluster.converge();
    cluster.isolate(2);
    assert_refused(get(cluster, 2, "k", kQuorum), 503);
    CPPUNIT_ASSERT_EQUAL(1, number(get(cluster, 2, "k", kLocal)));
    CPPUNIT_ASSERT_EQUAL(1, number(get(cluster, 0, "k", kQuorum)));
    CPPUNIT_ASSERT_EQUAL(400, get(cluster, 0, "k", "X-Minivault-Consistency: perfect").status);
  }

  void the_command_asks_a_quorum_too() {
    Cluster cluster;
    cluster.await_quorum();
    cluster.set(0, 2, {.delay = milliseconds(300)});
    assert_set(cluster, 0, "k", "new");
    const Finished got =
        run({minivault_binary(), "get", "-consistency", "quorum", cluster.node(2).address(), "k"});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(got.err, 0, got.status);
    CPPUNIT_ASSERT_EQUAL(std::string("new"), got.out);
  }

 private:
  static int ask(RawConnection& connection, const std::string& consistency) {
    connection.send(http_request("GET", "/k", {consistency, "Accept: application/octet-stream"}));
    return number(receive_http(connection));
  }
  static void stall_calls(Cluster& cluster, unsigned from, unsigned to) {
    cluster.set_calls(from, to, {.stalled = true});
  }
  /// What was sent to the node's one worker before this, on a connection that it knew, it has looked at: when
  /// it took the second request at the latest.
  static void await_turn(const Cluster& cluster, unsigned i) {
    RawConnection connection(cluster.port(i));
    for (int round = 0; round < 2; ++round) (void)ask(connection, kLocal);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReadTest, "read_test");

}  // namespace minivault::test
