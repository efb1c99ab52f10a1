// Goal: what another node sends to be kept is kept once, in order, and acknowledged when a power cut cannot
// take it back; what is older, a ghost, or stamped too low is told and not kept. Method: batches by hand to a
// node whose board is the test's (board_node.h).

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/cluster/notes.h"
#include "common/core/clock.h"
#include "common/store/node_clock.h"
#include "tests/support/bytes.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/processes.h"
#include "tests/worker/board_node.h"
#include "tests/worker/sync_answers.h"

namespace minivault::test {
namespace {

using cluster::Reply;

constexpr milliseconds kPause{150};

cluster::BatchReply push(FakePeer& peer, const cluster::BatchWriter& writer) {
  Reply refusal{};
  const std::string answer = peer.ask(cluster::kPush, writer.finish_push());
  const auto reply = cluster::decode_batch_reply(answer, refusal);
  CPPUNIT_ASSERT_MESSAGE(answer, reply.has_value());
  return *reply;
}

}  // namespace

class SyncRecordsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SyncRecordsTest);
  CPPUNIT_TEST(a_batch_is_written_and_remembered);
  CPPUNIT_TEST(a_compressed_batch_is_as_good);
  CPPUNIT_TEST(a_gap_is_refused_until_the_stream_begins_anew);
  CPPUNIT_TEST(what_comes_again_changes_nothing);
  CPPUNIT_TEST(an_older_record_is_a_conflict);
  CPPUNIT_TEST(one_version_with_two_values_ends_as_one);
  CPPUNIT_TEST(a_jump_is_a_debt);
  CPPUNIT_TEST(a_jump_over_a_debt_is_owed_anew);
  CPPUNIT_TEST(the_answer_waits_for_the_disk);
  CPPUNIT_TEST(what_is_told_of_notes_is_on_disk);
  CPPUNIT_TEST(the_answer_waits_for_what_was_in_the_way);
  CPPUNIT_TEST(a_push_is_of_any_origin);
  CPPUNIT_TEST(ghosts_are_dropped);
  CPPUNIT_TEST(only_members_stream);
  CPPUNIT_TEST(what_a_newcomer_stamped_too_low_is_a_conflict);
  CPPUNIT_TEST(what_somebody_long_away_stamped_too_low_is_a_conflict);
  CPPUNIT_TEST(a_clock_a_century_ahead_is_none);
  CPPUNIT_TEST(what_the_log_does_not_believe_any_more_is_not_passed);
  CPPUNIT_TEST(the_largest_record_fits);
  CPPUNIT_TEST(what_is_larger_than_any_message_is_refused_by_name);
  CPPUNIT_TEST(what_waits_for_room_in_the_log_is_bounded);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_batch_is_written_and_remembered() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    {
      FakePeer peer(node.port());
      (void)peer.hello();
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, peer.begin(100).to);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{300},
                           peer.batch(100, 300, {{"a", "1", hlc}, {"b", "2", hlc + 1}}).to);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{400}, peer.batch(300, 400, {{"a", std::nullopt, hlc + 2}}).to);
    }
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "a"));
    CPPUNIT_ASSERT_EQUAL(std::string("2"), get(node, "b"));
    FakePeer again(node.port());
    const cluster::Position held = again.hello().position;
    CPPUNIT_ASSERT((held == cluster::Position{FakePeer::kEpoch, 400, hlc + 2}));
    FakePeer other(node.port(), 2);
    CPPUNIT_ASSERT(other.hello().position == cluster::Position{});
  }

  void a_compressed_batch_is_as_good() {
    const BoardNode node;
    StreamingPeer peer(node);
    const std::string value(200'000, 'v');
    const std::string message = peer.batch_message(0, 10, {{"k", value, hlc_now()}});
    assert_reply(Reply::kOk, peer.ask(cluster::kBatch, message, true));
    CPPUNIT_ASSERT_EQUAL(value, std::string(read_of(peer.ask(cluster::kRead, "k")).value));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, position_of(node, peer.id()).lsn);
  }

  void a_gap_is_refused_until_the_stream_begins_anew() {
    const BoardNode node;
    FakePeer peer(node.port());
    (void)peer.hello();
    const std::uint64_t hlc = hlc_now();
    assert_reply(Reply::kGap, peer.ask(cluster::kBatch, peer.batch_message(0, 10, {{"k", "v", hlc}})));
    (void)peer.begin(0);
    (void)peer.batch(0, 10, {{"k", "v", hlc}});
    assert_reply(Reply::kGap, peer.ask(cluster::kBatch, peer.batch_message(11, 20, {{"l", "v", hlc + 1}})));
    // What was sent behind it before the refusal was read is not taken either.
    assert_reply(Reply::kGap, peer.ask(cluster::kBatch, peer.batch_message(10, 20, {{"m", "v", hlc + 1}})));
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "l"));
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "m"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, position_of(node, peer.id()).lsn);
    (void)peer.begin(10);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20}, peer.batch(10, 20, {{"m", "v", hlc + 1}}).to);
    CPPUNIT_ASSERT_EQUAL(std::string("v"), get(node, "m"));
  }

  void what_comes_again_changes_nothing() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    StreamingPeer peer(node);
    (void)peer.batch(0, 10, {{"k", "v", hlc}, {"l", std::nullopt, hlc + 1}});
    const shared::Lsn tail = node.tail();
    StreamingPeer again(node);
    // Held is what was held, wherever the stream goes on.
    CPPUNIT_ASSERT((position_of(node, peer.id()) == cluster::Position{FakePeer::kEpoch, 10, hlc + 1}));
    const cluster::BatchReply answer = again.batch(0, 10, {{"k", "v", hlc}, {"l", std::nullopt, hlc + 1}});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, answer.to);
    CPPUNIT_ASSERT(answer.conflicts.empty());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, node.board().equal_versions.load());
    CPPUNIT_ASSERT_EQUAL(tail, node.tail());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, position_of(node, peer.id()).lsn);
  }

  void an_older_record_is_a_conflict() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    StreamingPeer peer(node);
    RawConnection client(node.port());
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame("k", "newer"), 5));
    const cluster::BatchReply answer = peer.batch(0, 10, {{"j", "x", hlc - 2}, {"k", "older", hlc - 1}});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, answer.to);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, answer.conflicts.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, answer.conflicts[0].index);
    CPPUNIT_ASSERT_EQUAL(node.id(), answer.conflicts[0].held.origin);
    CPPUNIT_ASSERT(answer.conflicts[0].held.hlc >= hlc);
    CPPUNIT_ASSERT_EQUAL(std::string("newer"), get(node, "k"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, node.board().conflicts.load());
  }

  void one_version_with_two_values_ends_as_one() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    StreamingPeer peer(node);
    (void)peer.batch(0, 10, {{"k", "one", hlc}});
    (void)peer.batch(0, 10, {{"k", "two", hlc}});
    const std::string first = get(node, "k");
    (void)peer.batch(0, 10, {{"k", "one", hlc}});
    CPPUNIT_ASSERT_EQUAL(first, get(node, "k"));
    (void)peer.batch(0, 10, {{"k", "two", hlc}});
    CPPUNIT_ASSERT_EQUAL(first, get(node, "k"));
    const BoardNode other;  // where they come the other way round
    StreamingPeer there(other);
    (void)there.batch(0, 10, {{"k", "two", hlc}});
    (void)there.batch(0, 10, {{"k", "one", hlc}});
    CPPUNIT_ASSERT_EQUAL(first, get(other, "k"));
    CPPUNIT_ASSERT(node.board().equal_versions.load() > 0);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, other.board().equal_versions.load());
  }

  void a_jump_is_a_debt() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    StreamingPeer peer(node);
    (void)peer.batch(0, 10, {{"k", "v", hlc}});
    CPPUNIT_ASSERT_EQUAL(std::string(), node.note(cluster::debt_note(peer.id())));
    StreamingPeer jumped(node, 500, true, hlc + 5);
    CPPUNIT_ASSERT(!node.note(cluster::debt_note(peer.id())).empty());
    CPPUNIT_ASSERT((position_of(node, peer.id()) == cluster::Position{FakePeer::kEpoch, 500, hlc}));
    (void)jumped.batch(500, 510, {{"l", "v", hlc + 9}});
    CPPUNIT_ASSERT_EQUAL(hlc, position_of(node, peer.id()).hlc);
    node.write_note(cluster::debt_note(peer.id()), "");  // paid
    (void)jumped.batch(510, 520, {{"m", "v", hlc + 10}});
    CPPUNIT_ASSERT((position_of(node, peer.id()) == cluster::Position{FakePeer::kEpoch, 520, hlc + 10}));
  }

  // Since the first of them; but whoever repairs meanwhile has another debt before it.
  void a_jump_over_a_debt_is_owed_anew() {
    const BoardNode node;
    StreamingPeer peer(node, 500, true);
    const std::string name = cluster::debt_note(peer.id());
    const auto version = [&] {
      return node.in_store(
          [&](store::Store& store) { return std::to_string(store.note(name)->version.hlc); });
    };
    const std::string since = node.note(name);
    const std::string first = version();
    StreamingPeer jumped(node, 900, true);
    CPPUNIT_ASSERT_EQUAL(since, node.note(name));
    CPPUNIT_ASSERT(first != version());
  }

  // Each of some tiny messages unfolds to 3 MB that wait until the log has room, and it has none.
  void what_waits_for_room_in_the_log_is_bounded() {
    constexpr std::size_t kPeers = 80;
    constexpr std::uint64_t kEnough = 190
                                      << 20;  // of 240 MB: 138 MB may be unfolded, and the ring is counted
    Config config;
    config.write_timeout = milliseconds(1'000);
    const BoardNode node(config);
    const std::string value(3'000'000, 'v');
    node.await_durable();
    node.hold_disk();
    const std::uint64_t before = node.worker_peak_memory();
    std::vector<std::unique_ptr<FakePeer>> peers;
    for (std::size_t i = 0; i < kPeers; ++i) {
      cluster::BatchWriter writer(0);
      writer.add({store::Operation::kSet, 0, {hlc_now(), 9}, "k" + std::to_string(i), value});
      const std::string message = zstd_frame(writer.finish_push());
      peers.push_back(std::make_unique<FakePeer>(node.port()));
      (void)peers.back()->hello(true);
      peers.back()->raw().send(keyed_frame('\4', cluster::kPush) + little_endian(message.size(), 4) + '\1' +
                               message);
    }
    // Who has waited for long enough is refused, and the next ones are unfolded.
    assert_reply(Reply::kCannotWrite, peers[kPeers / 4]->receive());
    assert_reply(Reply::kCannotWrite, peers.back()->receive());
    const std::uint64_t most = node.worker_peak_memory();
    CPPUNIT_ASSERT_MESSAGE(std::to_string(before) + " -> " + std::to_string(most),
                           most < before + kEnough + kKeptFreed);
    node.release_disk();
    assert_reply(Reply::kOk, peers.front()->receive());
  }

  void the_answer_waits_for_the_disk() {
    const BoardNode node;
    StreamingPeer peer(node);
    node.await_durable();
    node.hold_disk();
    peer.send(cluster::kBatch, peer.batch_message(0, 10, {{"k", "v", hlc_now()}}));
    CPPUNIT_ASSERT(peer.raw().silent_for(kPause));
    node.release_disk();
    assert_reply(Reply::kOk, peer.receive());
  }

  // Of the member set and of positions.
  void what_is_told_of_notes_is_on_disk() {
    const BoardNode node;
    FakePeer caller(node.port());
    FakePeer pulse(node.port());
    FakePeer stream(node.port());
    (void)pulse.hello();
    (void)stream.hello();
    (void)stream.begin(0);
    const std::string members = node.note(cluster::kMembersNote);
    node.await_durable();
    node.hold_disk();
    node.write_note(cluster::kMembersNote, members);
    caller.send(cluster::kHello, cluster::encode(caller.hello_message()));
    pulse.send(cluster::kPulse, cluster::encode(cluster::Pulse{}));
    stream.send(cluster::kBatch, stream.batch_message(0, 0, {}));  // appends nothing
    for (FakePeer* peer : {&caller, &pulse, &stream}) CPPUNIT_ASSERT(peer->raw().silent_for(kPause));
    node.release_disk();
    for (FakePeer* peer : {&caller, &pulse, &stream}) assert_reply(Reply::kOk, peer->receive());
  }

  void the_answer_waits_for_what_was_in_the_way() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    StreamingPeer peer(node);
    (void)peer.batch(0, 10, {{"j", "x", hlc - 5}});
    node.hold_disk();
    RawConnection client(node.port());
    const shared::Lsn tail = node.tail();
    client.send(set_frame("k", "newer"));
    eventually("the newer record is in the log", [&] { return node.tail() > tail; });
    cluster::BatchWriter older(0);
    older.add({store::Operation::kSet, 0, {hlc - 1, peer.id()}, "k", "older"});
    peer.send(cluster::kPush, older.finish_push());
    CPPUNIT_ASSERT(peer.raw().silent_for(kPause));
    node.release_disk();
    Reply refusal{};
    const std::string answer = peer.receive();
    const auto reply = cluster::decode_batch_reply(answer, refusal);
    CPPUNIT_ASSERT(reply.has_value());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, reply->conflicts.size());
  }

  void a_push_is_of_any_origin() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    FakePeer peer(node.port());
    (void)peer.hello(true);
    cluster::BatchWriter writer(0);
    writer.add({store::Operation::kSet, store::kFlagJson, {hlc, 7}, "a", "[1]"});
    writer.add({store::Operation::kSet, 0, {hlc - 100, node.id()}, "b", "mine"});
    writer.add({store::Operation::kDelete, 0, {hlc + 1, 9}, "a", ""});
    CPPUNIT_ASSERT(push(peer, writer).conflicts.empty());
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "a"));
    CPPUNIT_ASSERT_EQUAL(std::string("mine"), get(node, "b"));
    CPPUNIT_ASSERT(position_of(node, 7) == cluster::Position{});
    // Own records that came back do not make the clock go back.
    RawConnection client(node.port());
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame("b", "newer"), 5));
    CPPUNIT_ASSERT_EQUAL(std::string("newer"), get(node, "b"));
  }

  void ghosts_are_dropped() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    StreamingPeer peer(node);
    (void)peer.batch(0, 10, {{"held", "v", hlc}});
    node.state().limits.tombstone_floor_hlc.store(hlc + 10);
    const cluster::BatchReply reply =
        peer.batch(10, 20, {{"ghost", "v", hlc + 1}, {"held", "w", hlc + 2}, {"new", "v", hlc + 11}});
    // Its origin hears of it, and stamps it anew if it is no ghost.
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, reply.conflicts.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, reply.conflicts.front().index);
    CPPUNIT_ASSERT((reply.conflicts.front().held == store::Version{hlc + 10, 0}));
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "ghost"));
    CPPUNIT_ASSERT_EQUAL(std::string("w"), get(node, "held"));
    CPPUNIT_ASSERT_EQUAL(std::string("v"), get(node, "new"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, node.board().ghosts_dropped.load());
    // Whoever is still being filled is no authority on absence.
    node.board().complete.store(0);
    cluster::BatchWriter writer(0);
    writer.add({store::Operation::kSet, 0, {hlc + 1, peer.id()}, "ghost", "v"});
    (void)push(peer, writer);
    CPPUNIT_ASSERT_EQUAL(std::string("v"), get(node, "ghost"));
  }

  void only_members_stream() {
    const BoardNode node;
    node.know(7);
    FakePeer peer(node.port());
    (void)peer.hello();
    const auto opening = cluster::BatchWriter(peer.id()).finish({FakePeer::kEpoch, false, 0, 0, 0});
    assert_reply(Reply::kSayHelloFirst, peer.ask(cluster::kBatch, opening));
    node.know(FakePeer::kId, 2);
    (void)peer.hello();
    assert_reply(Reply::kOk, peer.ask(cluster::kBatch, opening));
  }

  // Others may have heard this node's clock before the newcomer was in anybody's set, and let their floor
  // pass.
  void what_a_newcomer_stamped_too_low_is_a_conflict() {
    const BoardNode node;
    const std::uint64_t joined = hlc_now();
    node.know(FakePeer::kId, joined);
    StreamingPeer peer(node);
    const auto conflicts = peer.batch(0, 10, {{"low", "v", joined}, {"high", "v", joined + 1}}).conflicts;
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, conflicts.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, conflicts.front().index);
    CPPUNIT_ASSERT_EQUAL(joined, conflicts.front().held.hlc);
    CPPUNIT_ASSERT_EQUAL(std::string("v"), get(node, "low"));  // it is no loss if nobody stamps it anew
    // The same once more: it does not count now, either.
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, peer.batch(0, 10, {{"low", "v", joined}}).conflicts.size());
    // Nor where the floor went by it before that.
    node.board().passed_some.store(1);
    const cluster::Settled settled{{5, joined - 10}, {{peer.id(), joined - 10}}};
    node.write_note(cluster::kSettledNote, cluster::encode_settled(settled));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, peer.batch(0, 10, {{"low", "v", joined}}).conflicts.size());
  }

  void what_somebody_long_away_stamped_too_low_is_a_conflict() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    StreamingPeer peer(node);
    CPPUNIT_ASSERT(peer.batch(0, 10, {{"before", "v", hlc}}).conflicts.empty());
    // The floor passes it by while its connection stands.
    node.board().passed_some.store(1);
    const cluster::Settled settled{{5, hlc + 10}, {{peer.id(), hlc + 10}}};
    node.write_note(cluster::kSettledNote, cluster::encode_settled(settled));
    const auto conflicts = peer.batch(10, 20, {{"low", "v", hlc + 10}, {"high", "v", hlc + 11}}).conflicts;
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, conflicts.size());
    CPPUNIT_ASSERT_EQUAL(hlc + 10, conflicts.front().held.hlc);
  }

  // One record takes the clock of every node along that keeps it.
  void a_clock_a_century_ahead_is_none() {
    const BoardNode node;
    StreamingPeer peer(node);
    constexpr std::uint64_t kDay = 86'400'000ULL << store::kHlcCounterBits;
    constexpr std::uint64_t kCentury = 36'525 * kDay;
    const std::uint64_t beyond = hlc_now() + kCentury + kDay;
    for (const std::uint64_t hlc : {beyond, ~std::uint64_t{0}, std::uint64_t{1} << 63U}) {
      const Reply reply = hlc < store::kEndOfTime ? Reply::kCannotWrite : Reply::kMalformed;
      const std::string refused = peer.ask(cluster::kBatch, peer.batch_message(0, 10, {{"k", "v", hlc}}));
      assert_reply(reply, refused);
      const std::string says = "says " + store::hlc_text(hlc) + ", more than a century above this node's";
      CPPUNIT_ASSERT_MESSAGE(refused, refused.find(says) != std::string::npos);
      (void)peer.begin(0);
      cluster::BatchWriter pushed(0);
      pushed.add({store::Operation::kSet, 0, {hlc, 7}, "k", "v"});
      assert_reply(reply, peer.ask(cluster::kPush, pushed.finish_push()));
      const auto opening = cluster::BatchWriter(peer.id()).finish({FakePeer::kEpoch, false, 0, 0, hlc});
      assert_reply(reply, peer.ask(cluster::kBatch, opening));
    }
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "k"));
    CPPUNIT_ASSERT(node.state().append.last_hlc.load() < hlc_now() + kDay);
    // Any other counts, and what is written next is taken by whoever knows the time as well as this node.
    (void)peer.begin(0);
    (void)peer.batch(0, 10, {{"k", "v", beyond - 2 * kDay}});
    CPPUNIT_ASSERT_EQUAL(std::string("v"), get(node, "k"));
    RawConnection client(node.port());
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame("k", "newer"), 5));
    CPPUNIT_ASSERT_EQUAL(std::string("newer"), get(node, "k"));
    CPPUNIT_ASSERT(node.state().append.last_hlc.load() < hlc_now() + kCentury);
  }

  // It was believed when it came, and waited for room; until there was some, this node's clock was set back.
  void what_the_log_does_not_believe_any_more_is_not_passed() {
    const BoardNode node;
    shared::AppendLock& append = node.state().append;
    const std::uint64_t offset = append.clock_offset.load();
    constexpr std::uint64_t kDay = 86'400'000ULL << store::kHlcCounterBits;
    FakePeer peer(node.port());
    (void)peer.hello();
    const auto refused_behind_its_back = [&](std::string_view kind, const std::string& message) {
      // As a checkpointer that is behind does.
      append.paced_until_ns.store(~std::uint64_t{0});
      peer.send(kind, message);
      const bool waits = peer.raw().silent_for(kPause);
      append.clock_offset.store(offset - kDay);
      append.paced_until_ns.store(0);
      assert_reply(Reply::kCannotWrite, peer.receive());
      append.clock_offset.store(offset);
      return waits;
    };
    const std::uint64_t hlc = store::largest_believable_hlc(append) - kDay / 2;
    cluster::BatchWriter pushed(0);
    pushed.add({store::Operation::kSet, 0, {hlc, 7}, "pushed", "v"});
    (void)peer.begin(0);
    CPPUNIT_ASSERT(refused_behind_its_back(cluster::kBatch, peer.batch_message(0, 10, {{"k", "v", hlc}})));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, position_of(node, peer.id()).lsn);
    // And the stream begins anew before it goes on.
    assert_reply(Reply::kGap, peer.ask(cluster::kBatch, peer.batch_message(10, 20, {})));
    CPPUNIT_ASSERT(refused_behind_its_back(cluster::kPush, pushed.finish_push()));
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "k"));
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "pushed"));
    (void)peer.begin(0);
    (void)peer.batch(0, 10, {{"k", "v", hlc}});
    CPPUNIT_ASSERT_EQUAL(std::string("v"), get(node, "k"));
  }

  void the_largest_record_fits() {
    const BoardNode node;
    FakePeer peer(node.port());
    const std::uint64_t largest = peer.hello().largest_value;
    (void)peer.begin(0);
    const std::string key(60'000, 'k');
    const std::string value(largest - key.size(), 'v');
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, peer.batch(0, 10, {{key, value, hlc_now()}}).to);
    const std::string answer = peer.ask(cluster::kRead, key);
    CPPUNIT_ASSERT(read_of(answer).value == value);
    // One that fits no log of this size is refused, and named.
    const std::string too_large(largest + 1'000, 'v');
    const std::string refused =
        peer.ask(cluster::kBatch, peer.batch_message(10, 20, {{"k", too_large, hlc_now(1 << 20)}}));
    assert_reply(Reply::kTooLarge, refused);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, position_of(node, peer.id()).lsn);
  }

  // FF would tell the sender that its key is wrong; and both sides' people are to know what to do.
  void what_is_larger_than_any_message_is_refused_by_name() {
    const BoardNode node;
    FakePeer peer(node.port());
    const std::string message(9 << 20, 'm');  // the log has 16 MB
    RawConnection stranger(node.port());
    stranger.send(keyed_frame('\4', cluster::kBatch) + little_endian(message.size(), 4) + '\0' + message);
    CPPUNIT_ASSERT_EQUAL(kError, stranger.receive(5));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, node.board().too_large_ms.load());
    (void)peer.hello();
    (void)peer.begin(0);
    for (const bool compressed : {false, true}) {
      node.board().too_large_ms.store(0);
      const std::string refused = peer.ask(cluster::kBatch, message, compressed);
      assert_reply(Reply::kTooLarge, refused);
      CPPUNIT_ASSERT(refused.find(cluster::id_text(node.id()) + " takes values of at most ") != refused.npos);
      CPPUNIT_ASSERT(refused.find("start it with -log ") != refused.npos);
      const HttpResponse health = http(node.port(), http_request("GET", "/health"));
      CPPUNIT_ASSERT(health.body.find("\"status\":\"degraded\"") != std::string::npos);
      CPPUNIT_ASSERT(health.body.find("\"too_large\":0") == std::string::npos);
    }
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, position_of(node, peer.id()).lsn);
    (void)peer.begin(0);  // the connection is as good as before
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SyncRecordsTest, "sync_records_test");

}  // namespace minivault::test
