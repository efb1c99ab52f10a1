// Goal: keys of any length are repaired, however many begin alike. Longer ones than LMDB takes lie in an
// order of each node's own, so a range of those that begin alike can be cut nowhere. Method: more of them
// than any message may have, written while a node is away for longer than the ring remembers; then all is the
// same, and is compared once more.

#include "tests/cluster_node/clients.h"

namespace minivault::test {
namespace {

constexpr unsigned kKeys = 300;
constexpr std::size_t kKeyBytes = 60'000;

std::string key_of(unsigned number) {
  const std::string name = std::to_string(number);
  return std::string(500, 'P') + name + std::string(kKeyBytes - 500 - name.size(), 'x');
}

std::uint64_t repairs_at(const Cluster& cluster, unsigned i) {
  std::uint64_t sum = 0;
  const rapidjson::Document health = cluster.health(i);
  for (const auto& peer : health["peers"].GetArray()) sum += peer["repairs"].GetUint64();
  return sum;
}

std::uint64_t bytes_with(const Cluster& cluster, unsigned i) {
  std::uint64_t bytes = 0;
  for (unsigned other = 0; other < cluster.size(); ++other) {
    if (other != i) bytes += cluster.bytes(i, other) + cluster.bytes(other, i);
  }
  return bytes;
}

}  // namespace

class LongKeysTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LongKeysTest);
  CPPUNIT_TEST(many_that_begin_alike_are_repaired);
  CPPUNIT_TEST_SUITE_END();

 public:
  void many_that_begin_alike_are_repaired() {
    Cluster cluster({.nodes = 3, .flags = {"-log", "16", "-procs", "1"}});
    cluster.await_quorum();
    assert_set(cluster, 0, key_of(0), "before");  // else all of them were moved unseen
    (void)cluster.converge();
    cluster.stop(2);
    client::Connection first = connect(cluster, 0);
    for (unsigned i = 1; i < kKeys; ++i) CPPUNIT_ASSERT(first.set(key_of(i), "value"));
    CPPUNIT_ASSERT(first.set(key_of(0), "after"));
    cluster.start(2);
    const Content content = cluster.converge();
    CPPUNIT_ASSERT_EQUAL(std::size_t{kKeys}, content.size());
    CPPUNIT_ASSERT_EQUAL(std::string("after"), content.at(key_of(0)));

    // Nothing differs: what is compared are sums.
    cluster.await_quorum();
    eventually("nothing is owed", [&] {
      const rapidjson::Document health = cluster.health(2);
      const auto& peers = health["peers"].GetArray();
      return std::none_of(peers.begin(), peers.end(), [](const auto& peer) {
        return peer["repair_owed"].GetBool() || std::string_view(peer["state"].GetString()) == "repairing";
      });
    });
    const std::uint64_t repairs = repairs_at(cluster, 2);
    const std::uint64_t before = bytes_with(cluster, 2);
    const Finished asked = run({minivault_binary(), "repair", cluster.node(2).address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(asked.err, 0, asked.status);
    eventually("two repairs more", [&] { return repairs_at(cluster, 2) >= repairs + 2; });
    const std::uint64_t moved = bytes_with(cluster, 2) - before;  // heartbeats too
    CPPUNIT_ASSERT_MESSAGE(std::to_string(moved) + " bytes", moved < 2'000'000);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LongKeysTest, "long_keys_test");

}  // namespace minivault::test
