// Goal: a write is answered when enough other nodes have it, as unknown when its time is up, and never as
// done after that; everything else leaves in order and does not wait.
// Method: a node whose board is the test's, which says what other nodes have (board_node.h).

#include "worker/quorum.h"

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "common/core/clock.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/metrics.h"
#include "tests/worker/board_node.h"

namespace minivault::test {

namespace {

constexpr milliseconds kPause{100};
constexpr milliseconds kShort{400};

Config with_timeout(milliseconds timeout) {
  Config config;
  config.write_timeout = timeout;
  config.cluster_nodes = {"127.0.0.1:1", "127.0.0.1:2"};
  return config;
}

/// Sends a write and waits until it is in the log; where that ends.
shared::Lsn write(const BoardNode& node, RawConnection& client, const std::string& frame) {
  const shared::Lsn before = node.tail();
  client.send(frame);
  eventually("the write is in the log", [&] { return node.tail() > before; });
  return node.tail();
}

}  // namespace

class QuorumTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(QuorumTest);
  CPPUNIT_TEST(a_write_is_answered_when_enough_have_it);
  CPPUNIT_TEST(a_delete_is_a_write);
  CPPUNIT_TEST(alone_or_async_nobody_waits);
  CPPUNIT_TEST(nobody_is_answered_before_the_cluster_is_known);
  CPPUNIT_TEST(when_the_time_is_up_the_outcome_is_unknown);
  CPPUNIT_TEST(each_write_has_its_own_end);
  CPPUNIT_TEST(answers_around_large_values_are_changed_where_they_are);
  CPPUNIT_TEST(what_comes_too_late_does_not_count);
  CPPUNIT_TEST(what_was_given_up_is_not_told_done);
  CPPUNIT_TEST(http_says_how_many_have_it);
  CPPUNIT_TEST(http_goes_on_in_order);
  CPPUNIT_TEST(what_was_beaten_is_not_told_done);
  CPPUNIT_TEST(of_what_is_forgotten_nothing_is_told_done);
  CPPUNIT_TEST(what_was_refused_does_not_wait);
  CPPUNIT_TEST(the_disk_is_waited_for_too);
  CPPUNIT_TEST(a_taken_id_takes_no_writes);
  CPPUNIT_TEST(a_value_must_fit_every_member);
  CPPUNIT_TEST(what_is_told_as_the_largest_value_is_taken_with_any_key);
  CPPUNIT_TEST(health_tells_of_the_quorum);
  CPPUNIT_TEST(health_lists_every_member);
  CPPUNIT_TEST(every_figure_has_its_unit);
  CPPUNIT_TEST(a_replicator_that_stands_still_reaches_nobody);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_write_is_answered_when_enough_have_it() {
    const BoardNode node;
    node.set_needed(1);
    RawConnection client(node.port());
    const shared::Lsn end = write(node, client, set_frame("k", "v"));
    CPPUNIT_ASSERT(client.silent_for(kPause));
    node.set_quorum(end - 1);
    CPPUNIT_ASSERT(client.silent_for(kPause));
    RawConnection reader(node.port());  // reads do not wait
    CPPUNIT_ASSERT_EQUAL(value_answer("v"), reader.exchange(get_frame("k"), 6));
    node.set_quorum(end);
    CPPUNIT_ASSERT_EQUAL(kOk, client.receive(5));
  }

  void a_delete_is_a_write() {
    const BoardNode node;
    node.set_needed(2);
    RawConnection client(node.port());
    const shared::Lsn end = write(node, client, delete_frame("never there"));
    CPPUNIT_ASSERT(client.silent_for(kPause));
    node.set_quorum(end);
    CPPUNIT_ASSERT_EQUAL(kOk, client.receive(5));
  }

