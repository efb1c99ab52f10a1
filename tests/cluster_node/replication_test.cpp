// Goal: every node takes every write, and all see it. Method: writes of every kind through each node of
// clusters of two, three and five, read at all others; then the dumps of all nodes are the same, versions
// included.

#include <iostream>

#include "tests/cluster_node/clients.h"
#include "tests/support/bytes.h"
#include "tests/support/seed.h"

namespace minivault::test {

class ReplicationTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReplicationTest);
  CPPUNIT_TEST(a_write_is_seen_everywhere);
  CPPUNIT_TEST(keys_and_values_of_every_size);
  CPPUNIT_TEST(json_stays_json);
  CPPUNIT_TEST(more_than_the_log_holds);
  CPPUNIT_TEST(a_later_write_wins_wherever_it_is_made);
  CPPUNIT_TEST(writers_everywhere_agree_in_the_end);
  CPPUNIT_TEST(two_nodes);
  CPPUNIT_TEST(five_nodes);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_write_is_seen_everywhere() {
    Cluster cluster;
    cluster.await_quorum();
    see_everywhere(cluster);
    // Nothing is under way any more: deletes, too, of keys that are there and of one that is not.
    auto first = connect(cluster, 0);
    for (unsigned i = 0; i < cluster.size(); ++i)
      CPPUNIT_ASSERT(first.remove("from" + std::to_string(i)).has_value());
    CPPUNIT_ASSERT(first.remove("never there").has_value());
    CPPUNIT_ASSERT(cluster.converge().empty());
  }

  void keys_and_values_of_every_size() {
    std::mt19937_64 random(seed());
    Cluster cluster;
    cluster.await_quorum();
    Content expected;
    for (const std::size_t key_bytes : {1U, 255U, 511U, 512U, 65'535U}) {
      for (const std::size_t value_bytes : {0U, 1U, 100U, 70'000U, 3U << 20}) {
        std::string key = random_bytes(random, key_bytes);
        std::string value = random_bytes(random, value_bytes);
        assert_set(cluster, static_cast<unsigned>(random() % 3), key, value);
        expected[std::move(key)] = std::move(value);
      }
    }
    CPPUNIT_ASSERT_EQUAL(expected.size(), cluster.converge().size());
    for (unsigned i = 0; i < cluster.size(); ++i) {
      auto connection = connect(cluster, i);
      for (const auto& [key, value] : expected) CPPUNIT_ASSERT(connection.get(key) == value);
    }
  }

  void json_stays_json() {
    Cluster cluster;
    cluster.await_quorum();
    const std::string value = R"({"name": "Ada", "born": 1815})";
    const auto put = http(cluster.port(0), http_upload("PUT", "/ada", R"({"value": )" + value + "}"));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(put.body, 200, put.status);
    await_value(cluster, 2, "ada", value);
    const auto got = http(cluster.port(2), http_request("GET", "/ada"));
    CPPUNIT_ASSERT_EQUAL(R"({"success":true,"data":)" + value + "}", got.body);
    (void)cluster.converge();
  }

  // Rings of 16 MB: streams follow the log round and round.
  void more_than_the_log_holds() {
    Cluster cluster;
    cluster.await_quorum();
    constexpr unsigned kWrites = 5'000;
    for (unsigned i = 0; i < cluster.size(); ++i) {
      auto connection = connect(cluster, i);
      for (unsigned k = 0; k < kWrites; ++k) {
        const std::string key = std::to_string(i) + '/' + std::to_string(k % 1'000);
        CPPUNIT_ASSERT(connection.queue_set(key, std::to_string(k) + std::string(4'000, 'x')).has_value());
        if (connection.outstanding() == 100) {
          while (connection.outstanding() > 0) CPPUNIT_ASSERT(connection.receive().has_value());
        }
      }
    }
    const Content content = cluster.converge();
    CPPUNIT_ASSERT_EQUAL(std::size_t{3'000}, content.size());
    for (const auto& [key, value] : content) CPPUNIT_ASSERT(value >= "4000");
  }

  // One client after another, each at a node that may not even have heard of the write before.
  void a_later_write_wins_wherever_it_is_made() {
    Cluster cluster;
    cluster.await_quorum();
    std::mt19937_64 random(seed());
    History history;
    for (int i = 0; i < 300; ++i) {
      const std::string key = "hot" + std::to_string(random() % 5);
      const bool removes = random() % 4 == 0;
      assert_write(cluster, history, static_cast<unsigned>(random() % 3), key,
                   removes ? std::nullopt : History::State(std::to_string(i)));
    }
    assert_converges(cluster, history);
  }

  void writers_everywhere_agree_in_the_end() {
    Cluster cluster;
    cluster.await_quorum();
    load_and_compare(cluster);
  }

  void two_nodes() {
    Cluster cluster({.nodes = 2});
    cluster.await_quorum();
    see_everywhere(cluster);
    load_and_compare(cluster);
  }

  void five_nodes() {
    Cluster cluster({.nodes = 5, .flags = {"-procs", "1"}});
    cluster.await_quorum();
    see_everywhere(cluster);
    load_and_compare(cluster);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static void see_everywhere(const Cluster& cluster) {
    for (unsigned from = 0; from < cluster.size(); ++from) {
      const std::string key = "from" + std::to_string(from);
      assert_set(cluster, from, key, "value");
      const auto acknowledged = Clock::now();
      for (unsigned at = 0; at < cluster.size(); ++at) await_value(cluster, at, key, "value");
      const auto lag = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - acknowledged);
      std::cerr << "seen everywhere " << lag.count() << " us after its acknowledgement, at most\n";
    }
  }

  static void load_and_compare(const Cluster& cluster) {
    History history;
    ClusterLoad load(cluster, history, {.seed = seed()});
    load.await_done(500);
    load.stop();
    assert_none(load.violations());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, load.failed());
    Content content = cluster.converge();
    for (unsigned i = 0; i < cluster.size(); ++i) content.erase("from" + std::to_string(i));
    assert_none(history.violations(content));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReplicationTest, "replication_test");

}  // namespace minivault::test
