// Goal: clocks that are wrong cost nobody a write: nodes converge, and a write that begins after another was
// acknowledged wins, whichever nodes took them; and no clock takes the versions of the cluster along that is
// beyond -max-drift of what most say. Method: nodes whose wall clock the test sets, and moves.

#include <algorithm>
#include <iostream>

#include "common/cluster/message.h"
#include "tests/cluster_node/clients.h"
#include "tests/support/frames.h"
#include "tests/support/raw_connection.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

using Offsets = std::vector<std::chrono::milliseconds>;
using std::chrono::hours;
using std::chrono::seconds;

/// -max-drift, where no flag says otherwise.
constexpr milliseconds kMaxDrift = seconds(60);

milliseconds wall_clock() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
}

/// When the key's version says that it was written; none where the node does not have it.
std::optional<milliseconds> stamp(const Cluster& cluster, unsigned i, const std::string& key) {
  const HttpResponse response = http(cluster.port(i), http_request("GET", "/" + key));
  if (response.status != 200) return std::nullopt;
  const std::string tag = response.header("etag");
  constexpr std::size_t kHlcDigits = 16;
  CPPUNIT_ASSERT_MESSAGE(tag, tag.size() > kHlcDigits);
  return milliseconds(std::stoull(tag.substr(1, kHlcDigits), nullptr, 16) >> 16U);
}

bool drifts(const Cluster& cluster, unsigned i) {
  return cluster.health(i)["clock"]["drifts"].IsTrue();
}

/// As anybody may, who only asks who is there before.
void push_record(std::uint16_t port, std::uint64_t hlc) {
  RawConnection connection(port);
  const auto say = [&connection](std::string_view kind, const std::string& message) {
    connection.send(keyed_frame('\4', kind) + little_endian(message.size(), 4) + '\0' + message);
    const std::string head = connection.receive(5);
    std::size_t bytes = 0;
    for (std::size_t i = 4; i > 0; --i) bytes = bytes << 8U | static_cast<std::uint8_t>(head[i]);
    (void)connection.receive(bytes);
  };
  cluster::Hello hello;
  hello.dial_back = true;
  say(cluster::kHello, cluster::encode(hello));
  cluster::BatchWriter writer(0);
  writer.add({store::Operation::kSet, 0, {hlc, 0x1234}, "pushed", "v"});
  say(cluster::kPush, writer.finish_push());
}

}  // namespace

class ClockTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ClockTest);
  CPPUNIT_TEST(a_little_apart);
  CPPUNIT_TEST(a_second_apart);
  CPPUNIT_TEST(hours_apart);
  CPPUNIT_TEST(clocks_jump_while_nodes_run);
  CPPUNIT_TEST(a_clock_is_set_back_between_two_starts);
  CPPUNIT_TEST(under_load);
  CPPUNIT_TEST(a_clock_that_is_far_off_is_named);
  CPPUNIT_TEST(who_starts_far_ahead_stamps_as_the_others_do);
  CPPUNIT_TEST(who_starts_far_behind_stamps_as_the_others_do);
  CPPUNIT_TEST(who_is_a_second_ahead_stamps_by_its_own);
  CPPUNIT_TEST(who_is_a_second_behind_stamps_by_its_own);
  CPPUNIT_TEST(who_starts_again_far_off_stamps_as_the_others_do);
  CPPUNIT_TEST(whose_clock_jumps_stamps_as_before);
  CPPUNIT_TEST(two_of_three_are_off_to_both_sides);
  CPPUNIT_TEST(what_was_taken_in_the_dark_takes_nobody_along);
  CPPUNIT_TEST(a_majority_that_moves_is_followed);
  CPPUNIT_TEST(a_node_alone_follows_its_own);
  CPPUNIT_TEST(who_acknowledges_alone_needs_nobody);
  CPPUNIT_TEST(one_record_stops_nobody);
  CPPUNIT_TEST(records_of_a_wrong_clock_are_told);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override { random_.seed(seed()); }

  void a_little_apart() { write_in_turn({milliseconds(0), milliseconds(200), milliseconds(-200)}); }
  void a_second_apart() { write_in_turn({milliseconds(0), seconds(1), seconds(-1)}); }
  void hours_apart() { write_in_turn({milliseconds(0), hours(1), hours(-1)}); }

  void clocks_jump_while_nodes_run() {
    Cluster cluster;
    cluster.await_quorum();
    for (const Offsets& offsets :
         {Offsets{seconds(30), seconds(0), seconds(0)}, Offsets{hours(-1), seconds(10), seconds(0)},
          Offsets{seconds(0), seconds(0), hours(-2)}}) {
      set_clocks(cluster, offsets);
      write_some(cluster, 60);
    }
    (void)assert_converges(cluster, history_);
  }

  // What it stamped before must not be newer than what it stamps now.
  void a_clock_is_set_back_between_two_starts() {
    for (const bool killed : {false, true}) {
      History history;
      Cluster cluster;
      cluster.await_quorum();
      assert_write(cluster, history, 0, "k", "before");
      assert_write(cluster, history, 0, "gone", "before");
      if (killed) {
        cluster.kill(0);
      } else {
        cluster.stop(0);
      }
      cluster.set_clock(0, hours(-1));
      cluster.start(0);
      assert_write(cluster, history, 0, "k", "after");
      assert_write(cluster, history, 0, "gone", std::nullopt);
      (void)assert_converges(cluster, history);
    }
  }

  void under_load() {
    History history(History::Unknowns::kStayUndecided);
    Cluster cluster({.start = false});
    set_clocks(cluster, {seconds(0), seconds(2), seconds(-2)});
    cluster.start_all();
    cluster.await_quorum();
    ClusterLoad load(cluster, history, {.seed = random_()});
    load.await_done(150);
    set_clocks(cluster, {seconds(-5), hours(1), seconds(0)});
    load.await_done(150);
    cluster.kill(1);
    set_clocks(cluster, {seconds(0), hours(-1), seconds(0)});
    load.await_done(50);
    cluster.start(1);
    load.await_done(150);
    load.stop();
    assert_none(load.violations());
    const Content content = assert_converges(cluster, history);
    CPPUNIT_ASSERT(!content.empty());
  }

  // Beyond -max-drift of the members' median a node says so, in health and in its log.
  void a_clock_that_is_far_off_is_named() {
    Cluster cluster({.flags = {"-procs", "1"}});
    cluster.set_clock(2, hours(1));
    cluster.await_quorum();
    eventually("node 2 says that its clock is off",
               [&] { return cluster.health(2)["clock"]["drifts"].IsTrue(); });
    CPPUNIT_ASSERT(cluster.health(0)["clock"]["drifts"].IsFalse());
    eventually("its log, too", [&] {
      const auto lines = cluster.node(2).supervisor().lines();
      return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        return line.find("] clock_drift ") != std::string::npos;
      });
    });
    assert_write(cluster, history_, 2, "k", "v");
    (void)assert_converges(cluster, history_);
  }

  void who_starts_far_ahead_stamps_as_the_others_do() { starts_far_off(hours(1)); }
  void who_starts_far_behind_stamps_as_the_others_do() { starts_far_off(hours(-1)); }
  void who_is_a_second_ahead_stamps_by_its_own() { starts_a_little_off(seconds(1)); }
  void who_is_a_second_behind_stamps_by_its_own() { starts_a_little_off(seconds(-1)); }

  // The others run on meanwhile, and are there to be asked.
  void who_starts_again_far_off_stamps_as_the_others_do() {
    Cluster cluster;
    cluster.await_quorum();
    for (const bool killed : {false, true}) {
      if (killed) {
        cluster.kill(2);
      } else {
        cluster.stop(2);
      }
      write_at(cluster, {0, 1}, 10);
      cluster.set_clock(2, hours(killed ? -2 : 2));
      cluster.start(2);
      write_some(cluster, 30);
      cluster.await_quorum();
      assert_stamps(cluster, seconds(0));
    }
    (void)assert_converges(cluster, history_);
  }

  void whose_clock_jumps_stamps_as_before() {
    Cluster cluster({.flags = {"-procs", "1"}});  // of two workers one says for 100 ms what was before
    cluster.await_quorum();
    for (const milliseconds offset : {hours(1), hours(-1), hours(100)}) {
      cluster.set_clock(2, offset);
      assert_stamps(cluster, seconds(0));  // in the very moment, before anybody was asked
      eventually("node 2 says that it drifts", [&] { return drifts(cluster, 2); });
      write_some(cluster, 30);
      assert_stamps(cluster, seconds(0));
      CPPUNIT_ASSERT(!drifts(cluster, 0) && !drifts(cluster, 1));
      cluster.set_clock(2, seconds(0));
      eventually("and that it is right again", [&] { return !drifts(cluster, 2); });
      assert_stamps(cluster, seconds(0));
    }
    (void)assert_converges(cluster, history_);
  }

  void two_of_three_are_off_to_both_sides() {
    const Offsets apart{seconds(0), hours(1), hours(-1)};
    starts_with(apart, [&](Cluster& cluster) {
      for (const unsigned i : {1U, 2U}) eventually("it drifts", [&, i] { return drifts(cluster, i); });
      assert_stamps(cluster, seconds(0));
      set_clocks(cluster, {hours(-3), seconds(0), hours(2)});
      write_some(cluster, 30);
      assert_stamps(cluster, seconds(0));
      // Of these two nobody knows who is right: both go on as before.
      cluster.kill(1);
      write_at(cluster, {0, 2}, 10);
      cluster.start(1);
      cluster.await_quorum();
      assert_stamps(cluster, seconds(0));
    });
  }

  // Nothing of it was acknowledged, but it is stamped, and replicates.
  void what_was_taken_in_the_dark_takes_nobody_along() {
    Cluster cluster({.flags = {"-write-timeout", "3s"}});
    cluster.await_quorum();
    write_some(cluster, 10);
    cluster.kill(2);
    cluster.isolate(2);
    cluster.set_clock(2, hours(1));
    cluster.start(2);
    for (int i = 0; i < 3; ++i) {
      CPPUNIT_ASSERT(write(cluster, history_, 2, "dark", "v" + std::to_string(i)) == Outcome::kUnknown);
    }
    cluster.heal();
    cluster.await_quorum();
    (void)assert_converges(cluster, history_);
    assert_stamps(cluster, seconds(0));
  }

  // All clocks were wrong, and are set one after the other.
  void a_majority_that_moves_is_followed() {
    Cluster cluster;
    cluster.await_quorum();
    for (unsigned i = 0; i < cluster.size(); ++i) {
      cluster.set_clock(i, hours(1));
      write_some(cluster, 10);
    }
    for (unsigned i = 0; i < cluster.size(); ++i) {
      eventually("it stamps by its own clock again", [&] {
        assert_write(cluster, history_, i, "k", std::to_string(++writes_));
        const auto at = stamp(cluster, i, "k");
        return at && std::chrono::abs(*at - wall_clock() - hours(1)) < kMaxDrift;
      });
    }
    (void)assert_converges(cluster, history_);
  }

  void a_node_alone_follows_its_own() {
    Cluster cluster({.nodes = 1});
    cluster.await_quorum();
    assert_write(cluster, history_, 0, "k", "v");
    for (const milliseconds offset : {hours(1), hours(2)}) {
      cluster.set_clock(0, offset);
      eventually("it stamps by its clock", [&] {
        assert_write(cluster, history_, 0, "k", std::to_string(++writes_));
        return std::chrono::abs(stamp(cluster, 0, "k").value() - wall_clock() - offset) < kMaxDrift;
      });
    }
  }

  // -async: what it acknowledges in the dark must be newer than what all had before.
  void who_acknowledges_alone_needs_nobody() {
    Cluster cluster({.flags = {"-async"}, .start = false});
    cluster.start(0);
    eventually("it stamps by its clock", [&] {
      assert_write(cluster, history_, 0, "k", std::to_string(++writes_));
      return std::chrono::abs(stamp(cluster, 0, "k").value() - wall_clock()) < kMaxDrift;
    });
    CPPUNIT_ASSERT(cluster.health(0)["clock"]["confirmed"].IsFalse());
  }

  // Whoever can reach a node can push it a record, and its clock goes on from there, and so do all others'.
  void one_record_stops_nobody() {
    Cluster cluster;
    cluster.await_quorum();
    constexpr std::uint64_t kEndOfTime = 253'402'300'800'000ULL << 16U;
    push_record(cluster.port(0), kEndOfTime - 1);
    const auto almost_ms = static_cast<std::uint64_t>((wall_clock() + 24 * hours(36'525)).count()) - 1;
    push_record(cluster.port(0), almost_ms << 16U);
    for (unsigned i = 0; i < cluster.size(); ++i) {
      const std::string key = "after" + std::to_string(i);
      assert_write(cluster, history_, i, key, "v");
      for (unsigned there = 0; there < cluster.size(); ++there) await_value(cluster, there, key, "v");
    }
    CPPUNIT_ASSERT(stamp(cluster, 0, "after0").value() > wall_clock() + 24 * hours(36'524));
  }

  void records_of_a_wrong_clock_are_told() {
    Cluster cluster({.nodes = 1, .start = false});
    cluster.set_clock(0, 150 * 365 * 24 * hours(1));
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    assert_write(cluster, history_, 0, "k", "v");
    cluster.stop(0);
    cluster.set_clock(0, seconds(0));
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    eventually("it says so", [&] {
      const std::vector<std::string> lines = cluster.node(0).supervisor().lines();
      return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        return line.find("records_of_a_wrong_clock") != std::string::npos;
      });
    });
    assert_write(cluster, history_, 0, "k", "w");
  }

 private:
  template <typename Judge>
  void starts_with(const Offsets& offsets, const Judge& judge) {
    Cluster cluster({.start = false});
    set_clocks(cluster, offsets);
    cluster.start_all();
    cluster.await_quorum();
    write_some(cluster, 30);
    judge(cluster);
    (void)assert_converges(cluster, history_);
  }

  void starts_far_off(milliseconds offset) {
    starts_with({seconds(0), seconds(0), offset}, [&](Cluster& cluster) {
      eventually("node 2 says that it drifts", [&] { return drifts(cluster, 2); });
      // Those that met a single other one first have chosen between two; a choice is followed after a second.
      // What it stamps would not show it for one that is behind: clocks merge upwards.
      for (unsigned i = 0; i < cluster.size(); ++i) {
        eventually("node " + std::to_string(i) + " stamps as the others do", [&] {
          const std::chrono::microseconds by(cluster.health(i)["clock"]["stamp_offset_us"].GetInt64());
          return std::chrono::abs(by + (i == 2 ? offset : seconds(0))) < kMaxDrift;
        });
      }
      assert_stamps(cluster, seconds(0));
      CPPUNIT_ASSERT(!drifts(cluster, 0) && !drifts(cluster, 1));
    });
  }

  void starts_a_little_off(milliseconds offset) {
    starts_with({seconds(0), seconds(0), offset}, [&](Cluster& cluster) {
      assert_stamps(cluster, seconds(0));
      CPPUNIT_ASSERT(!drifts(cluster, 2));
      const auto us = [&](const char* name) { return std::abs(cluster.health(2)["clock"][name].GetInt64()); };
      eventually("it knows what most say",
                 [&] { return us("median_offset_us") > 500'000 && us("stamp_offset_us") < 100'000; });
    });
  }

  /// What any node writes now has a version of about now, by a clock that is off by `offset`: none of them
  /// was taken along by what another had stamped, a note perhaps.
  void assert_stamps(const Cluster& cluster, milliseconds offset) {
    for (unsigned i = 0; i < cluster.size(); ++i) {
      const std::string key = "stamp" + std::to_string(i);
      assert_write(cluster, history_, i, key, std::to_string(++writes_));
      const milliseconds off_by = stamp(cluster, i, key).value() - wall_clock() - offset;
      CPPUNIT_ASSERT_MESSAGE("node " + std::to_string(i) + ": " + std::to_string(off_by.count()) + " ms",
                             std::chrono::abs(off_by) < kMaxDrift);
    }
  }

  static void set_clocks(Cluster& cluster, const Offsets& offsets) {
    for (unsigned i = 0; i < cluster.size(); ++i) cluster.set_clock(i, offsets[i]);
  }

  void write_in_turn(const Offsets& offsets) {
    Cluster cluster({.start = false});
    set_clocks(cluster, offsets);
    cluster.start_all();
    cluster.await_quorum();
    write_some(cluster, 200);
    (void)assert_converges(cluster, history_);
  }

  /// One after another, each at any node.
  void write_some(const Cluster& cluster, int count) { write_at(cluster, {0, 1, 2}, count); }

  void write_at(const Cluster& cluster, const std::vector<unsigned>& nodes, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string key = "k" + std::to_string(random_() % 4);
      const bool removes = random_() % 5 == 0;
      assert_write(cluster, history_, nodes[random_() % nodes.size()], key,
                   removes ? std::nullopt : History::State(std::to_string(++writes_)));
    }
  }

  History history_;
  std::mt19937_64 random_;
  int writes_ = 0;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ClockTest, "clock_test");

}  // namespace minivault::test
