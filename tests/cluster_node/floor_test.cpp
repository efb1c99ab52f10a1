// Goal: deletes are forgotten once every member holds them, and not before; and nobody who was away
// meanwhile, however long, brings back what was deleted, or loses what was acknowledged. Method: clusters
// whose clocks are moved until tombstones are purged; members that are away, lost, restored from a backup, or
// born late.

#include <functional>
#include <future>

#include "tests/cluster_node/clients.h"
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
  CPPUNIT_TEST(an_absence_lasts_over_a_start);
  CPPUNIT_TEST(a_backup_brings_nothing_back);
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
    // A floor that passed them would be noted, and they swept: twice over at the pace of notes, 5 s.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(12);
    while (std::chrono::steady_clock::now() < until) {
      move_clocks(cluster, {0, 1});
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, tombstones(cluster, 0));
    }
    cluster.start(2);
    await_purge(cluster, {0, 1, 2});
    (void)judged(cluster);
  }

  // Who has them and who has not is no difference, whoever compares. 2 does not purge while 1 is off: it
  // waits for it longer than the others did for 2.
  void tombstones_are_purged_on_different_days() {
    const Environment soon = {{"MINIVAULT_TOMBSTONE_TTL", "2s"}};
    Cluster cluster({.flags = {"-log", "16", "-procs", "1", "-write-timeout", "20s"}, .environment = soon});
    cluster.await_quorum();
    write_and_delete(cluster);
    (void)judged(cluster);
    eventually("node 2 has them in its base", [&] { return tombstones(cluster, 2) >= 5; });
    cluster.stop(2);
    await_purge(cluster, {0, 1});
    cluster.stop(1);
    cluster.start(2, {{"MINIVAULT_TOMBSTONE_TTL", "1h"}});
    cluster.await_quorum();
    for (const unsigned i : {0U, 2U}) {
      (void)judged(cluster);
      const std::uint64_t before = sum_of(cluster, i, "repairs");
      const std::uint64_t moved = sum_of(cluster, i, "repaired_keys");
      const Finished asked = run({minivault_binary(), "repair", cluster.node(i).address()});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(asked.err, 0, asked.status);
      eventually("a repair more", [&] { return sum_of(cluster, i, "repairs") > before; });
      CPPUNIT_ASSERT_EQUAL(moved, sum_of(cluster, i, "repaired_keys"));
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{5}, tombstones(cluster, 2));
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, tombstones(cluster, 0));
    }
    cluster.stop(2);
    cluster.start_all();
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

  // Who counted it is not a moment younger for having started again.
  void an_absence_lasts_over_a_start() {
    Cluster cluster({.flags = kFlags});
    cluster.await_quorum();
    cluster.kill(2);
    eventually("the absent one is away", [&] { return sum_of(cluster, 0, "away_ms") >= 8'000; });
    cluster.stop(0);
    const auto started = std::chrono::steady_clock::now();
    cluster.start(0);
    std::uint64_t away = 0;
    eventually("it is counted", [&] { return (away = sum_of(cluster, 0, "away_ms")) > 0; });
    const auto runs = std::chrono::steady_clock::now() - started;
    CPPUNIT_ASSERT_MESSAGE(std::to_string(away) + " ms", milliseconds(away) > runs);
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
