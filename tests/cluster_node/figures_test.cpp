// Goal: every figure that health and /metrics give of the cluster is there, has its unit, and moves when it
// should. Method: real clusters to which is done what each figure is about: cut, written to, skewed,
// repaired.

#include <cmath>
#include <ctime>

#include "tests/cluster_node/clients.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/metrics.h"
#include "tests/support/processes.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

/// What node `i` says of the peer at the address of `peer`.
class PeerFigures {
 public:
  PeerFigures(const Cluster& cluster, unsigned i, unsigned peer)
      : health_(cluster.health(i)), metrics_(cluster.port(i)), address_(cluster.address(peer)) {
    for (auto& entry : health_["peers"].GetArray()) {
      if (entry["address"].GetString() == address_) entry_ = &entry;
    }
    CPPUNIT_ASSERT_MESSAGE("no peer " + address_, entry_ != nullptr);
  }

  [[nodiscard]] std::string text(const char* name) const { return (*entry_)[name].GetString(); }
  [[nodiscard]] std::int64_t number(const char* name) const { return (*entry_)[name].GetInt64(); }
  [[nodiscard]] double sample(const std::string& family) const {
    return metrics_["minivault_peer_" + family + "{peer=\"" + address_ + "\"}"];
  }

 private:
  rapidjson::Document health_;
  Metrics metrics_;
  std::string address_;
  const rapidjson::Value* entry_ = nullptr;
};

/// Each worker's health is up to 100 ms old: of two, one may still say what the other said no more.
ClusterOptions one_worker() {
  return {.flags = {"-procs", "1"}};
}

bool is_about(double expected, double seen, double beside) {
  return std::abs(expected - seen) <= beside;
}

}  // namespace

class FiguresTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FiguresTest);
  CPPUNIT_TEST(of_a_peer_that_is_there);
  CPPUNIT_TEST(of_a_peer_that_is_gone);
  CPPUNIT_TEST(lag_is_no_pause_between_writes);
  CPPUNIT_TEST(of_the_quorum);
  CPPUNIT_TEST(of_a_replicator_that_stands_still);
  CPPUNIT_TEST(of_the_clocks);
  CPPUNIT_TEST(of_conflicts);
  CPPUNIT_TEST(of_the_stable_floor);
  CPPUNIT_TEST_SUITE_END();

 public:
  void of_a_peer_that_is_there() {
    Cluster cluster(one_worker());
    cluster.await_quorum();
    const PeerFigures before(cluster, 0, 1);
    constexpr std::size_t kBytes = 10'000;
    for (int i = 0; i < 10; ++i) assert_set(cluster, 0, "k" + std::to_string(i), std::string(kBytes, 'x'));
    eventually("acknowledged", [&] {
      const PeerFigures now(cluster, 0, 1);
      return now.number("acked") >= before.number("acked") + static_cast<std::int64_t>(10 * kBytes) &&
             now.number("lag_bytes") == 0;
    });
    eventually("the page says it too", [&] {
      const PeerFigures now(cluster, 0, 1);
      return now.sample("sent_records_total") >= before.sample("sent_records_total") + 10 &&
             now.number("records_sent") >= before.number("records_sent") + 10 &&
             now.sample("acked_lsn") >= before.sample("acked_lsn") + 10 * kBytes;
    });
    eventually("its first fill has ended",
               [&] { return PeerFigures(cluster, 0, 1).text("state") == "streaming"; });
    const PeerFigures now(cluster, 0, 1);
    CPPUNIT_ASSERT_EQUAL(std::size_t{16}, now.text("id").size());
    CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, now.number("connections"));
    CPPUNIT_ASSERT_EQUAL(2.0, now.sample("connections"));
    CPPUNIT_ASSERT_EQUAL(1.0, now.sample("up"));
    CPPUNIT_ASSERT_EQUAL(1.0, now.sample("counts"));
    CPPUNIT_ASSERT(now.number("bytes_sent") > before.number("bytes_sent"));
    CPPUNIT_ASSERT(now.sample("sent_bytes_total") > before.sample("sent_bytes_total"));
    CPPUNIT_ASSERT(now.number("round_trip_us") > 0);
    CPPUNIT_ASSERT(now.sample("round_trip_seconds") > 0 && now.sample("round_trip_seconds") < 10);
  }

  void of_a_peer_that_is_gone() {
    Cluster cluster(one_worker());
    cluster.await_quorum();
    const std::int64_t errors = PeerFigures(cluster, 0, 2).number("errors");
    cluster.kill(2);
    constexpr std::size_t kBytes = 100'000;
    const auto written = std::chrono::steady_clock::now();
    assert_set(cluster, 0, "k", std::string(kBytes, 'x'));
    eventually("its lag grows", [&] { return PeerFigures(cluster, 0, 2).number("lag_ms") > 3'000; });
    const auto most = std::chrono::steady_clock::now() - written + seconds(1);
    const PeerFigures now(cluster, 0, 2);
    CPPUNIT_ASSERT(now.number("lag_ms") <= std::chrono::duration_cast<milliseconds>(most).count() + 1'000);
    eventually("in seconds", [&] { return PeerFigures(cluster, 0, 2).sample("lag_seconds") > 3; });
    CPPUNIT_ASSERT(PeerFigures(cluster, 0, 2).sample("lag_seconds") < 1'000);
    CPPUNIT_ASSERT_EQUAL(std::string("unreachable"), now.text("state"));
    CPPUNIT_ASSERT(now.number("lag_bytes") >= static_cast<std::int64_t>(kBytes));
    CPPUNIT_ASSERT(now.sample("lag_bytes") >= kBytes);
    // The proxy takes a call for the dead node before it resets it.
    eventually("none is there", [&] { return PeerFigures(cluster, 0, 2).number("connections") == 0; });
    CPPUNIT_ASSERT_EQUAL(0.0, now.sample("up"));
    CPPUNIT_ASSERT_EQUAL(0.0, now.sample("counts"));
    CPPUNIT_ASSERT(!now.text("last_error").empty());
    CPPUNIT_ASSERT(now.number("errors") > errors);
    CPPUNIT_ASSERT(now.sample("errors_total") > static_cast<double>(errors));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, PeerFigures(cluster, 0, 1).number("lag_ms"));
    cluster.start(2);
    eventually("no lag is left", [&] {
      const PeerFigures healed(cluster, 0, 2);
      return healed.number("lag_ms") == 0 && healed.number("lag_bytes") == 0 &&
             healed.text("state") == "streaming";
    });
  }

  // Nothing was written for a while, and then a write is on its way: that did not wait for as long.
  void lag_is_no_pause_between_writes() {
    Cluster cluster(one_worker());
    cluster.await_quorum();
    assert_set(cluster, 0, "k", "before");
    const auto pause = std::chrono::steady_clock::now() + seconds(4);
    eventually("a pause", [&] { return std::chrono::steady_clock::now() >= pause; });
    cluster.kill(2);
    const auto before = std::chrono::steady_clock::now();
    assert_set(cluster, 0, "k", "after");
    eventually("it lags", [&] { return PeerFigures(cluster, 0, 2).number("lag_ms") > 0; });
    const std::int64_t lag_ms = PeerFigures(cluster, 0, 2).number("lag_ms");
    const auto waited = std::chrono::steady_clock::now() - before + milliseconds(500);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(lag_ms), milliseconds(lag_ms) <= waited);
  }

  void of_the_quorum() {
    Cluster cluster(one_worker());
    cluster.await_quorum();
    const auto reachable = [&](unsigned i) { return cluster.health(i)["quorum"]["reachable"].GetInt(); };
    eventually("all three", [&] { return reachable(0) == 3; });
    CPPUNIT_ASSERT_EQUAL(2, cluster.health(0)["quorum"]["needed"].GetInt());
    for (const unsigned i : {2U, 1U}) {
      cluster.kill(i);
      eventually("one less", [&] { return reachable(0) == static_cast<int>(i); });
      eventually("on the page, too", [&] {
        return Metrics(cluster.port(0))["minivault_quorum_reachable"] == static_cast<double>(i);
      });
    }
    CPPUNIT_ASSERT_EQUAL(2.0, Metrics(cluster.port(0))["minivault_quorum_needed"]);
    eventually("it says so",
               [&] { return std::string(cluster.health(0)["status"].GetString()) == "degraded"; });
  }

  // Until it is killed for that: what it said last is no figure of now.
  void of_a_replicator_that_stands_still() {
    Cluster cluster(one_worker());
    cluster.await_quorum();
    assert_set(cluster, 0, "k", "v");
    eventually("all three", [&] { return cluster.reachable(0) == 3; });
    suspend(cluster.node(0).child("replicator"));
    RawConnection client(cluster.port(0));
    client.send(set_frame("k", "waits"));
    eventually("it reaches nobody", [&] {
      const auto health = cluster.health(0);
      return std::string(health["status"].GetString()) == "degraded" &&
             health["quorum"]["reachable"].GetInt() == 1 &&
             PeerFigures(cluster, 0, 1).number("lag_ms") >= 3'000;
    });
    cluster.await_quorum();  // the next one goes on
    eventually("well again",
               [&] { return std::string(cluster.health(0)["status"].GetString()) == "healthy"; });
  }

  // Of a peer: its clock minus one's own; of the node: what most say minus its own.
  void of_the_clocks() {
    Cluster cluster(one_worker());
    cluster.await_quorum();
    const auto of = [&](unsigned i, const char* name) {
      return static_cast<double>(cluster.health(i)["clock"][name].GetInt64()) / 1e6;
    };
    const auto is_ahead = [&](unsigned i, unsigned peer, double by) {
      const PeerFigures now(cluster, i, peer);
      return is_about(by, static_cast<double>(now.number("clock_offset_us")) / 1e6, 2) &&
             is_about(by, now.sample("clock_offset_seconds"), 2);
    };
    cluster.set_clock(2, seconds(40));
    eventually("seen by another", [&] { return is_ahead(0, 2, 40) && is_ahead(0, 1, 0); });
    eventually("and by itself",
               [&] { return is_ahead(2, 0, -40) && is_about(-40, of(2, "median_offset_us"), 2); });
    CPPUNIT_ASSERT(is_about(0, of(0, "median_offset_us"), 2));
    CPPUNIT_ASSERT(is_about(-40, Metrics(cluster.port(2))["minivault_clock_offset_seconds"], 2));
    CPPUNIT_ASSERT(cluster.health(2)["clock"]["drifts"].IsFalse());
    eventually("it stamps by its own", [&] { return is_about(0, of(2, "stamp_offset_us"), 2); });

    cluster.set_clock(2, hours(1));
    eventually("beyond what is allowed", [&] { return cluster.health(2)["clock"]["drifts"].IsTrue(); });
    eventually("it stamps with the median", [&] { return is_about(-3'600, of(2, "stamp_offset_us"), 2); });
    eventually("so says the page", [&] {
      return is_about(-3'600, Metrics(cluster.port(2))["minivault_clock_stamp_offset_seconds"], 2);
    });
    CPPUNIT_ASSERT(cluster.health(2)["clock"]["confirmed"].IsTrue());
    CPPUNIT_ASSERT_EQUAL(1.0, Metrics(cluster.port(2))["minivault_clock_confirmed"]);
  }

  // A write that is stamped below what a peer holds is counted there, and where it is stamped anew.
  void of_conflicts() {
    Cluster cluster(one_worker());
    cluster.await_quorum();
    cluster.set_clock(0, seconds(30));
    eventually("node 0 stamps ahead",
               [&] { return PeerFigures(cluster, 0, 1).number("clock_offset_us") < -20'000'000; });
    // What node 0 writes node 1 does not see, and both count on node 2.
    cluster.disconnect(0, 1);
    eventually("there are conflicts", [&] {
      assert_set(cluster, 0, "k", "early");
      assert_set(cluster, 1, "k", "late");
      return cluster.health(2)["conflicts"].GetUint64() > 0 && cluster.health(1)["restamped"].GetUint64() > 0;
    });
    eventually("on the page, too", [&] {
      return Metrics(cluster.port(2))["minivault_conflicts_total"] > 0 &&
             Metrics(cluster.port(1))["minivault_restamped_total"] > 0;
    });
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, cluster.health(0)["restamped"].GetUint64());
  }

  void of_the_stable_floor() {
    Cluster cluster(one_worker());
    cluster.await_quorum();
    assert_set(cluster, 0, "k", "v");
    CPPUNIT_ASSERT(connect(cluster, 0).remove("k").has_value());
    const auto floor_s = [&] {
      return static_cast<double>(cluster.health(0)["floor_hlc"].GetUint64() >> 16U) / 1e3;
    };
    eventually("it is at now",
               [&] { return is_about(static_cast<double>(std::time(nullptr)), floor_s(), 60); });
    eventually("on the page, too", [&] {
      return is_about(static_cast<double>(std::time(nullptr)),
                      Metrics(cluster.port(0))["minivault_stable_floor_timestamp_seconds"], 60);
    });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FiguresTest, "figures_test");

}  // namespace minivault::test
