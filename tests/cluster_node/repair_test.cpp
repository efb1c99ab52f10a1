// Goal: whoever missed more than a stream can tell is repaired, by what differs and no more. Method: nodes
// that are away longer than the ring remembers, lose their directory, or are asked; what they hold then, and
// how many bytes that took.

#include "tests/cluster_node/clients.h"
#include "tests/support/bytes.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

constexpr unsigned kKeys = 20'000;
constexpr unsigned kFewer = 16'000;

/// A ring that is soon overrun.
ClusterOptions forgetful() {
  return {.nodes = 3, .flags = {"-log", "16", "-procs", "1"}};
}

void fill(client::Connection& connection, unsigned keys, const std::string& value) {
  for (unsigned i = 0; i < keys; ++i) CPPUNIT_ASSERT(connection.queue_set("key " + std::to_string(i), value));
  while (connection.outstanding() > 0) CPPUNIT_ASSERT(connection.receive());
}

/// Writes one key until the ring has forgotten what was before.
void overrun_the_ring(const Cluster& cluster, unsigned i) {
  client::Connection connection = connect(cluster, i);
  const std::string value(1 << 20, 'x');
  for (int round = 0; round < 40; ++round) CPPUNIT_ASSERT(connection.set("the large one", value));
  CPPUNIT_ASSERT(connection.remove("the large one"));
}

std::uint64_t sum_of(const Cluster& cluster, unsigned i, const char* figure) {
  std::uint64_t sum = 0;
  const rapidjson::Document health = cluster.health(i);
  for (const auto& peer : health["peers"].GetArray()) sum += peer[figure].GetUint64();
  return sum;
}

std::uint64_t repaired_with_anyone(const Cluster& cluster, unsigned i) {
  return sum_of(cluster, i, "repairs");
}

std::uint64_t repaired_keys(const Cluster& cluster, unsigned i) {
  return sum_of(cluster, i, "repaired_keys");
}

bool repairs_now(const Cluster& cluster, unsigned i) {
  const rapidjson::Document health = cluster.health(i);
  const auto& peers = health["peers"].GetArray();
  return std::any_of(peers.begin(), peers.end(), [](const auto& peer) {
    return std::string_view(peer["state"].GetString()) == "repairing";
  });
}

rapidjson::Document peer_of(const Cluster& cluster, unsigned i, unsigned peer) {
  const rapidjson::Document health = cluster.health(i);
  for (const auto& each : health["peers"].GetArray()) {
    if (each["address"].GetString() != cluster.address(peer)) continue;
    rapidjson::Document found;
    found.CopyFrom(each, found.GetAllocator());
    return found;
  }
  throw std::runtime_error("no such peer");
}

bool repairs_with(const Cluster& cluster, unsigned i, unsigned peer) {
  return peer_of(cluster, i, peer)["state"] == "repairing";
}

bool repaired_with(const Cluster& cluster, unsigned i, unsigned peer) {
  return peer_of(cluster, i, peer)["repairs"].GetUint64() > 0;
}

/// Node i stands where the stream of `origin` ends.
bool has_all_of(const Cluster& cluster, unsigned i, unsigned origin) {
  const rapidjson::Document its = peer_of(cluster, origin, i);
  return its["state"] == "streaming" && its["lag_bytes"].GetUint64() == 0;
}

bool owes(const Cluster& cluster, unsigned i, unsigned peer) {
  return peer_of(cluster, i, peer)["repair_owed"].GetBool();
}

bool owes_repair(const Cluster& cluster, unsigned i) {
  const rapidjson::Document health = cluster.health(i);
  const auto& peers = health["peers"].GetArray();
  return std::any_of(peers.begin(), peers.end(),
                     [](const auto& peer) { return peer["repair_owed"].GetBool(); });
}

std::uint64_t durable(const Cluster& cluster, unsigned i) {
  return cluster.health(i)["log"]["durable"].GetUint64();
}

/// Of this life's log.
std::vector<std::string> lines_with(Cluster& cluster, unsigned i, const std::string& text) {
  std::vector<std::string> lines = cluster.node(i).supervisor().lines();
  std::erase_if(lines, [&](const std::string& line) { return line.find(text) == std::string::npos; });
  return lines;
}

