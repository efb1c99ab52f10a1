// Goal: who belongs to a cluster, and whose acknowledgement counts, is never guessed wrong: not by lists that
// differ, not by two names for one node, copies of directories, old directories, new disks, wrong keys.
// Method: nodes started with such lists and directories.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iostream>

#include "tests/cluster_node/clients.h"
#include "tests/support/http_assert.h"
#include "tests/support/processes.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

unsigned needed(const Cluster& cluster, unsigned i) {
  return cluster.health(i)["quorum"]["needed"].GetUint();
}

void await_needed(const Cluster& cluster, unsigned i, unsigned count) {
  eventually("node " + std::to_string(i) + " needs " + std::to_string(count),
             [&] { return needed(cluster, i) == count; });
}

std::string id(const Cluster& cluster, unsigned i) {
  return cluster.health(i)["node"].GetString();
}

std::size_t lines_with(Node& node, const std::string& text) {
  const std::vector<std::string> lines = node.supervisor().lines();
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(text) != std::string::npos;
  }));
}

}  // namespace

class IdentityTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(IdentityTest);
  CPPUNIT_TEST(lists_that_differ);
  CPPUNIT_TEST(a_node_under_two_names_counts_once);
  CPPUNIT_TEST(a_node_that_lists_itself_under_another_name);
  CPPUNIT_TEST(a_name_where_nobody_is_counts_as_a_voter);
  CPPUNIT_TEST(a_wrong_key);
  CPPUNIT_TEST(a_key_on_all);
  CPPUNIT_TEST(a_copy_of_a_directory_takes_no_writes);
  CPPUNIT_TEST(a_copy_does_not_win_against_who_is_cut_off);
  CPPUNIT_TEST(a_directory_put_back_from_an_older_copy);
  CPPUNIT_TEST(the_end_of_a_log_that_the_power_took_comes_back);
  CPPUNIT_TEST(a_node_with_new_disks_leaves_no_ghost);
  CPPUNIT_TEST(the_whole_cluster_was_off);
  CPPUNIT_TEST(a_node_is_forgotten);
  CPPUNIT_TEST(a_node_that_lives_on_is_forgotten);
  CPPUNIT_TEST_SUITE_END();

 public:
  // 0 knows 1, 1 knows 2, 2 knows nobody: all hear of all.
  void lists_that_differ() {
    Cluster cluster({.flags = {"-write-timeout", "2s"}, .start = false});
    cluster.start(2, {{"CLUSTER_NODES", ""}});
    cluster.start(1, {{"CLUSTER_NODES", cluster.address(2)}});
    cluster.start(0, {{"CLUSTER_NODES", cluster.address(1)}});
    cluster.await_quorum();
    for (unsigned i = 0; i < 3; ++i) await_needed(cluster, i, 2);
    for (unsigned i = 0; i < 3; ++i) await_write(cluster, history_, i, "k" + std::to_string(i), "v");
    (void)assert_converges(cluster, history_);
    // What was heard is remembered.
    cluster.kill(0);
    cluster.kill(1);
    cluster.stop(2);
    cluster.start(2, {{"CLUSTER_NODES", ""}});
    await_needed(cluster, 2, 2);
    CPPUNIT_ASSERT_EQUAL(503, put(cluster, 2, "k", "alone").status);
  }

  void a_node_under_two_names_counts_once() {
    FaultProxy other_name(1);
    Cluster cluster({.start = false});
    const std::string list = cluster.addresses() + "," + other_name.address();
    cluster.start(1);
    cluster.start(2);
    other_name.forward_to(cluster.port(1));
    cluster.start(0, {{"CLUSTER_NODES", list}});
    cluster.await_quorum();
    await_needed(cluster, 0, 2);
    assert_write(cluster, history_, 0, "k", "v");
    (void)assert_converges(cluster, history_);
  }

  void a_node_that_lists_itself_under_another_name() {
    FaultProxy other_name(1);
    Cluster cluster({.start = false});
    cluster.start(0, {{"CLUSTER_NODES", cluster.addresses() + "," + other_name.address()}});
    other_name.forward_to(cluster.port(0));
    cluster.start(1);
    cluster.start(2);
    cluster.await_quorum();
    await_needed(cluster, 0, 2);
    assert_write(cluster, history_, 0, "k", "v");
    (void)assert_converges(cluster, history_);
  }

  // It may be a node that others reach: until it said hello it is missing from every majority.
  void a_name_where_nobody_is_counts_as_a_voter() {
    Cluster cluster({.flags = {"-write-timeout", "500ms"}, .start = false});
    cluster.start(0);
    cluster.start(1);
    cluster.await_quorum();
    await_needed(cluster, 0, 2);
    await_write(cluster, history_, 0, "k", "v");
    cluster.kill(1);
    cluster.await_quorum();
    CPPUNIT_ASSERT(write(cluster, history_, 0, "k", "w") == Outcome::kUnknown);
  }

  void a_wrong_key() {
    Cluster cluster({.flags = {"-write-timeout", "3s"}, .auth_key = "right", .start = false});
    cluster.start(0);
    cluster.start(1);
    cluster.start(2, {{"MINIVAULT_AUTH", "wrong"}});
    cluster.await_reachable(0, 2);
    cluster.await_reachable(1, 2);
    eventually("the two go on", [&] { return put(cluster, 0, "k", "v").status == 200; });
    CPPUNIT_ASSERT_EQUAL(503, put(cluster, 2, "stranger", "v").status);
    eventually("health names it", [&] { return peer(cluster, 0, 2) == "refused"; });
    eventually("and the other side, too", [&] { return peer(cluster, 2, 0) == "refused"; });
    // Said, and not said again and again: it goes on trying meanwhile.
    const unsigned attempts = cluster.attempts(0, 2);
    eventually("it is tried again", [&] { return cluster.attempts(0, 2) > attempts + 3; });
    const std::size_t lines = lines_with(cluster.node(0), cluster.address(2));
    CPPUNIT_ASSERT_MESSAGE(std::to_string(lines) + " lines", lines >= 1 && lines <= 5);
    CPPUNIT_ASSERT(!connect(cluster, 2).get("k").has_value());
    CPPUNIT_ASSERT(!connect(cluster, 0).get("stranger").has_value());
  }

  void a_key_on_all() {
    Cluster cluster({.flags = {"-authmode", "all"}, .auth_key = "right"});
    cluster.await_quorum();
    client::Options options;
    options.auth_key = "right";
    CPPUNIT_ASSERT(connect(cluster, 0, options).set("k", "v").has_value());
    CPPUNIT_ASSERT((cluster.converge() == Content{{"k", "v"}}));
  }

  // Two nodes with one id could overwrite each other for ever: the second one is refused and says so.
  void a_copy_of_a_directory_takes_no_writes() {
    Cluster cluster({.flags = {"-write-timeout", "1s"}});
    cluster.await_quorum();
    await_write(cluster, history_, 0, "k", "v");
    (void)assert_converges(cluster, history_);
    cluster.stop(1);
    cluster.stop(2);
    copy_directory(cluster.node(1).data(), cluster.node(2).data());
    cluster.start(1);
    cluster.await_reachable(0, 2);
    cluster.start(2);
    const History::Write before_it_knows = history_.begin("copy", "v");
    eventually("the copy refuses writes", [&] {
      const HttpResponse response = put(cluster, 2, "copy", "v");
      CPPUNIT_ASSERT_EQUAL_MESSAGE(response.body, 503, response.status);
      return response.body.find("new-id") != std::string::npos;
    });
    history_.end(before_it_knows, Outcome::kUnknown);
    await_write(cluster, history_, 0, "k", "w");
    await_write(cluster, history_, 1, "k", "x");

    cluster.stop(2);
    const Finished done = run({minivault_binary(), "new-id", cluster.node(2).data()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    cluster.start(2);
    cluster.await_quorum();
    CPPUNIT_ASSERT(id(cluster, 1) != id(cluster, 2));
    await_write(cluster, history_, 2, "k", "y");
    (void)assert_converges(cluster, history_);
  }

  // The first holder of the id is silent when the copy comes: it is still the one.
  void a_copy_does_not_win_against_who_is_cut_off() {
    Cluster cluster({.flags = {"-write-timeout", "1s"}});
    cluster.await_quorum();
    cluster.stop(1);
    cluster.stop(2);
    copy_directory(cluster.node(1).data(), cluster.node(2).data());
    cluster.start(1);
    cluster.await_reachable(0, 2);
    cluster.isolate(1);
    cluster.await_reachable(0, 1);
    cluster.start(2);
    const unsigned attempts = cluster.attempts(2, 0);
    eventually("the copy has knocked", [&] { return cluster.attempts(2, 0) > attempts + 3; });
    CPPUNIT_ASSERT_EQUAL(503, put(cluster, 2, "copy", "v").status);
    cluster.heal();
    cluster.await_reachable(0, 2);
    await_written(cluster, 1);
    eventually("the copy hears of it",
               [&] { return put(cluster, 2, "copy", "v").body.find("new-id") != std::string::npos; });
  }

  // What it took since the copy was made is at the others; that they know its stream further than it does
  // must not make them take its new writes for old ones.
  void a_directory_put_back_from_an_older_copy() {
    Cluster cluster;
    cluster.await_quorum();
    const TemporaryDirectory copy;
    assert_write(cluster, history_, 0, "old", "v");
    assert_write(cluster, history_, 0, "deleted", "v");
    cluster.stop(0);
    copy_directory(cluster.node(0).data(), copy.file("data"));
    cluster.start(0);
    forget_what_is_written_since(cluster, copy.file("data"));
    for (int i = 0; i < 10; ++i) assert_write(cluster, history_, 0, "new" + std::to_string(i), "v");
    (void)assert_converges(cluster, history_);
  }

  // The same life of the node as far as it knows, but its peers have heard more of it.
  void the_end_of_a_log_that_the_power_took_comes_back() {
    Cluster cluster;
    cluster.await_quorum();
    const TemporaryDirectory copy;
    assert_write(cluster, history_, 0, "deleted", "v");
    (void)assert_converges(cluster, history_);
    copy_while_it_stands(cluster.node(0), copy.file("data"));
    forget_what_is_written_since(cluster, copy.file("data"));
    // It vouches for nothing before it has that again: no floor may pass what it lacks.
    eventually("it knows", [&] { return lines_with(cluster.node(0), "older_than_its_peers_know") == 1; });
    for (int i = 0; i < 10; ++i) assert_write(cluster, history_, 0, "new" + std::to_string(i), "v");
    (void)assert_converges(cluster, history_);
    cluster.await_quorum();
  }

  // A new id at a member's address takes its place: else two of three, then two of four would be the
  // majority.
  void a_node_with_new_disks_leaves_no_ghost() {
    Cluster cluster;
    cluster.await_quorum();
    assert_write(cluster, history_, 0, "k", "v");
    for (int round = 0; round < 2; ++round) {
      const std::string before = id(cluster, 2);
      cluster.kill(2);
      cluster.wipe(2);
      cluster.start(2);
      cluster.await_quorum();
      CPPUNIT_ASSERT(id(cluster, 2) != before);
      for (unsigned i = 0; i < 3; ++i) await_needed(cluster, i, 2);
    }
    cluster.kill(2);
    cluster.await_quorum();
    assert_write(cluster, history_, 0, "k", "w");  // two of three
    cluster.start(2);
    (void)assert_converges(cluster, history_);
  }

  // However long: what decides is what each member is known to hold, not the time. What one of them had not
  // heard of is no ghost a month later, and what it had not heard deleted does not come back.
  void the_whole_cluster_was_off() {
    Cluster cluster({.flags = {"-tombstone-ttl", "1h"}});
    cluster.await_quorum();
    for (int i = 0; i < 20; ++i) assert_write(cluster, history_, 0, "k" + std::to_string(i), "v");
    for (int i = 0; i < 10; ++i) assert_write(cluster, history_, 1, "k" + std::to_string(i), std::nullopt);
    (void)assert_converges(cluster, history_);
    cluster.isolate(2);
    cluster.await_reachable(0, 2);
    assert_write(cluster, history_, 0, "unheard of", "v");
    assert_write(cluster, history_, 0, "k15", std::nullopt);
    for (unsigned i = 0; i < 3; ++i) cluster.stop(i);
    cluster.heal();
    for (unsigned i = 0; i < 3; ++i) cluster.set_clock(i, std::chrono::hours(24 * 30));
    cluster.start_all();
    await_write(cluster, history_, 2, "k16", "w");
    (void)assert_converges(cluster, history_);
  }

  void a_node_is_forgotten() {
    Cluster cluster({.flags = {"-write-timeout", "1s", "-procs", "1"}, .start = false});
    cluster.start(0, {{"CLUSTER_NODES", cluster.address(1)}});
    cluster.start(1, {{"CLUSTER_NODES", cluster.address(0)}});
    cluster.start(2, {{"CLUSTER_NODES", cluster.address(0)}});
    cluster.await_quorum();
    await_write(cluster, history_, 2, "k", "v");
    (void)assert_converges(cluster, history_);
    const std::string gone = id(cluster, 2);
    cluster.kill(2);
    const Finished done = run({minivault_binary(), "cluster", "forget", gone, cluster.node(0).address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    // Asked of the worker that said it is gone: another one may say for 100 ms what was before.
    const Finished list = run({minivault_binary(), "cluster", cluster.node(0).address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(list.err, 0, list.status);
    CPPUNIT_ASSERT_MESSAGE(list.out, list.out.find(cluster.address(1)) != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(list.out, list.out.find(cluster.address(2)) == std::string::npos);
    await_write(cluster, history_, 1, "k", "w");
    // It comes back, is refused, and cannot get a write acknowledged.
    cluster.start(2, {{"CLUSTER_NODES", cluster.address(0)}});
    CPPUNIT_ASSERT_EQUAL(503, put(cluster, 2, "k", "ghost").status);
    await_value(cluster, 0, "k", "w");
    CPPUNIT_ASSERT_EQUAL(2U, needed(cluster, 0));
  }

  // Nothing of it comes in any more: not by its streams, not by its repairs.
  void a_node_that_lives_on_is_forgotten() {
    Cluster cluster({.flags = {"-write-timeout", "1s", "-procs", "1"}});
    cluster.await_quorum();
    await_write(cluster, history_, 2, "k", "v");
    (void)assert_converges(cluster, history_);
    const std::string gone = id(cluster, 2);
    const Finished done = run({minivault_binary(), "cluster", "forget", gone, cluster.node(0).address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    for (const unsigned i : {0U, 1U}) {
      eventually("it is refused and has hung up",
                 [&] { return peer(cluster, 2, i) == "refused" && connections(cluster, 2, i) == 0; });
    }
    CPPUNIT_ASSERT_EQUAL(503, put(cluster, 2, "k", "ghost").status);
    CPPUNIT_ASSERT_EQUAL(503, put(cluster, 2, "ghost", "v").status);
    const Finished asked = run({minivault_binary(), "repair", cluster.node(2).address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(asked.err, 0, asked.status);
    // What was to come would have by the time two repairs between the others have ended.
    const std::uint64_t before = repairs(cluster, 0, 1);
    for (std::uint64_t more = 1; more <= 2; ++more) {
      const Finished again = run({minivault_binary(), "repair", cluster.node(0).address()});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(again.err, 0, again.status);
      eventually("0 has repaired with 1", [&] { return repairs(cluster, 0, 1) >= before + more; });
    }
    await_write(cluster, history_, 1, "k", "w");
    for (const unsigned i : {0U, 1U}) {
      await_value(cluster, i, "k", "w");
      const Result<std::string> none = connect(cluster, i).get("ghost");
      CPPUNIT_ASSERT_MESSAGE("the forgotten node's write came in", !none);
    }
    CPPUNIT_ASSERT_EQUAL(2U, needed(cluster, 0));
  }

 private:
  /// Node 0 writes, all hear of it, and it starts again from a copy that was made before.
  void forget_what_is_written_since(Cluster& cluster, const std::string& copy) {
    for (int i = 0; i < 50; ++i) assert_write(cluster, history_, 0, "lost" + std::to_string(i), "v");
    assert_write(cluster, history_, 0, "deleted", std::nullopt);
    (void)assert_converges(cluster, history_);
    cluster.kill(0);
    copy_directory(copy, cluster.node(0).data());
    cluster.start(0);
  }

  static void await_written(const Cluster& cluster, unsigned i) {
    eventually("node " + std::to_string(i) + " gets a write acknowledged",
               [&] { return put(cluster, i, "k", "v").status == 200; });
  }

  static std::uint64_t figure(const Cluster& cluster, unsigned i, unsigned other, const char* name) {
    const auto health = cluster.health(i);
    for (const auto& entry : health["peers"].GetArray()) {
      if (entry["address"].GetString() == cluster.address(other)) return entry[name].GetUint64();
    }
    return 0;
  }
  static std::uint64_t connections(const Cluster& cluster, unsigned i, unsigned other) {
    return figure(cluster, i, other, "connections");
  }
  static std::uint64_t repairs(const Cluster& cluster, unsigned i, unsigned other) {
    return figure(cluster, i, other, "repairs");
  }

  /// What node i's health says of its peer's state; "" where it does not know it.
  static std::string peer(const Cluster& cluster, unsigned i, unsigned other) {
    const auto health = cluster.health(i);
    for (const auto& entry : health["peers"].GetArray()) {
      if (entry["address"].GetString() == cluster.address(other)) return entry["state"].GetString();
    }
    return "";
  }

  /// As a machine's disk is when the power goes, all of what was written being on it.
  static void copy_while_it_stands(Node& node, const std::string& to) {
    std::vector<pid_t> all = node.children();
    all.insert(all.begin(), node.supervisor().pid());
    for (const pid_t pid : all) suspend(pid);
    copy_directory(node.data(), to);
    for (const pid_t pid : all) ::kill(pid, SIGCONT);
  }

  static void copy_directory(const std::string& from, const std::string& to) {
    std::filesystem::remove_all(to);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }

  History history_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(IdentityTest, "identity_test");

}  // namespace minivault::test
