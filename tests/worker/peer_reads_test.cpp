// Goal: a quorum read gives the newest version that a majority holds, and leaves a majority holding it; a
// node that is still being filled says "not found" only after a complete node did.
// Method: two or three nodes whose boards are the test's: what each holds was never replicated but by reads.

#include "worker/peer_reads.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <string>

#include "tests/client/fake_server.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/worker/board_node.h"

namespace minivault::test {

namespace {

constexpr milliseconds kShort{600};
const Headers kQuorum{"X-Minivault-Consistency: quorum"};

Config config_of(milliseconds timeout = kPatience, const std::string& key = "") {
  Config config;
  config.write_timeout = timeout;
  config.auth_key = key;
  if (!key.empty()) config.auth_mode = AuthMode::kWrites;
  return config;
}

HttpResponse put(const BoardNode& node, const std::string& key, const std::string& json) {
  return http(node.port(), http_upload("PUT", "/" + key, "{\"value\":" + json + "}"));
}
HttpResponse get(const BoardNode& node, const std::string& key, const Headers& headers = {}) {
  return http(node.port(), http_request("GET", "/" + key, headers));
}

}  // namespace

class PeerReadsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PeerReadsTest);
  CPPUNIT_TEST(the_newest_of_a_majority_is_the_answer);
  CPPUNIT_TEST(a_majority_holds_it_before_it_is_told);
  CPPUNIT_TEST(what_lies_above_here_meanwhile_is_the_answer);
  CPPUNIT_TEST(what_lies_above_there_is_the_answer);
  CPPUNIT_TEST(a_newer_delete_wins);
  CPPUNIT_TEST(what_was_deleted_long_ago_is_no_answer);
  CPPUNIT_TEST(whoever_was_away_for_long_hears_that_it_was_deleted);
  CPPUNIT_TEST(who_still_has_the_delete_is_no_holder_of_what_was_deleted);
  CPPUNIT_TEST(this_node_may_be_the_one_that_knows);
  CPPUNIT_TEST(large_values_come_whole);
  CPPUNIT_TEST(without_a_majority_there_is_no_answer);
  CPPUNIT_TEST(a_node_that_is_being_filled_has_no_voice);
  CPPUNIT_TEST(a_voice_of_another_set_is_none);
  CPPUNIT_TEST(a_peer_that_comes_in_time_is_heard);
  CPPUNIT_TEST(a_peer_that_came_back_is_heard);
  CPPUNIT_TEST(the_key_is_said);
  CPPUNIT_TEST(other_consistencies_are_named);
  CPPUNIT_TEST(an_absent_key_is_asked_for_while_filling);
  CPPUNIT_TEST(conditions_are_decided_with_what_others_hold);
  CPPUNIT_TEST(nobody_to_ask_is_no_absence);
  CPPUNIT_TEST_SUITE_END();

 public:
  void the_newest_of_a_majority_is_the_answer() {
    const BoardNode here;
    const BoardNode there;
    assert_done(put(here, "k", "1"));
    assert_done(put(there, "k", "2"));
    join(here, there);
    assert_data(get(here, "k"), "1");
    assert_data(get(here, "k", kQuorum), "2");
    // Told once, it stays: this node holds it now.
    assert_data(get(here, "k"), "2");
    CPPUNIT_ASSERT_EQUAL(get(there, "k").header("etag"), get(here, "k").header("etag"));
    assert_refused(get(here, "none", kQuorum), 404);
  }

  void a_majority_holds_it_before_it_is_told() {
    const BoardNode here;
    const BoardNode there;
    const BoardNode third;
    for (const BoardNode* node : {&here, &there, &third}) node->set_needed(0);
    assert_done(put(here, "k", "1"));
    assert_done(put(there, "k", "2"));
    here.set_peer(0, there);
    here.set_peer(1, third);
    here.set_needed(2);  // of three all
    assert_data(get(here, "k", kQuorum), "2");
    assert_data(get(third, "k"), "2");
    assert_data(get(here, "k"), "2");
  }

  // The other node's write has an older version and would be stamped anew: begun after this node's was
  // acknowledged, by a clock that is late. Told before, readers would see it, then this one, then it again.
  void what_lies_above_here_meanwhile_is_the_answer() {
    const BoardNode here;
    const BoardNode there;
    assert_done(put(here, "k", "0"));
    assert_done(put(there, "k", "2"));
    there.stop_worker();
    std::atomic<bool> was_asked = false;
    const FakeServer third([&](RawConnection& connection, unsigned) {
      while (receive_request(connection).key != cluster::kRead) {
        connection.send(value_answer(cluster::encode(cluster::HelloReply{})));
      }
      was_asked = true;
      ignore(connection, 0);
    });
    here.set_peer(0, there);
    here.set_peer(1, 8, third.address().text());
    here.set_quorum(shared::kNoLsn - 1);
    here.set_needed(1);
    RawConnection client(here.port());
    client.send(http_request("GET", "/k", kQuorum));
    eventually("this node has said what it holds", [&] { return was_asked.load(); });
    assert_done(put(here, "k", "1"));
    there.continue_worker();
    assert_data(receive_http(client), "1");
    assert_data(get(there, "k"), "1");
  }

  void what_lies_above_there_is_the_answer() {
    const BoardNode here;
    assert_done(put(here, "k", "2"));
    const store::Version above{here.state().append.last_hlc.load() + 1, 8};
    std::atomic<bool> was_pushed = false;
    const FakeServer there([&](RawConnection& connection, unsigned) {
      for (;;) {
        const SeenRequest request = receive_request(connection);
        cluster::ReadReply held;
        cluster::BatchReply refused;
        held.complete = true;
        if (was_pushed)
          held.state = cluster::ReadReply::State::kPresent, held.version = above, held.value = "1";
        if (request.key == cluster::kHello) {
          connection.send(value_answer(cluster::encode(cluster::HelloReply{})));
        } else if (request.key == cluster::kRead) {
          connection.send(value_answer(cluster::encode(held)));
        } else {
          was_pushed = true;
          refused.conflicts.push_back({0, above});
          connection.send(value_answer(cluster::encode(refused)));
        }
      }
    });
    here.set_peer(0, 8, there.address().text());
    here.set_needed(1);
    const auto bytes = [&](Headers headers) {
      headers.emplace_back("Accept: application/octet-stream");
      return get(here, "k", headers).body;
    };
    CPPUNIT_ASSERT_EQUAL(std::string("1"), bytes(kQuorum));
    CPPUNIT_ASSERT_EQUAL(std::string("1"), bytes({}));
  }

  void a_newer_delete_wins() {
    const BoardNode here;
    const BoardNode there;
    assert_done(put(here, "k", "1"));
    assert_done(http(there.port(), http_request("DELETE", "/k")));
    join(here, there);
    assert_refused(get(here, "k", kQuorum), 404);
    assert_refused(get(here, "k"), 404);
  }

  // Every member but one that was away held the delete, and has forgotten it since.
  void what_was_deleted_long_ago_is_no_answer() {
    const BoardNode here;
    const BoardNode back;
    assert_done(put(back, "k", "1"));
    assert_done(put(back, "l", "1"));
    here.state().limits.tombstone_floor_hlc.store(back.state().append.last_hlc.load());
    assert_done(put(back, "l", "2"));  // above the floor: no ghost
    join(here, back);
    assert_refused(get(here, "k", kQuorum), 404);
    assert_refused(get(here, "k"), 404);
    assert_data(get(here, "l", kQuorum), "2");
  }

  void whoever_was_away_for_long_hears_that_it_was_deleted() {
    const BoardNode back;
    const BoardNode there;
    assert_done(put(back, "k", "1"));
    there.state().limits.tombstone_floor_hlc.store(back.state().append.last_hlc.load());
    join(back, there);
    assert_refused(get(back, "k", kQuorum), 404);
    assert_refused(get(there, "k"), 404);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, there.board().ghosts_dropped.load());
  }

  // Two are a majority, and one of them has nothing; the third, which speaks later, has not yet forgotten the
  // delete that beats what the first holds.
  void who_still_has_the_delete_is_no_holder_of_what_was_deleted() {
    const BoardNode back;
    const BoardNode remembers;
    assert_done(put(back, "k", "1"));
    assert_done(put(remembers, "k", "2"));
    assert_done(http(remembers.port(), http_request("DELETE", "/k")));
    remembers.stop_worker();
    std::atomic<bool> was_pushed = false;
    FakeServer forgot([&](RawConnection& connection, unsigned) {
      for (;;) {
        const SeenRequest request = receive_request(connection);
        if (request.key == cluster::kHello) {
          connection.send(value_answer(cluster::encode(cluster::HelloReply{})));
        } else if (request.key == cluster::kRead) {
          cluster::ReadReply nothing;
          nothing.complete = true;
          connection.send(value_answer(cluster::encode(nothing)));
        } else {
          was_pushed = true;  // and not yet answered
        }
      }
    });
    back.set_peer(0, 8, "127.0.0.1:" + std::to_string(forgot.address().port));
    back.set_peer(1, remembers);
    back.set_needed(1);
    RawConnection client(back.port());
    client.send(http_request("GET", "/k", kQuorum));
    eventually("what is held here was pushed", [&] { return was_pushed.load(); });
    remembers.continue_worker();
    assert_refused(receive_http(client), 404);
  }

  void this_node_may_be_the_one_that_knows() {
    const BoardNode here;
    const BoardNode there;
    assert_done(put(here, "k", "1"));
    assert_refused(get(there, "k"), 404);
    join(here, there);
    assert_data(get(here, "k", kQuorum), "1");
    assert_data(get(there, "k"), "1");
  }

  void large_values_come_whole() {
    const BoardNode here;
    const BoardNode there;
    const std::string large = '"' + std::string(1'000'000, 'x') + '"';
    assert_done(put(there, "k", large));
    join(here, there);
    assert_data(get(here, "k", kQuorum), large);
    CPPUNIT_ASSERT(get(here, "k").body.size() > 1'000'000);
    const HttpResponse head = head_of(here);
    CPPUNIT_ASSERT_EQUAL(200, head.status);
  }

  void without_a_majority_there_is_no_answer() {
    const BoardNode here(config_of(kShort));
    const BoardNode there;
    assert_done(put(here, "k", "1"));
    here.set_peer(0, there);
    here.set_peer(1, 99, "127.0.0.1:1");
    here.set_needed(2);
    assert_refused(get(here, "k", kQuorum), 503,
                   "quorum not reached within 600 ms: 2 of the 3 nodes needed answered");
    assert_data(get(here, "k"), "1");
  }

  // A majority is one of a member set: two sets may have majorities without a common node.
  void a_voice_of_another_set_is_none() {
    const BoardNode here(config_of(kShort));
    const BoardNode there;
    assert_done(put(here, "k", "1"));
    join(here, there);
    there.board().members_digest.store(7);
    assert_refused(get(here, "k", kQuorum), 503);
    here.board().members_digest.store(7);
    assert_data(get(here, "k", kQuorum), "1");
  }

  void a_node_that_is_being_filled_has_no_voice() {
    const BoardNode here(config_of(kShort));
    const BoardNode there;
    assert_done(put(here, "k", "1"));
    join(here, there);
    there.set_needed(1);
    there.board().complete.store(0);
    assert_refused(get(here, "k", kQuorum), 503);
    there.board().complete.store(1);
    assert_data(get(here, "k", kQuorum), "1");
    here.board().complete.store(0);  // its own voice counts no more than another's
    assert_refused(get(here, "k", kQuorum), 503);
  }

  void a_peer_that_comes_in_time_is_heard() {
    const BoardNode here;
    const BoardNode there;
    assert_done(put(there, "k", "2"));
    here.set_needed(shared::kNotYetKnown);
    RawConnection client(here.port());
    client.send(http_request("GET", "/k", kQuorum));
    CPPUNIT_ASSERT(client.silent_for(milliseconds(200)));
    join(here, there);
    assert_data(receive_http(client), "2");
  }

  void a_peer_that_came_back_is_heard() {
    const BoardNode here;
    {
      const BoardNode gone;
      assert_done(put(gone, "k", "0"));
      join(here, gone);
      assert_data(get(here, "k", kQuorum), "0");
    }
    const BoardNode there;
    assert_done(put(there, "k", "2"));
    RawConnection client(here.port());
    client.send(http_request("GET", "/k", kQuorum));  // over a connection that broke
    CPPUNIT_ASSERT(client.silent_for(milliseconds(200)));
    here.set_peer(0, there);
    assert_data(receive_http(client), "2");
  }

  void the_key_is_said() {
    const BoardNode here(config_of(kPatience, "secret"));
    const BoardNode there(config_of(kPatience, "secret"));
    RawConnection client(there.port());
    CPPUNIT_ASSERT_EQUAL(kOk + kOk, client.exchange(auth_frame("secret") + set_frame("k", "2"), 10));
    join(here, there);
    assert_data(get(here, "k", kQuorum), "2");
    const BoardNode stranger(config_of(kShort, "another"));
    join(stranger, there);
    assert_refused(get(stranger, "k", kQuorum), 503);
  }

  void other_consistencies_are_named() {
    const BoardNode node;
    assert_done(put(node, "k", "1"));
    assert_data(get(node, "k", {"X-Minivault-Consistency: local"}), "1");
    assert_data(get(node, "k", kQuorum), "1");  // alone it is its own majority
    assert_refused(get(node, "k", {"X-Minivault-Consistency: all"}), 400,
                   "X-Minivault-Consistency is local or quorum");
  }

  void an_absent_key_is_asked_for_while_filling() {
    const BoardNode here;
    const BoardNode there;
    assert_done(put(there, "k", "2"));
    assert_done(put(there, "binary", "3"));
    join(here, there);
    here.board().complete.store(0);
    assert_data(get(here, "k"), "2");
    assert_refused(get(here, "none"), 404, "not found");
    RawConnection client(here.port());
    const std::string pipeline = get_frame("binary") + get_frame("none") + get_frame("k");
    CPPUNIT_ASSERT_EQUAL(value_answer("3") + kError + value_answer("2"), client.exchange(pipeline, 17));
    // What was asked for is here now.
    here.board().peers[0].state.store(shared::PeerState::kNone);
    assert_data(get(here, "k"), "2");
  }

  void conditions_are_decided_with_what_others_hold() {
    const BoardNode here;
    const BoardNode there;
    assert_done(put(there, "k", "2"));
    assert_done(put(there, "l", "2"));
    const std::string tag = get(there, "l").header("etag");
    join(here, there);
    here.set_quorum(shared::kNoLsn - 1);
    here.board().complete.store(0);
    assert_refused(http(here.port(), http_upload("POST", "/k", R"({"value":1})")), 409, "exists");
    const Headers match{"If-Match: " + tag};
    assert_done(http(here.port(), http_upload("PUT", "/l", R"({"value":3})", match)));
    assert_refused(http(here.port(), http_upload("PUT", "/l", R"({"value":4})", match)), 412);
    assert_done(http(here.port(), http_upload("POST", "/new", R"({"value":1})")), 201);
  }

  void nobody_to_ask_is_no_absence() {
    const BoardNode here(config_of(kShort));
    here.set_peer(0, 99, "127.0.0.1:1");
    here.set_needed(1);
    here.board().complete.store(0);
    assert_refused(get(here, "k"), 503);
    assert_refused(http(here.port(), http_upload("POST", "/k", R"({"value":1})")), 503);
    RawConnection client(here.port());
    CPPUNIT_ASSERT_EQUAL(kError, client.exchange(get_frame("k"), 5));
  }

 private:
  static void join(const BoardNode& here, const BoardNode& there) {
    here.set_peer(0, there);
    here.set_needed(1);
  }

  static HttpResponse head_of(const BoardNode& node) {
    RawConnection client(node.port());
    client.send(http_request("HEAD", "/k", kQuorum));
    return receive_http(client, false);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PeerReadsTest, "peer_reads_test");

}  // namespace minivault::test