  void alone_or_async_nobody_waits() {
    const BoardNode alone;
    RawConnection client(alone.port());
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame("k", "v"), 5));
    Config config = with_timeout(kPatience);
    config.async = true;
    const BoardNode async(config);
    async.set_needed(1);
    RawConnection other(async.port());
    CPPUNIT_ASSERT_EQUAL(kOk, other.exchange(set_frame("k", "v"), 5));
    assert_done(http(async.port(), http_upload("PUT", "/k", R"({"value":1})")));
  }

  void nobody_is_answered_before_the_cluster_is_known() {
    const BoardNode node(with_timeout(kPatience));
    node.set_needed(shared::kNotYetKnown);
    node.board().quorum.store(shared::kNoLsn - 1);
    RawConnection client(node.port());
    (void)write(node, client, set_frame("k", "v"));
    CPPUNIT_ASSERT(client.silent_for(kPause));
    node.set_needed(0);
    CPPUNIT_ASSERT_EQUAL(kOk, client.receive(5));
  }

  void when_the_time_is_up_the_outcome_is_unknown() {
    const BoardNode node(with_timeout(kShort));
    node.set_needed(1);
    RawConnection client(node.port());
    const auto began = std::chrono::steady_clock::now();
    client.send(set_frame("k", "v") + set_frame("l", "v") + get_frame("k"));
    CPPUNIT_ASSERT_EQUAL(kError + kError + value_answer("v"), client.receive(16));
    CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began >= kShort - milliseconds(5));
    node.set_needed(0);
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame("k", "w"), 5));
  }

  void each_write_has_its_own_end() {
    const BoardNode node(with_timeout(milliseconds(1'500)));
    node.set_needed(1);
    RawConnection client(node.port());
    const shared::Lsn first = write(node, client, set_frame("a", "1"));
    (void)write(node, client, set_frame("b", "2"));
    const shared::Lsn third = write(node, client, set_frame("c", "3"));
    node.set_quorum(first);
    CPPUNIT_ASSERT_EQUAL(kOk, client.receive(5));
    CPPUNIT_ASSERT(client.silent_for(kPause));
    CPPUNIT_ASSERT_EQUAL(kError + kError, client.receive(10));
    const shared::Lsn fourth = write(node, client, set_frame("d", "4"));
    CPPUNIT_ASSERT(fourth > third);
    node.set_quorum(fourth);
    CPPUNIT_ASSERT_EQUAL(kOk, client.receive(5));
  }

  void answers_around_large_values_are_changed_where_they_are() {
    const BoardNode node(with_timeout(kShort));
    RawConnection client(node.port());
    const std::string large(100'000, 'L');
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame("large", large), 5));
    node.set_needed(1);
    const std::string get = get_frame("large");
    client.send(set_frame("a", "1") + get + set_frame("b", "2") + delete_frame("c") + get +
                set_frame("d", "4"));
    const std::string value = value_answer(large);
    const std::string expected = kError + value + kError + kError + value + kError;
    CPPUNIT_ASSERT(expected == client.receive(expected.size()));
  }

  /// A peer that jumped counts again after -write-timeout: its mark then says nothing of writes from before.
  void what_comes_too_late_does_not_count() {
    const BoardNode node(with_timeout(kShort));
    node.set_needed(1);
    RawConnection client(node.port());
    const shared::Lsn end = write(node, client, set_frame("k", "v"));
    node.stop_worker();
    std::this_thread::sleep_for(kShort + kPause);  // the time that is to pass
    node.set_quorum(end);
    node.continue_worker();
    CPPUNIT_ASSERT_EQUAL(kError, client.receive(5));
    CPPUNIT_ASSERT(node.board().given_up.load() >= end);  // before it was told
  }

  // The replicator does not stamp anew what another worker has told unknown, or what is older.
  void what_was_given_up_is_not_told_done() {
    const BoardNode node;
    node.set_needed(1);
    RawConnection client(node.port());
    const shared::Lsn end = write(node, client, set_frame("k", "v"));
    node.stop_worker();
    node.board().given_up.store(end);
    node.set_quorum(end);
    node.continue_worker();
    CPPUNIT_ASSERT_EQUAL(kError, client.receive(5));
  }

  void http_says_how_many_have_it() {
    const BoardNode node(with_timeout(kShort));
    node.set_needed(2);
    node.set_peer(0, 7, "127.0.0.1:1");
    node.board().peers[0].acked.store(shared::kNoLsn - 1);
    node.board().peers[0].counts.store(1);
    const HttpResponse answer = http(node.port(), http_upload("PUT", "/k", R"({"value":1})"));
    assert_refused(answer, 503,
                   "quorum not reached within 400 ms: 2 of the 3 nodes needed have it; the write may still "
                   "take effect");
    assert_data(http(node.port(), http_request("GET", "/k")), "1");
    assert_refused(http(node.port(), http_request("DELETE", "/k")), 503);
    assert_refused(http(node.port(), http_upload("POST", "/new", R"({"value":1})")), 503);
  }

  void http_goes_on_in_order() {
    const BoardNode node(with_timeout(kPatience));
    node.set_needed(1);
    RawConnection client(node.port());
    const shared::Lsn end = write(node, client,
                                  http_upload("PUT", "/k", R"({"value":1})") + http_request("GET", "/k") +
                                      http_request("GET", "/none"));
    CPPUNIT_ASSERT(client.silent_for(kPause));
    node.set_quorum(end);
    assert_done(receive_http(client));
    assert_data(receive_http(client), "1");
    assert_refused(receive_http(client), 404);
  }

  // Another node's newer record was there before enough others had it.
  void what_was_beaten_is_not_told_done() {
    const BoardNode node(with_timeout(kPatience));
    node.set_needed(1);
    for (const bool on_a_condition : {true, false}) {
      RawConnection client(node.port());
      const std::string condition = on_a_condition ? "If-None-Match: *" : "X-None: *";
      const shared::Lsn end = write(node, client, http_upload("PUT", "/k", R"({"value":1})", {condition}));
      shared::note_beaten(node.board().beaten, end);
      node.set_quorum(end);
      const HttpResponse answer = receive_http(client);
      if (!on_a_condition) {
        assert_done(answer);
        continue;
      }
      assert_refused(answer, 503,
                     "another node holds something newer than this write, which its condition was judged "
                     "without; the write may still take effect");
      const shared::Lsn later = write(node, client, http_request("DELETE", "/k", {"If-Match: *"}));
      node.set_quorum(later);
      assert_done(receive_http(client));
    }
  }

  void of_what_is_forgotten_nothing_is_told_done() {
    const BoardNode node(with_timeout(kPatience));
    node.set_needed(1);
    RawConnection client(node.port());
    const shared::Lsn end = write(node, client, http_upload("POST", "/k", R"({"value":1})"));
    for (unsigned i = 0; i <= shared::BeatenWrites::kPlaces; ++i) {
      shared::note_beaten(node.board().beaten, end + 8 * (i + 1));
    }
    CPPUNIT_ASSERT_EQUAL(end + 8, node.board().beaten.forgotten.load());
    node.set_quorum(end);
    assert_refused(receive_http(client), 503);
  }

  void what_was_refused_does_not_wait() {
    const BoardNode node(with_timeout(kPatience));
    assert_done(http(node.port(), http_upload("PUT", "/k", R"({"value":1})")));
    node.set_needed(1);
    assert_refused(http(node.port(), http_upload("POST", "/k", R"({"value":2})")), 409, "exists");
  }

  void the_disk_is_waited_for_too() {
    const BoardNode node(with_timeout(kPatience));
    node.set_needed(1);
    node.hold_disk();
    RawConnection client(node.port());
    node.set_quorum(write(node, client, set_frame("k", "v")));
    CPPUNIT_ASSERT(client.silent_for(kPause));
    node.release_disk();
    CPPUNIT_ASSERT_EQUAL(kOk, client.receive(5));
  }

  void a_taken_id_takes_no_writes() {
    const BoardNode node;
    node.board().id_taken.store(1);
    RawConnection client(node.port());
    const shared::Lsn tail = node.tail();
    CPPUNIT_ASSERT_EQUAL(kError + kError, client.exchange(set_frame("k", "v") + delete_frame("k"), 10));
    assert_refused(http(node.port(), http_upload("PUT", "/k", R"({"value":1})")), 503);
    CPPUNIT_ASSERT_EQUAL(tail, node.tail());
    CPPUNIT_ASSERT_EQUAL(503, http(node.port(), http_request("GET", "/health")).status);
  }

  // Where -max-value bounds it, not the log that has to take key and value.
  void what_is_told_as_the_largest_value_is_taken_with_any_key() {
    constexpr std::uint64_t kLargest = 1 << 20;
    Config config;
    config.max_value_bytes = kLargest;
    const BoardNode node(config);
    node.board().largest_value.store(kLargest);
    RawConnection client(node.port());
    const std::string key(1'000, 'k');
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame(key, std::string(kLargest, 'v')), 5));
    CPPUNIT_ASSERT_EQUAL(kError, client.exchange(set_frame(key, std::string(kLargest + 1, 'v')), 5));
  }

  void a_value_must_fit_every_member() {
    const BoardNode node;
    node.board().largest_value.store(1'000);
    RawConnection client(node.port());
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame("k", std::string(1'000, 'v')), 5));
    CPPUNIT_ASSERT_EQUAL(kError, client.exchange(set_frame("k", std::string(1'001, 'v')), 5));
    CPPUNIT_ASSERT_EQUAL(kError, client.exchange(set_frame("ke", std::string(1'000, 'v')), 5));
    const std::string large = "{\"value\":\"" + std::string(1'000, 'x') + "\"}";
    assert_refused(http(node.port(), http_upload("PUT", "/k", large)), 413);
    // At a start, before the replicator has said so, the note of members does.
    node.board().largest_value.store(0);
    cluster::MemberSet members;
    CPPUNIT_ASSERT(members.introduce(node.id(), node.address(), 5'000).has_value());
    CPPUNIT_ASSERT(members.introduce(FakePeer::kId, "peer.example:3000", 1'000).has_value());
    node.write_note(cluster::kMembersNote, members.encode());
    assert_refused(http(node.port(), http_upload("PUT", "/k", large)), 413);
    members.forget(FakePeer::kId);
    node.write_note(cluster::kMembersNote, members.encode());
    assert_done(http(node.port(), http_upload("PUT", "/k", large)));
  }

  // What it said last is still on the board, and means nothing.
  void a_replicator_that_stands_still_reaches_nobody() {
    const BoardNode node(with_timeout(kPatience));
    node.set_peer(0, 7, "peer.example:3000");
    node.set_needed(1);
    node.board().reachable.store(1);
    node.board().peers[0].acked.store(node.tail() - 1'000);
    const auto figures_at = [&](std::uint64_t turn_ms) {
      node.board().replicator_turn_ms.store(turn_ms);
      std::this_thread::sleep_for(milliseconds(150));  // the report is made ten times a second at most
      const auto json = parse_json(http(node.port(), http_request("GET", "/health")).body);
      const int ready = http(node.port(), http_request("GET", "/_/ready")).status;
      return std::string(json["status"].GetString()) + ' ' + std::to_string(ready) + ' ' +
             std::to_string(json["quorum"]["reachable"].GetInt()) + ' ' +
             (json["peers"][0]["lag_ms"].GetUint64() >= 5'000 ? "late" : "in time");
    };
    CPPUNIT_ASSERT_EQUAL(std::string("healthy 200 2 in time"), figures_at(monotonic_ms() + 60'000));
    CPPUNIT_ASSERT_EQUAL(std::string("degraded 503 1 late"), figures_at(monotonic_ms() - 5'000));
    CPPUNIT_ASSERT_EQUAL(1.0, Metrics(node.port())["minivault_quorum_reachable"]);
    CPPUNIT_ASSERT_EQUAL(std::string("healthy 200 2 in time"), figures_at(0));  // there never was one
  }

  // Microseconds, milliseconds and HLC values on the board; seconds on the page.
  void every_figure_has_its_unit() {
    const BoardNode node(with_timeout(kPatience));
    node.set_peer(3, 7, "peer.example:3000");
    shared::ClusterBoard& board = node.board();
    shared::PeerPlace& place = board.peers[3];
    place.acked.store(node.tail() - 1'000);
    place.behind_since_ms.store(monotonic_ms() - 5'000);
    place.clock_offset_us.store(-2'500'000);
    place.round_trip_us.store(1'500);
    place.connections.store(2);
    place.errors.store(11);
    board.median_offset_us.store(61'000'000);
    board.clock_confirmed.store(1);
    board.conflicts.store(5);
    board.restamped.store(6);
    board.ghosts_dropped.store(7);
    board.equal_versions.store(8);
    node.state().limits.tombstone_floor_hlc.store(1'234'500ULL << store::kHlcCounterBits);
    node.state().append.clock_offset.fetch_add(std::int64_t{61'000} << store::kHlcCounterBits);

    const auto json = parse_json(http(node.port(), http_request("GET", "/health")).body);
    const auto& peer = json["peers"][0];
    CPPUNIT_ASSERT_EQUAL(1'000U, peer["lag_bytes"].GetUint());
    CPPUNIT_ASSERT(peer["lag_ms"].GetUint() >= 5'000 && peer["lag_ms"].GetUint() < 100'000);
    CPPUNIT_ASSERT_EQUAL(-2'500'000, peer["clock_offset_us"].GetInt());
    CPPUNIT_ASSERT_EQUAL(2U, peer["connections"].GetUint());
    CPPUNIT_ASSERT_EQUAL(61'000'000, json["clock"]["median_offset_us"].GetInt());
    CPPUNIT_ASSERT(json["clock"]["drifts"].IsTrue() && json["clock"]["confirmed"].IsTrue());
    CPPUNIT_ASSERT_DOUBLES_EQUAL(61e6, json["clock"]["stamp_offset_us"].GetDouble(), 1e6);

    const Metrics metrics(node.port());
    const auto of_peer = [&](const std::string& name) {
      return metrics["minivault_peer_" + name + "{peer=\"peer.example:3000\"}"];
    };
    CPPUNIT_ASSERT_EQUAL(1'000.0, of_peer("lag_bytes"));
    CPPUNIT_ASSERT(of_peer("lag_seconds") >= 5 && of_peer("lag_seconds") < 100);
    CPPUNIT_ASSERT_EQUAL(-2.5, of_peer("clock_offset_seconds"));
    CPPUNIT_ASSERT_EQUAL(0.0015, of_peer("round_trip_seconds"));
    CPPUNIT_ASSERT_EQUAL(2.0, of_peer("connections"));
    CPPUNIT_ASSERT_EQUAL(11.0, of_peer("errors_total"));
    CPPUNIT_ASSERT_EQUAL(61.0, metrics["minivault_clock_offset_seconds"]);
    CPPUNIT_ASSERT_DOUBLES_EQUAL(61.0, metrics["minivault_clock_stamp_offset_seconds"], 1);
    CPPUNIT_ASSERT_EQUAL(1.0, metrics["minivault_clock_confirmed"]);
    CPPUNIT_ASSERT_EQUAL(1'234.5, metrics["minivault_stable_floor_timestamp_seconds"]);
    CPPUNIT_ASSERT_EQUAL(5.0, metrics["minivault_conflicts_total"]);
    CPPUNIT_ASSERT_EQUAL(6.0, metrics["minivault_restamped_total"]);
    CPPUNIT_ASSERT_EQUAL(7.0, metrics["minivault_ghosts_dropped_total"]);
    CPPUNIT_ASSERT_EQUAL(8.0, metrics["minivault_equal_versions_total"]);
  }

  void health_tells_of_the_quorum() {
    const BoardNode node(with_timeout(kPatience));
    node.set_needed(1);
    node.set_peer(3, 7, "peer.example:3000");
    const auto health = [&] {
      std::this_thread::sleep_for(milliseconds(120));  // it is made ten times a second
      const HttpResponse response = http(node.port(), http_request("GET", "/health"));
      CPPUNIT_ASSERT_EQUAL(200, response.status);
      return parse_json(response.body);
    };
    auto json = health();
    CPPUNIT_ASSERT_EQUAL(std::string("degraded"), std::string(json["status"].GetString()));
    CPPUNIT_ASSERT_EQUAL(2, json["quorum"]["needed"].GetInt());
    CPPUNIT_ASSERT_EQUAL(1, json["quorum"]["reachable"].GetInt());
    CPPUNIT_ASSERT_EQUAL(1U, json["peers"].Size());
    const auto& peer = json["peers"][0];
    CPPUNIT_ASSERT_EQUAL(std::string("peer.example:3000"), std::string(peer["address"].GetString()));
    CPPUNIT_ASSERT_EQUAL(std::string("0000000000000007"), std::string(peer["id"].GetString()));
    CPPUNIT_ASSERT_EQUAL(std::string("streaming"), std::string(peer["state"].GetString()));
    node.board().reachable.store(1);
    node.board().conflicts.store(5);
    json = health();
    CPPUNIT_ASSERT_EQUAL(std::string("healthy"), std::string(json["status"].GetString()));
    CPPUNIT_ASSERT_EQUAL(5, json["conflicts"].GetInt());
    node.board().complete.store(0);
    std::this_thread::sleep_for(milliseconds(120));
    CPPUNIT_ASSERT_EQUAL(503, http(node.port(), http_request("GET", "/health")).status);
  }

  // Whoever counts can be found there, also who is no peer. What is owed to peers takes nobody out of
  // service.
  void health_lists_every_member() {
    const BoardNode node;
    node.set_peer(0, 7, "streams.example:3000");
    node.set_peer(3, 0, "nobody.example:3000");
    node.board().peers[3].state.store(shared::PeerState::kUnreachable);
    node.board().peers[0].owed.store(1);
    cluster::MemberSet members;
    CPPUNIT_ASSERT(members.introduce(node.id(), node.address()).has_value());
    CPPUNIT_ASSERT(members.introduce(7, "moved.example:3000").has_value());
    CPPUNIT_ASSERT(members.introduce(8, "nobody.example:3000").has_value());
    CPPUNIT_ASSERT(members.introduce(9, node.address()).has_value());
    node.write_note(cluster::kMembersNote, members.encode());
    const auto json = parse_json(http(node.port(), http_request("GET", "/health")).body);
    std::map<std::string, std::string> listed;
    for (const auto& member : json["members"].GetArray()) {
      listed[member["id"].GetString()] =
          member["address"].GetString() + std::string(" ") + member["state"].GetString();
    }
    const std::map<std::string, std::string> expected{
        {cluster::id_text(node.id()), node.address() + " itself"},
        {cluster::id_text(7), "moved.example:3000 streaming"},
        {cluster::id_text(8), "nobody.example:3000 unreachable"},
        {cluster::id_text(9), node.address() + " not_called"}};
    CPPUNIT_ASSERT(listed == expected);
    CPPUNIT_ASSERT_EQUAL(1U, json["repairs_owed"].GetUint());
    CPPUNIT_ASSERT_EQUAL(std::string("healthy"), std::string(json["status"].GetString()));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(QuorumTest, "quorum_test");

}  // namespace minivault::test
