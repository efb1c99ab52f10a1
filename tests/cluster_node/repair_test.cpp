// Goal: whoever missed more than a stream can tell is repaired, by what differs and no more. Method: nodes
// that are away longer than the ring remembers, lose their directory, or are asked; what they hold then, and
// how many bytes that took.

#include "tests/cluster_node/clients.h"
#include "tests/support/bytes.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

constexpr unsigned kKeys = 20'000;

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

std::uint64_t repaired_with_anyone(const Cluster& cluster, unsigned i) {
  std::uint64_t repairs = 0;
  const rapidjson::Document health = cluster.health(i);
  for (const auto& peer : health["peers"].GetArray()) repairs += peer["repairs"].GetUint64();
  return repairs;
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
  CPPUNIT_TEST(a_new_node_is_filled_before_it_answers);
  CPPUNIT_TEST(newborns_that_took_writes_are_not_taken_for_empty);
  CPPUNIT_TEST(a_repair_can_be_asked_for);
  CPPUNIT_TEST(killed_in_the_middle_it_is_finished_later);
  CPPUNIT_TEST_SUITE_END();

 public:
  /// Sets, overwrites and deletes that no stream will bring.
  void away_longer_than_the_ring_remembers() {
    Cluster cluster(forgetful());
    cluster.await_quorum();
    for (const char* key : {"kept", "overwritten", "deleted"}) assert_set(cluster, 0, key, "before");
    const Content before = cluster.converge();
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, before.size());
    cluster.kill(2);
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
    CPPUNIT_ASSERT_MESSAGE(std::to_string(moved() - before) + " bytes", moved() - before < 1'500'000);
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

  /// The debt is in the note: another life of the node pays it.
  void killed_in_the_middle_it_is_finished_later() {
    Cluster cluster(forgetful());
    cluster.await_quorum();
    client::Connection first = connect(cluster, 0);
    fill(first, kKeys, "value");
    const Content before = cluster.converge();
    cluster.stop(2);
    cluster.wipe(2);
    for (const unsigned i : {0U, 1U}) cluster.set(i, 2, Faults{.bytes_per_second = 200'000});
    const auto arrived = [&] { return cluster.bytes(0, 2) + cluster.bytes(1, 2); };
    const std::uint64_t enough = arrived() + 150'000;  // of more than 500,000
    cluster.start(2);
    eventually("some of it has come", [&] { return arrived() > enough; });
    const bool was_complete = is_complete(cluster, 2);
    cluster.kill(2);
    cluster.heal();
    cluster.start(2);
    CPPUNIT_ASSERT(cluster.converge() == before);
    eventually("complete", [&] { return is_complete(cluster, 2); });
    CPPUNIT_ASSERT(!was_complete);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RepairTest, "repair_test");

}  // namespace minivault::test
