// Goal: deletes are forgotten once every member holds them, and not before; and nobody who was away
// meanwhile, however long, brings back what was deleted, or loses what was acknowledged. Method: clusters
// whose clocks are moved until tombstones are purged; members that are away, lost, restored from a backup, or
// born late.

#include <algorithm>
#include <functional>
#include <future>

#include "tests/cluster_node/clients.h"
#include "tests/support/base_pages.h"
#include "tests/support/http_assert.h"

namespace minivault::test {
namespace {

/// Away for longer than this is away for long.
const std::vector<std::string> kFlags = {"-tombstone-ttl", "2s", "-log",           "16",
                                         "-procs",         "1",  "-write-timeout", "20s"};

std::uint64_t tombstones(const Cluster& cluster, unsigned i) {
  return cluster.health(i)["tombstones"].GetUint64();
}

std::uint64_t sum_of(const Cluster& cluster, unsigned i, const char* figure) {
  std::uint64_t sum = 0;
  const rapidjson::Document health = cluster.health(i);
  for (const auto& peer : health["peers"].GetArray()) sum += peer[figure].GetUint64();
  return sum;
}

std::string key(unsigned i) {
  return "key" + std::to_string(i);
}

}  // namespace

class FloorTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FloorTest);
  CPPUNIT_TEST(deletes_are_forgotten);
  CPPUNIT_TEST(not_before_everybody_holds_them);
  CPPUNIT_TEST(tombstones_are_purged_on_different_days);
  CPPUNIT_TEST(a_member_long_away_brings_nothing_back);
  CPPUNIT_TEST(who_is_cut_off_takes_nobody_for_away);
  CPPUNIT_TEST(an_absence_goes_on_after_a_start);
  CPPUNIT_TEST(a_backup_brings_nothing_back);
  CPPUNIT_TEST(a_damaged_base_deletes_nothing_elsewhere);
  CPPUNIT_TEST(a_newborn_with_a_late_clock_loses_nothing);
  CPPUNIT_TEST(the_streams_of_forgotten_nodes_hold_it_until_they_are_settled);
  CPPUNIT_TEST_SUITE_END();

 public:
  void deletes_are_forgotten() {
    Cluster cluster({.flags = kFlags});
    cluster.await_quorum();
    write_and_delete(cluster);
    await_purge(cluster, {0, 1, 2});
    CPPUNIT_ASSERT_EQUAL(std::size_t{5}, judged(cluster).size());
  }

  // Away, but not for long.
  void not_before_everybody_holds_them() {
    Cluster cluster({.flags = {"-tombstone-ttl", "1h", "-procs", "1", "-write-timeout", "20s"}});
    cluster.await_quorum();
    write_and_delete(cluster, [&] {
      (void)judged(cluster);
      cluster.kill(2);
    });
    assert_write(cluster, history_, 0, "never written", std::nullopt);
    move_clocks(cluster, {0, 1});
    for (const unsigned i : {0U, 1U}) {
      eventually("the deletes are in the base", [&] { return tombstones(cluster, i) == 6; });
    }
    // Longer than from one note of the floor to the next, and a sweep.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(8);
    while (std::chrono::steady_clock::now() < until) {
      move_clocks(cluster, {0, 1});
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, tombstones(cluster, 0));
    }
    cluster.start(2);
    await_purge(cluster, {0, 1, 2});
    (void)judged(cluster);
  }

  // Who has them and who has not is no difference, whoever compares. Node 2 is back and does not hear of 1,
  // so it keeps what the others have purged.
  void tombstones_are_purged_on_different_days() {
    Cluster cluster({.flags = kFlags});
    cluster.await_quorum();
    write_and_delete(cluster);
    (void)judged(cluster);
    eventually("node 2 has them in its base", [&] { return tombstones(cluster, 2) >= 5; });
    cluster.stop(2);
    await_purge(cluster, {0, 1});
    cluster.disconnect(1, 2);
    cluster.start(2);
    cluster.await_reachable(0, 3);
    cluster.await_reachable(2, 2);
    // What it missed of node 1's comes by a repair with node 0, which may take its time.
    (void)judged(cluster);
    for (const unsigned i : {0U, 2U}) {
      const std::uint64_t before = sum_of(cluster, i, "repairs");
      const std::uint64_t moved = sum_of(cluster, i, "repaired_keys");
      const Finished asked = run({minivault_binary(), "repair", cluster.node(i).address()});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(asked.err, 0, asked.status);
      const unsigned peers = i == 0 ? 2 : 1;
      eventually("repaired with all it reaches",
                 [&] { return sum_of(cluster, i, "repairs") >= before + peers; });
      CPPUNIT_ASSERT_EQUAL(moved, sum_of(cluster, i, "repaired_keys"));
    }
    CPPUNIT_ASSERT(tombstones(cluster, 0) == 0 && tombstones(cluster, 2) >= 5);
    cluster.heal();
    cluster.await_quorum();
    (void)judged(cluster);
    await_purge(cluster, {0, 1, 2});
  }

  // What it holds of deleted keys is older than anybody remembers; what it took alone and new is kept.
  void a_member_long_away_brings_nothing_back() {
    Cluster cluster({.flags = kFlags});
    cluster.await_quorum();
    write_and_delete(cluster, [&] {
      (void)judged(cluster);
      cluster.kill(2);
    });
    for (const unsigned i : {0U, 1U}) overrun_the_ring(cluster, i);
    await_purge(cluster, {0, 1});
    cluster.start(2);
    CPPUNIT_ASSERT_EQUAL(std::size_t{5}, judged(cluster).size());
    assert_write(cluster, history_, 2, key(0), "anew");
    CPPUNIT_ASSERT_EQUAL(std::size_t{6}, judged(cluster).size());
    await_purge(cluster, {0, 1, 2});
  }

  // The others have a majority, and count for how long they have not heard of it.
  void who_is_cut_off_takes_nobody_for_away() {
    Cluster cluster({.flags = kFlags});
    cluster.await_quorum();
    for (const unsigned i : {1U, 2U}) cluster.disconnect(0, i);
    for (const unsigned i : {1U, 2U}) {
      eventually("the absent one is away", [&] { return sum_of(cluster, i, "away_ms") >= 3'000; });
    }
    CPPUNIT_ASSERT(sum_of(cluster, 0, "away_ms") < 1'000);
    cluster.heal();
    eventually("it is back", [&] { return sum_of(cluster, 1, "away_ms") == 0; });
  }

  // It is noted each second here. One that is heard long after the start holds more of the absent one's
  // stream than anybody else: that is no sign of life.
  void an_absence_goes_on_after_a_start() {
    Cluster cluster({.nodes = 5, .flags = {"-tombstone-ttl", "16s", "-procs", "1", "-write-timeout", "1s"}});
    cluster.await_quorum();
    for (const unsigned i : {0U, 1U, 2U}) cluster.disconnect(4, i);
    (void)write(cluster, history_, 4, key(0), "v");
    await_value(cluster, 3, key(0), "v");
    cluster.kill(4);
    cluster.heal();
    eventually("one is away for a while", [&] { return sum_of(cluster, 0, "away_ms") >= 6'000; });
    cluster.stop(3);
    cluster.stop(0);
    cluster.start(0);
    std::uint64_t first = 0;
    eventually("it is counted", [&] { return (first = sum_of(cluster, 0, "away_ms")) > 0; });
    cluster.start(3);
    cluster.await_reachable(0, 4);
    std::uint64_t lowest = first;
    eventually("it is counted on", [&] {
      const std::uint64_t now = sum_of(cluster, 0, "away_ms");
      lowest = std::min(lowest, now);
      return now >= first + 2'000;
    });
    CPPUNIT_ASSERT_MESSAGE(std::to_string(lowest), lowest >= 3'000);
  }

  void a_backup_brings_nothing_back() {
    Cluster cluster({.flags = kFlags});
    cluster.await_quorum();
    const TemporaryDirectory backups;
    write_and_delete(cluster, [&] {
      (void)judged(cluster);
      const Finished done =
          run({minivault_binary(), "backup", cluster.node(2).address(), backups.file("archive")});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    });
    for (const unsigned i : {0U, 1U}) overrun_the_ring(cluster, i);  // no stream brings the deletes again
    await_purge(cluster, {0, 1, 2});
    cluster.kill(2);
    cluster.wipe(2);
    const Finished done =
        run({minivault_binary(), "restore", backups.file("archive"), cluster.node(2).data()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    cluster.start(2);
    CPPUNIT_ASSERT_EQUAL(std::size_t{5}, judged(cluster).size());
  }

  // Keys that a damaged page hides are not deleted ones: the peers' copies bring them back, and nobody who
  // asks for a comparison meanwhile takes their absence for anything.
  void a_damaged_base_deletes_nothing_elsewhere() {
    Cluster cluster({.flags = kFlags});
    cluster.await_quorum();
    constexpr unsigned kMany = 600;
    {
      client::Connection connection = connect(cluster, 0);
      for (unsigned i = 0; i < kMany; ++i) {
        CPPUNIT_ASSERT(connection.queue_set("many" + std::to_string(i), std::string(40, 'v')));
      }
      while (connection.outstanding() > 0) CPPUNIT_ASSERT(connection.receive());
    }
    write_and_delete(cluster);
    await_purge(cluster, {0, 1, 2});
    CPPUNIT_ASSERT_EQUAL(kMany + 5, held(cluster));
    cluster.stop(2);
    BasePages pages(cluster.node(2).data() + "/base.mdb");
    const std::vector<std::string> hidden = pages.hide(10);
    pages.store();
    cluster.start(2);
    cluster.await_quorum();
    for (const std::string& lost : hidden) {
      const auto answer = connect(cluster, 2).get(lost);
      CPPUNIT_ASSERT_MESSAGE(lost, !answer && answer.error().code == Code::kNotFound);
    }
    for (const unsigned i : {0U, 2U, 1U}) {
      const std::uint64_t before = sum_of(cluster, i, "repairs");
      const Finished asked = run({minivault_binary(), "repair", cluster.node(i).address()});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(asked.err, 0, asked.status);
      eventually("repaired with all", [&] { return sum_of(cluster, i, "repairs") >= before + 2; });
    }
    cluster.await_quorum();
    CPPUNIT_ASSERT_EQUAL(kMany + 5, held(cluster));
    for (const unsigned i : {0U, 1U, 2U}) {
      CPPUNIT_ASSERT_EQUAL(std::string(), std::string(cluster.health(i)["damage"].GetString()));
    }
    const Finished backup = run({minivault_binary(), "dump", cluster.node(2).address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(backup.err, 0, backup.status);
  }

  // It takes a write before it has heard of anybody, stamped below what all others take for settled.
  void a_newborn_with_a_late_clock_loses_nothing() {
    Cluster cluster({.flags = kFlags, .start = false});
    const std::string two = cluster.address(0) + "," + cluster.address(1);
    for (const unsigned i : {0U, 1U}) cluster.start(i, {{"CLUSTER_NODES", two}});
    cluster.await_quorum();
    write_and_delete(cluster);
    await_purge(cluster, {0, 1});
    cluster.isolate(2);
    cluster.start(2);
    const History::Write begun = history_.begin("fresh", "value");
    auto answer = std::async(std::launch::async, [&] { return put(cluster, 2, "fresh", "value"); });
    eventually("it is stamped", [&] { return cluster.dump(2).find("fresh") != std::string::npos; });
    cluster.heal();
    assert_done(answer.get());
    history_.end(begun, Outcome::kDone);
    CPPUNIT_ASSERT(judged(cluster).contains("fresh"));
  }

  // Of the dead node's last write there was one other copy; a new disk took its place, so it is no member.
  void the_streams_of_forgotten_nodes_hold_it_until_they_are_settled() {
    Cluster cluster({.flags = kFlags});
    cluster.await_quorum();
    write_and_delete(cluster);
    (void)judged(cluster);
    cluster.disconnect(0, 2);
    cluster.await_reachable(0, 2);
    assert_write(cluster, history_, 0, "last", "value");
    cluster.kill(0);
    cluster.wipe(0);
    cluster.heal();
    cluster.start(0);
    await_purge(cluster, {0, 1, 2});
    const Content content = judged(cluster);
    CPPUNIT_ASSERT_EQUAL(std::string("value"), content.at("last"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{6}, content.size());
  }

 private:
  /// Ten keys, five of which are deleted, after `between`.
  void write_and_delete(
      const Cluster& cluster, const std::function<void()>& between = [] {}) {
    for (unsigned i = 0; i < 10; ++i) assert_write(cluster, history_, 0, key(i), "value");
    between();
    for (unsigned i = 0; i < 5; ++i) assert_write(cluster, history_, 1, key(i), std::nullopt);
  }

  /// Time goes by, and everybody writes: versions are an hour later.
  void move_clocks(Cluster& cluster, const std::vector<unsigned>& nodes) {
    now_ += std::chrono::hours(1);
    for (const unsigned i : nodes) cluster.set_clock(i, now_);
    for (const unsigned i : nodes)
      assert_set(cluster, i, "move" + std::to_string(i), std::to_string(now_.count()));
  }

  void await_purge(Cluster& cluster, const std::vector<unsigned>& nodes) {
    for (const unsigned i : nodes) {
      auto next_move = std::chrono::steady_clock::now();
      eventually(
          "node " + std::to_string(i) + " has purged",
          [&] {
            if (std::chrono::steady_clock::now() >= next_move) {
              move_clocks(cluster, nodes);
              next_move = std::chrono::steady_clock::now() + std::chrono::seconds(2);
            }
            return tombstones(cluster, i) == 0;
          },
          kPatience * 3);
    }
  }

  /// How many keys all agree on, but for what only moved the clocks.
  static unsigned held(const Cluster& cluster) {
    const Content content = cluster.converge(kPatience * 2);
    return static_cast<unsigned>(std::count_if(
        content.begin(), content.end(), [](const auto& each) { return !each.first.starts_with("move"); }));
  }

  /// What all agree on, but for what only moved the clocks.
  Content judged(const Cluster& cluster) const {
    Content content = cluster.converge(kPatience * 2);
    std::erase_if(content, [](const auto& each) { return each.first.starts_with("move"); });
    assert_none(history_.violations(content));
    return content;
  }

  static void overrun_the_ring(const Cluster& cluster, unsigned i) {
    client::Connection connection = connect(cluster, i);
    const std::string value(1 << 20, 'x');
    for (int round = 0; round < 20; ++round) CPPUNIT_ASSERT(connection.set("move large", value));
    CPPUNIT_ASSERT(connection.set("move large", "small"));
  }

  History history_;
  milliseconds now_{0};
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FloorTest, "floor_test");

}  // namespace minivault::test