void await_line(Cluster& cluster, unsigned i, const std::string& text) {
  eventually("node " + std::to_string(i) + " says" + text,
             [&] { return !lines_with(cluster, i, text).empty(); });
}

std::uint64_t figure_in(const std::string& line, const std::string& name) {
  return std::stoull(line.substr(line.find(name) + name.size()));
}

/// How far the repair under way is, as health says; negative: none is shown.
double repair_share(const Cluster& cluster, unsigned i) {
  const auto of = static_cast<double>(sum_of(cluster, i, "repair_keys_of"));
  return of == 0 ? -1 : static_cast<double>(sum_of(cluster, i, "repair_keys")) / of;
}

/// In the middle of a fill of kFewer keys: in the log line, in health, and where people look.
void assert_progress(const Cluster& cluster, const std::string& told) {
  // The ring was overrun with one key that is deleted: its tombstone counts.
  CPPUNIT_ASSERT_MESSAGE(told, figure_in(told, " of=") >= kFewer && figure_in(told, " of=") <= kFewer + 1);
  CPPUNIT_ASSERT_MESSAGE(told, figure_in(told, " keys=") < kFewer);  // 0 where the first page was slow
  const double share = repair_share(cluster, 2);
  CPPUNIT_ASSERT_MESSAGE(std::to_string(share), share > 0 && share < 1);
  const std::string address = "127.0.0.1:" + std::to_string(cluster.port(2));
  for (const char* command : {"cluster", "status"}) {
    const Finished shown = run({minivault_binary(), command, address});
    CPPUNIT_ASSERT_MESSAGE(shown.out, shown.out.find("% ") != std::string::npos);
  }
}

bool is_complete(const Cluster& cluster, unsigned i) {
  return cluster.health(i)["complete"].GetBool();
}

}  // namespace

class RepairTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RepairTest);
  CPPUNIT_TEST(away_longer_than_the_ring_remembers);
  CPPUNIT_TEST(few_differences_cost_little);
  CPPUNIT_TEST(a_lost_directory_is_filled_again);
  CPPUNIT_TEST(a_value_of_the_largest_size_is_filled_too);
  CPPUNIT_TEST(a_new_node_is_filled_before_it_answers);
  CPPUNIT_TEST(one_of_three_does_not_fill_a_fourth);
  CPPUNIT_TEST(newborns_that_took_writes_are_not_taken_for_empty);
  CPPUNIT_TEST(a_repair_can_be_asked_for);
  CPPUNIT_TEST(killed_in_the_middle_it_goes_on_where_it_was);
  CPPUNIT_TEST(what_is_owed_is_paid_by_the_next_life);
  CPPUNIT_TEST(who_falls_silent_keeps_nobody_back);
  CPPUNIT_TEST(what_is_owed_to_a_dead_node_comes_from_others);
  CPPUNIT_TEST(a_majority_of_newborns_waits_a_while_for_the_rest);
  CPPUNIT_TEST(all_is_compared_each_interval);
  CPPUNIT_TEST(the_last_copy_of_a_forgotten_node_spreads);
  CPPUNIT_TEST_SUITE_END();

 public:
  /// Sets, overwrites and deletes that no stream will bring.
  void away_longer_than_the_ring_remembers() {
    Cluster cluster(forgetful());
    cluster.await_quorum();
    for (const char* key : {"kept", "overwritten", "deleted"}) assert_set(cluster, 0, key, "before");
    const Content before = cluster.converge();
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, before.size());
    cluster.stop(2);  // in order: nothing else makes anybody look
    assert_set(cluster, 0, "overwritten", "after");
    assert_set(cluster, 1, "new", "after");
    CPPUNIT_ASSERT(connect(cluster, 1).remove("deleted"));
    overrun_the_ring(cluster, 0);
    overrun_the_ring(cluster, 1);
    cluster.start(2);
    const Content after = cluster.converge();
    CPPUNIT_ASSERT((after == Content{{"kept", "before"}, {"overwritten", "after"}, {"new", "after"}}));
  }

  void few_differences_cost_little() {
    Cluster cluster(forgetful());
    cluster.await_quorum();
    client::Connection first = connect(cluster, 0);
    fill(first, kKeys, std::string(100, 'v'));
    (void)cluster.converge();
    cluster.kill(2);
    for (unsigned i = 0; i < 20; ++i) assert_set(cluster, 0, "key " + std::to_string(i * 997), "changed");
    overrun_the_ring(cluster, 0);
    overrun_the_ring(cluster, 1);
    const auto moved = [&] {
      std::uint64_t bytes = 0;
      for (const unsigned i : {0U, 1U}) bytes += cluster.bytes(i, 2) + cluster.bytes(2, i);
      return bytes;
    };
    const std::uint64_t before = moved();
    cluster.start(2);
    (void)cluster.converge();
    // All of the data is 2.8 MB; each of the pairs' repairs costs some 20 ranges of 256 keys at most.
    CPPUNIT_ASSERT_MESSAGE(std::to_string(moved() - before) + " bytes", moved() - before < 1'200'000);
  }

  void a_lost_directory_is_filled_again() {
    Cluster cluster(forgetful());
    cluster.await_quorum();
    client::Connection first = connect(cluster, 0);
    fill(first, 2'000, "value");
    const Content before = cluster.converge();
    cluster.stop(2);
    cluster.wipe(2);
    cluster.start(2);
    CPPUNIT_ASSERT(cluster.converge() == before);
    cluster.await_quorum();
    // The new id took the place of the old one: a majority is what it was.
    for (unsigned i = 0; i < cluster.size(); ++i) {
      eventually("node " + std::to_string(i) + " needs 2 copies",
                 [&] { return cluster.health(i)["quorum"]["needed"].GetUint() == 2; });
    }
    eventually("complete", [&] { return is_complete(cluster, 2); });
  }

  /// Small records before it, as many as a page holds: nobody takes a message of these and it. A log of this
  /// size has values so large that a message with one has no room for a page beside it.
  void a_value_of_the_largest_size_is_filled_too() {
    Cluster cluster({.nodes = 3, .flags = {"-log", "36", "-procs", "1"}});
    cluster.await_quorum();
    const std::uint64_t largest = cluster.health(0)["log"]["largest_value"].GetUint64();
    CPPUNIT_ASSERT(largest > (8U << 20));
    std::mt19937_64 random(seed());
    client::Connection first = connect(cluster, 0);
    fill(first, 190, random_bytes(random, 5'000));
    CPPUNIT_ASSERT(first.set("key of the largest", random_bytes(random, largest - 20)));
    for (const unsigned i : {0U, 1U}) overrun_the_ring(cluster, i);
    const Content before = cluster.converge();
    CPPUNIT_ASSERT_EQUAL(std::size_t{191}, before.size());
    cluster.stop(2);
    cluster.wipe(2);
    cluster.start(2);
    CPPUNIT_ASSERT(cluster.converge() == before);
    eventually("complete", [&] { return is_complete(cluster, 2); });
  }

  void a_new_node_is_filled_before_it_answers() {
    Cluster cluster({.nodes = 3, .flags = {"-log", "16", "-procs", "1"}, .start = false});
    cluster.start(0);
    cluster.start(1);
    cluster.await_reachable(0, 2);
    client::Connection first = connect(cluster, 0);
    fill(first, 5'000, "value");
    overrun_the_ring(cluster, 0);
    cluster.start(2);
    // From its first moment on no key is missing: it asks, until it is full.
    client::Connection newcomer = connect(cluster, 2);
    do {
      for (const unsigned i : {0U, 1'234U, 4'999U}) {
        const Result<std::string> value = newcomer.get("key " + std::to_string(i));
        CPPUNIT_ASSERT_EQUAL(std::string("value"), value ? *value : value.error().message);
      }
    } while (!is_complete(cluster, 2));
    (void)cluster.converge();
  }

  /// It is complete, and has missed what the other two acknowledged; the newcomer meets it first.
  void one_of_three_does_not_fill_a_fourth() {
    Cluster cluster({.nodes = 4, .flags = {"-procs", "1"}, .start = false});
    const std::string old = cluster.address(2) + ',' + cluster.address(0) + ',' + cluster.address(1);
    for (unsigned i = 0; i < 3; ++i) cluster.start(i, {{"CLUSTER_NODES", old}});
    for (unsigned i = 0; i < 3; ++i) eventually("complete", [&] { return is_complete(cluster, i); });
    for (const unsigned i : {2U, 3U}) {
      for (const unsigned other : {0U, 1U}) cluster.disconnect(i, other);
    }
    cluster.await_reachable(0, 2);
    std::mt19937_64 random(seed());
    for (unsigned i = 0; i < 50; ++i) {
      assert_set(cluster, 0, "key " + std::to_string(i), random_bytes(random, 40'000));
    }
    cluster.start(3, {{"CLUSTER_NODES", old}});
    eventually("it was repaired with one", [&] { return repaired_with_anyone(cluster, 3) > 0; });
    CPPUNIT_ASSERT(!is_complete(cluster, 3));
    for (const unsigned other : {0U, 1U}) {
      cluster.heal(3, other);
      cluster.set(other, 3,
                  Faults{.bytes_per_second = 400'000});  // some seconds, in which it lacks something
    }
    eventually(
        "complete", [&] { return is_complete(cluster, 3); }, kPatience * 3);
    CPPUNIT_ASSERT_EQUAL(std::size_t{50}, parse_dump(cluster.dump(3)).size());
  }

  /// None of the three is complete when the third comes: two have waited for it, but not in vain for clients.
  void newborns_that_took_writes_are_not_taken_for_empty() {
    Cluster cluster({.nodes = 3, .flags = {"-procs", "1"}, .start = false});
    cluster.start(0);
    cluster.start(1);
    cluster.await_reachable(0, 2);
    client::Connection first = connect(cluster, 0);
    std::mt19937_64 random(seed());
    const std::string value = random_bytes(random, 200'000);
    CPPUNIT_ASSERT(first.set("before", value));
    assert_set(cluster, 0, "last", "value");
    // What it lacks comes slowly, so that it is asked while it lacks it.
    for (const unsigned i : {0U, 1U}) cluster.set(i, 2, Faults{.bytes_per_second = 50'000});
    cluster.start(2);
    cluster.await_reachable(2, 3);
    client::Connection newcomer = connect(cluster, 2);
    const Result<std::string> last = newcomer.get("last");
    CPPUNIT_ASSERT_EQUAL(std::string("value"), last ? *last : last.error().message);
    cluster.heal();
    (void)cluster.converge();
    for (const unsigned i : {0U, 1U, 2U}) eventually("complete", [&] { return is_complete(cluster, i); });
  }

  void a_repair_can_be_asked_for() {
    Cluster cluster(forgetful());
    cluster.await_quorum();
    assert_set(cluster, 0, "k", "v");
    (void)cluster.converge();
    const std::uint64_t before = repaired_with_anyone(cluster, 1);
    const std::string address = "127.0.0.1:" + std::to_string(cluster.port(1));
    const Finished asked = run({minivault_binary(), "repair", address});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(asked.err, 0, asked.status);
    eventually("two repairs more", [&] { return repaired_with_anyone(cluster, 1) >= before + 2; });
    const Finished shown = run({minivault_binary(), "cluster", address});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(shown.err, 0, shown.status);
    CPPUNIT_ASSERT_MESSAGE(shown.out,
                           shown.out.find("a write needs 2 copies, 3 can be had") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(shown.out, shown.out.find(cluster.address(0)) != std::string::npos);
  }

  /// Not faster than it may, told while it goes on; and what has come does not come again.
  void killed_in_the_middle_it_goes_on_where_it_was() {
    ClusterOptions options = forgetful();
    options.environment = {{"MINIVAULT_REPAIR_RATE", "512KB"}};
    Cluster cluster(options);
    cluster.await_quorum();
    client::Connection first = connect(cluster, 0);
    std::mt19937_64 random(seed());
    fill(first, kFewer, random_bytes(random, 500));  // 8 MB: sixteen seconds
    overrun_the_ring(cluster, 0);
    const Content before = cluster.converge();
    cluster.stop(2);
    cluster.wipe(2);
    cluster.start(2);
    eventually("it is shown", [&] { return repairs_now(cluster, 2) && repaired_keys(cluster, 2) > 0; });
    eventually("some of it has come", [&] { return durable(cluster, 2) > 3'000'000; });
    await_line(cluster, 2, " repairing ");
    const std::string told = lines_with(cluster, 2, " repairing ").front();
    CPPUNIT_ASSERT_MESSAGE(told, figure_in(told, " bytes=") <= figure_in(told, " ms=") * 525);
    assert_progress(cluster, told);
    CPPUNIT_ASSERT(!is_complete(cluster, 2));
    cluster.kill(2);
    cluster.start(2, {{"MINIVAULT_REPAIR_RATE", "0"}});
    eventually("complete", [&] { return is_complete(cluster, 2); });
    const std::uint64_t moved = repaired_keys(cluster, 2);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(moved), moved < kFewer);
    CPPUNIT_ASSERT(cluster.converge() == before);
    const std::string ended = lines_with(cluster, 2, " repaired ").front();
    const std::uint64_t done = figure_in(ended, " keys=");
    CPPUNIT_ASSERT_MESSAGE(ended, done == kFewer || done == kFewer + 1);  // and a tombstone
    eventually("no progress is shown of what has ended", [&] { return repair_share(cluster, 2) < 0; });
  }

  /// The debt of a jump is a note. All stops are in order: nothing else makes anybody look.
  void what_is_owed_is_paid_by_the_next_life() {
    ClusterOptions options = forgetful();
    options.environment = {{"MINIVAULT_REPAIR_RATE", "64KB"}};
    Cluster cluster(options);
    cluster.await_quorum();
    cluster.stop(2);
    client::Connection first = connect(cluster, 0);
    std::mt19937_64 random(seed());
    fill(first, kFewer, random_bytes(random, 500));  // some pages: a minute at this rate
    for (const unsigned i : {0U, 1U}) overrun_the_ring(cluster, i);
    cluster.start(2);
    await_line(cluster, 0, " stream_jumps ");
    eventually("a repair goes on", [&] { return repairs_now(cluster, 2); });
    eventually("health says that it is owed", [&] { return owes_repair(cluster, 2); });
    cluster.stop(2);
    cluster.start(2, {{"MINIVAULT_REPAIR_RATE", "0"}});
    CPPUNIT_ASSERT_EQUAL(std::size_t{kFewer}, cluster.converge().size());
    eventually("nothing is owed", [&] { return !owes_repair(cluster, 2); });
  }

  /// Two repairs are owed, and the peer of the first says no more, in the middle of it.
  void who_falls_silent_keeps_nobody_back() {
    ClusterOptions options = forgetful();
    options.environment = {{"MINIVAULT_REPAIR_RATE", "512KB"}};
    Cluster cluster(options);
    cluster.await_quorum();
    cluster.stop(2);
    client::Connection first = connect(cluster, 0);
    std::mt19937_64 random(seed());
    fill(first, kFewer, random_bytes(random, 500));  // sixteen seconds
    for (const unsigned i : {0U, 1U}) overrun_the_ring(cluster, i);
    cluster.start(2);
    unsigned silent = 0;
    eventually("a repair goes on", [&] {
      silent = repairs_with(cluster, 2, 1) ? 1 : 0;
      return repairs_now(cluster, 2) && repaired_keys(cluster, 2) > 0;
    });
    cluster.partition(2, silent);
    const unsigned other = 1 - silent;
    eventually(
        "the other one is repaired with", [&] { return repaired_with(cluster, 2, other); }, 4 * kPatience);
    CPPUNIT_ASSERT(!repaired_with(cluster, 2, silent));
    CPPUNIT_ASSERT(owes_repair(cluster, 2));
    cluster.heal();
    eventually(
        "nothing is owed", [&] { return !owes_repair(cluster, 2); }, 4 * kPatience);
    CPPUNIT_ASSERT_EQUAL(std::size_t{kFewer}, cluster.converge().size());
  }

  /// Node 2 has missed what 0 and 1 acknowledged; a crash of 0 makes its streams jump; and it dies before 2
  /// has repaired with it. Then 1 and 2 stand at one place of its stream, and 1 alone has what was
  /// acknowledged.
  void what_is_owed_to_a_dead_node_comes_from_others() {
    ClusterOptions options = forgetful();
    options.environment = {{"MINIVAULT_REPAIR_RATE", "256KB"}};
    Cluster cluster(options);
    cluster.await_quorum();
    (void)cluster.converge();
    cluster.isolate(2);
    cluster.await_reachable(0, 2);
    client::Connection first = connect(cluster, 0);
    std::mt19937_64 random(seed());
    fill(first, kFewer, random_bytes(random, 500));  // half a minute
    cluster.kill(0);
    cluster.start(0);
    await_line(cluster, 0, " stream_jumps ");
    eventually("node 1 lacks nothing", [&] { return has_all_of(cluster, 1, 0) && !owes(cluster, 1, 0); });
    cluster.heal();
    eventually("node 2 owes node 0 a repair", [&] { return owes(cluster, 2, 0); });
    eventually("it is where its stream is",
               [&] { return has_all_of(cluster, 1, 0) && has_all_of(cluster, 2, 0); });
    cluster.kill(0);
    CPPUNIT_ASSERT(parse_dump(cluster.dump(2)).size() < kFewer);
    CPPUNIT_ASSERT_EQUAL(std::size_t{kFewer}, cluster.converge(4 * kPatience).size());
    CPPUNIT_ASSERT(owes(cluster, 2, 0));  // what node 0 may have taken that was not acknowledged
    cluster.start(0);
    eventually(
        "nothing is owed", [&] { return !owes(cluster, 2, 0); }, 4 * kPatience);
  }

  /// Nobody is complete and the third never comes: two of three have all that was ever acknowledged.
  void a_majority_of_newborns_waits_a_while_for_the_rest() {
    Cluster cluster({.nodes = 3, .flags = {"-procs", "1"}, .start = false});
    const auto begun = std::chrono::steady_clock::now();
    cluster.start(0);
    cluster.start(1);
    cluster.await_reachable(0, 2);
    assert_set(cluster, 0, "k", "v");
    for (const unsigned i : {0U, 1U}) eventually("complete", [&] { return is_complete(cluster, i); });
    CPPUNIT_ASSERT(std::chrono::steady_clock::now() - begun >= std::chrono::seconds(10));
    cluster.start(2);
    cluster.await_quorum();
    CPPUNIT_ASSERT((cluster.converge() == Content{{"k", "v"}}));
  }

  void all_is_compared_each_interval() {
    Cluster cluster({.flags = {"-repair-interval", "1s", "-procs", "1"}});
    cluster.await_quorum();
    const auto all = [&] {
      std::uint64_t repairs = 0;
      for (unsigned i = 0; i < cluster.size(); ++i) repairs += repaired_with_anyone(cluster, i);
      return repairs;
    };
    const std::uint64_t before = all();
    eventually("three pairs, twice", [&] { return all() >= before + 6; });
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, repaired_keys(cluster, 0));
  }

  /// Of a forgotten node's last write one who is left has a copy, and not all of those left are there.
  void the_last_copy_of_a_forgotten_node_spreads() {
    Cluster cluster({.nodes = 4, .flags = {"-procs", "1", "-write-timeout", "500ms"}});
    cluster.await_quorum();
    eventually("first", [&] { return put(cluster, 0, "k", "first").status == 200; });
    (void)cluster.converge();
    cluster.stop(3);  // in order: everybody holds the same of its stream
    for (const unsigned i : {0U, 1U}) cluster.disconnect(i, 2);
    cluster.await_reachable(0, 2);
    CPPUNIT_ASSERT_EQUAL(503, put(cluster, 0, "k", "last").status);  // two of four have it
    await_value(cluster, 1, "k", "last");
    const std::string gone = cluster.health(0)["node"].GetString();
    cluster.kill(0);
    const Finished done = run({minivault_binary(), "cluster", "forget", gone, cluster.node(1).address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    await_line(cluster, 1, " member_forgotten ");
    cluster.heal();
    CPPUNIT_ASSERT((cluster.converge() == Content{{"k", "last"}}));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RepairTest, "repair_test");

}  // namespace minivault::test
