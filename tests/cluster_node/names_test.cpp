// Goal: nodes find each other by names of any length, and by name servers of any speed. Method: nodes whose
// names are looked up by the test's own rules (tests/support/preload).

#include "tests/cluster_node/clients.h"
#include "tests/support/http_assert.h"

namespace minivault::test {
namespace {

/// 253 bytes, the most that a host name has.
std::string longest_name() {
  std::string name;
  for (int label = 0; label < 3; ++label) name += std::string(63, 'n') + ".";
  name += std::string(253 - name.size() - 5, 'n') + ".test";
  CPPUNIT_ASSERT_EQUAL(std::size_t{253}, name.size());
  return name;
}

HttpResponse quorum_get(const Cluster& cluster, unsigned i, const std::string& key) {
  return http(cluster.port(i), http_request("GET", "/" + key, {"X-Minivault-Consistency: quorum"}));
}

}  // namespace

class NamesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(NamesTest);
  CPPUNIT_TEST(the_longest_names);
  CPPUNIT_TEST(name_servers_take_longer_than_a_node_may_be_silent);
  CPPUNIT_TEST_SUITE_END();

 public:
  // Whoever reads a name from the board has all of it: workers that ask for a majority, health, and a node
  // that is told of a caller which it does not list.
  void the_longest_names() {
    Cluster cluster({.host = longest_name(), .start = false});
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    for (const unsigned i : {1U, 2U}) cluster.start(i);
    cluster.await_quorum();
    for (unsigned i = 0; i < 3; ++i) {
      const std::string key = "k" + std::to_string(i);
      await_write(cluster, history_, i, key, "v");
      for (unsigned reader = 0; reader < 3; ++reader) {
        eventually("a majority answers", [&] { return quorum_get(cluster, reader, key).status == 200; });
      }
      const auto health = cluster.health(i);
      for (const auto& peer : health["peers"].GetArray()) {
        const std::string address = peer["address"].GetString();
        CPPUNIT_ASSERT_MESSAGE(address, cluster.addresses().find(address) != std::string::npos);
        CPPUNIT_ASSERT_MESSAGE(address, address.size() > 253);
      }
    }
    (void)assert_converges(cluster, history_);
  }

  // Reads that ask others are over by then; the one after them finds the name known.
  void name_servers_take_longer_than_a_node_may_be_silent() {
    Cluster cluster({.nodes = 2,
                     .flags = {"-write-timeout", "2s"},
                     .host = "slow.test",
                     .look_up = std::chrono::milliseconds(3'000)});
    eventually("it is said what takes so long", [&] {
      const auto health = cluster.health(0);
      const std::string error = health["peers"][0]["last_error"].GetString();
      return error.find("looked up") != std::string::npos;
    });
    cluster.await_quorum();
    await_write(cluster, history_, 0, "k", "v");
    for (unsigned i = 0; i < 2; ++i) {
      eventually("both answer", [&] { return quorum_get(cluster, i, "k").status == 200; });
    }
    (void)assert_converges(cluster, history_);
  }

 private:
  History history_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(NamesTest, "names_test");

}  // namespace minivault::test
