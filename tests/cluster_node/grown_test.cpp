// Goal: what a node deleted while it was alone, and forgot, no newcomer brings back; what is new to it, it
// takes. Method: a node alone, whose deletes are neither in its log nor in its base any more, and one that
// comes with a copy of what it had before.

#include "tests/cluster_node/clients.h"

namespace minivault::test {
namespace {

constexpr unsigned kKeys = 10;
constexpr unsigned kDeleted = 5;

std::string key(unsigned i) {
  return "key" + std::to_string(i);
}

void assert_run(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{minivault_binary()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Finished done = run(command);
  CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
}

void write_keys(const Cluster& cluster, unsigned i) {
  for (unsigned k = 0; k < kKeys; ++k) assert_set(cluster, i, key(k), "value");
}

void remove(const Cluster& cluster, unsigned i, unsigned from, unsigned to) {
  for (unsigned k = from; k < to; ++k) CPPUNIT_ASSERT(connect(cluster, i).remove(key(k)));
}

/// As long as the log has a delete, that is in the way of what is older.
void overrun_the_ring(const Cluster& cluster, unsigned i) {
  client::Connection connection = connect(cluster, i);
  const std::string value(1 << 20, 'x');
  for (int round = 0; round < 20; ++round) CPPUNIT_ASSERT(connection.set("large", value));
  CPPUNIT_ASSERT(connection.set("large", "small"));
}

void await_forgotten(const Cluster& cluster, unsigned i) {
  eventually("the deletes are forgotten", [&] {
    const rapidjson::Document health = cluster.health(i);
    return health["tombstones"].GetUint64() == 0 && health["keys"].GetUint64() <= kKeys - kDeleted + 2;
  });
}

void start_alone(Cluster& cluster, unsigned i) {
  cluster.start(i, {{"CLUSTER_NODES", ""}});
}

/// Both hold the same, and no deleted key.
Content assert_nothing_back(const Cluster& cluster) {
  cluster.await_reachable(0, 2);
  eventually("both are complete", [&] {
    return cluster.health(0)["complete"].GetBool() && cluster.health(1)["complete"].GetBool();
  });
  Content content = cluster.converge();
  for (unsigned k = 0; k < kDeleted; ++k) CPPUNIT_ASSERT_MESSAGE(key(k), !content.contains(key(k)));
  return content;
}

}  // namespace

class GrownTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(GrownTest);
  CPPUNIT_TEST(a_restored_copy_brings_nothing_back);
  CPPUNIT_TEST(a_restart_knows_what_it_forgot);
  CPPUNIT_TEST(both_were_alone_and_keep_what_is_new);
  CPPUNIT_TEST(whoever_was_forgotten_brings_nothing_back);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_restored_copy_brings_nothing_back() {
    Cluster cluster(options());
    const TemporaryDirectory backups;
    grow_up_alone(cluster, backups);
    remove(cluster, 0, 0, kDeleted);
    overrun_the_ring(cluster, 0);
    await_forgotten(cluster, 0);
    restore(cluster, backups);
    cluster.start(1, {{"CLUSTER_NODES", cluster.address(0)}});
    CPPUNIT_ASSERT_EQUAL(std::size_t{kKeys - kDeleted + 1}, assert_nothing_back(cluster).size());
  }

  // The deletes come into the base as they are, from a log of before, and are swept out of it.
  void a_restart_knows_what_it_forgot() {
    Cluster cluster(options());
    const TemporaryDirectory backups;
    grow_up_alone(cluster, backups);
    remove(cluster, 0, 0, kDeleted);
    cluster.kill(0);
    start_alone(cluster, 0);
    await_forgotten(cluster, 0);
    cluster.kill(0);
    start_alone(cluster, 0);
    restore(cluster, backups);
    cluster.start(1, {{"CLUSTER_NODES", cluster.address(0)}});
    CPPUNIT_ASSERT_EQUAL(std::size_t{kKeys - kDeleted}, assert_nothing_back(cluster).size());
  }

  // Two that go on from one backup: what either deleted is deleted, what either wrote is kept, however late.
  void both_were_alone_and_keep_what_is_new() {
    Cluster cluster(options());
    const TemporaryDirectory backups;
    grow_up_alone(cluster, backups);
    restore(cluster, backups);
    start_alone(cluster, 1);
    assert_set(cluster, 1, "of the copy", "new");
    remove(cluster, 1, kDeleted, kDeleted + 1);
    overrun_the_ring(cluster, 1);
    await_forgotten_one(cluster, 1);
    assert_set(cluster, 0, "of the first", "new");
    remove(cluster, 0, 0, kDeleted);
    overrun_the_ring(cluster, 0);
    await_forgotten(cluster, 0);
    cluster.stop(1);
    cluster.start(1, {{"CLUSTER_NODES", cluster.address(0)}});
    const Content content = assert_nothing_back(cluster);
    CPPUNIT_ASSERT(!content.contains(key(kDeleted)));
    CPPUNIT_ASSERT_EQUAL(std::string("new"), content.at("of the copy"));
    CPPUNIT_ASSERT_EQUAL(std::string("new"), content.at("of the first"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{kKeys - kDeleted - 1 + 3}, content.size());
  }

  // It returns as OPERATIONS.md says.
  void whoever_was_forgotten_brings_nothing_back() {
    Cluster cluster(options());
    cluster.start_all();
    cluster.await_quorum();
    write_keys(cluster, 0);
    await_held(cluster);
    const std::string id = cluster.health(1)["node"].GetString();
    cluster.kill(1);
    assert_run({"cluster", "forget", id, cluster.node(0).address()});
    cluster.stop(0);
    start_alone(cluster, 0);
    remove(cluster, 0, 0, kDeleted);
    CPPUNIT_ASSERT(connect(cluster, 0).remove("of the other"));
    overrun_the_ring(cluster, 0);
    await_forgotten(cluster, 0);
    assert_run({"new-id", cluster.node(1).data()});
    cluster.start(1);
    CPPUNIT_ASSERT_EQUAL(std::size_t{kKeys - kDeleted + 1}, assert_nothing_back(cluster).size());
  }

 private:
  static ClusterOptions options() {
    return {.nodes = 2, .flags = {"-procs", "1", "-log", "16", "-write-timeout", "3s"}, .start = false};
  }

  static void grow_up_alone(Cluster& cluster, const TemporaryDirectory& backups) {
    start_alone(cluster, 1);  // for a directory
    cluster.kill(1);
    cluster.wipe(1);
    start_alone(cluster, 0);
    write_keys(cluster, 0);
    assert_run({"backup", cluster.node(0).address(), backups.file("archive")});
  }

  static void restore(Cluster& cluster, const TemporaryDirectory& backups) {
    assert_run({"restore", backups.file("archive"), cluster.node(1).data()});
  }

  static void await_forgotten_one(const Cluster& cluster, unsigned i) {
    eventually("the delete is forgotten", [&] {
      const rapidjson::Document health = cluster.health(i);
      return health["tombstones"].GetUint64() == 0 && health["keys"].GetUint64() == kKeys - 1 + 2;
    });
  }

  /// Node 0 holds all of the other's stream, and has its word for that: there is a floor only where it has,
  /// and what comes then has it, too.
  static void await_held(Cluster& cluster) {
    CPPUNIT_ASSERT(connect(cluster, 1).remove("mark"));
    eventually("there is a floor", [&] { return cluster.health(0)["floor_hlc"].GetUint64() > 0; });
    assert_set(cluster, 1, "of the other", "value");
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(GrownTest, "grown_test");

}  // namespace minivault::test
