// Goal: what a worker answers to another node's hello, pulse and read: nothing is taken that was not
// introduced, nothing wrong believed, nothing malformed does anything. Method: SYNC frames by hand to a node
// whose board is the test's (board_node.h).

#include "worker/sync_session.h"

#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/cluster/notes.h"
#include "common/cluster/range.h"
#include "common/core/clock.h"
#include "tests/support/base_pages.h"
#include "tests/support/bytes.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/processes.h"
#include "tests/worker/board_node.h"
#include "tests/worker/sync_answers.h"

namespace minivault::test {

using cluster::Reply;

class SyncSessionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SyncSessionTest);
  CPPUNIT_TEST(a_hello_is_answered_and_left_for_the_replicator);
  CPPUNIT_TEST(a_hello_tells_whether_it_is_of_a_new_node);
  CPPUNIT_TEST(a_question_who_is_there_introduces_nobody);
  CPPUNIT_TEST(callers_are_refused_by_name);
  CPPUNIT_TEST(a_copy_does_not_take_the_place_of_a_silent_node);
  CPPUNIT_TEST(who_is_forgotten_while_connected_is_refused);
  CPPUNIT_TEST(who_is_forgotten_during_the_hello_is_refused);
  CPPUNIT_TEST(nobody_is_forgotten_who_was_never_heard_of);
  CPPUNIT_TEST(nobody_is_forgotten_whom_the_set_has_no_room_for);
  CPPUNIT_TEST(nothing_goes_before_hello);
  CPPUNIT_TEST(the_key_is_needed_in_every_mode);
  CPPUNIT_TEST(reads_tell_tombstones_from_nothing);
  CPPUNIT_TEST(a_debt_is_told_to_whoever_it_is_with);
  CPPUNIT_TEST(what_is_malformed_is_named_and_does_nothing);
  CPPUNIT_TEST(nothing_of_a_strangers_message_is_unfolded);
  CPPUNIT_TEST(a_message_leaves_nothing_behind);
  CPPUNIT_TEST(a_pulse_tells_what_is_held);
  CPPUNIT_TEST(whoever_is_being_filled_compares_without_a_floor);
  CPPUNIT_TEST(whoever_found_damage_compares_without_a_floor);
  CPPUNIT_TEST(whose_count_is_off_compares_without_a_floor);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_hello_is_answered_and_left_for_the_replicator() {
    const BoardNode node;
    node.board().epoch.store(4711);
    FakePeer peer(node.port());
    const cluster::HelloReply answer = peer.hello();
    CPPUNIT_ASSERT_EQUAL(node.id(), answer.id);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4711}, answer.epoch);
    CPPUNIT_ASSERT_EQUAL(node.address(), answer.address);
    CPPUNIT_ASSERT(answer.complete);
    CPPUNIT_ASSERT(answer.position == cluster::Position{});
    CPPUNIT_ASSERT(answer.largest_value > 4'000'000);
    const shared::Introduction& told = node.board().introductions[0];
    CPPUNIT_ASSERT_EQUAL(shared::Introduction::kThere + 0, told.state.load());
    CPPUNIT_ASSERT_EQUAL(peer.id(), told.node_id);
    CPPUNIT_ASSERT_EQUAL(FakePeer::kEpoch + 0, told.epoch);
    CPPUNIT_ASSERT_EQUAL(std::string("peer.example:3000"), std::string(told.address));
  }

  // By its note, whatever the board says: at a start the replicator may not have spoken yet.
  void a_hello_tells_whether_it_is_of_a_new_node() {
    const BoardNode node;
    FakePeer peer(node.port());
    CPPUNIT_ASSERT(!peer.hello().has_agreed);
    cluster::MemberSet agreed;
    CPPUNIT_ASSERT(agreed.introduce(node.id(), "a:1"));
    CPPUNIT_ASSERT(agreed.introduce(FakePeer::kId, "b:1"));
    node.write_note(cluster::kAgreedNote, agreed.encode());
    CPPUNIT_ASSERT(peer.hello().has_agreed);
  }

  void a_question_who_is_there_introduces_nobody() {
    const BoardNode node;
    FakePeer peer(node.port());
    CPPUNIT_ASSERT_EQUAL(node.id(), peer.hello(true).id);
    CPPUNIT_ASSERT_EQUAL(shared::Introduction::kFree + 0, node.board().introductions[0].state.load());
    assert_reply(Reply::kSayHelloFirst, peer.ask(cluster::kBatch, peer.batch_message(0, 0, {})));
    CPPUNIT_ASSERT(read_of(peer.ask(cluster::kRead, "k")).state == cluster::ReadReply::State::kAbsent);
  }

  void callers_are_refused_by_name() {
    const BoardNode node;
    node.board().epoch.store(5);
    cluster::MemberSet members;
    CPPUNIT_ASSERT(members.forget(666));
    node.write_note(cluster::kMembersNote, members.encode());
    node.set_peer(0, 42, "127.0.0.1:1");
    node.board().peers[0].epoch.store(1);
    node.board().peers[0].last_epoch.store(1);
    node.board().peers[0].last_heard_ms.store(monotonic_ms());
    const auto reply_to = [&](std::uint64_t id, std::uint64_t epoch, std::uint32_t version) {
      FakePeer peer(node.port(), id, epoch);
      cluster::Hello hello = peer.hello_message();
      hello.version = version;
      const std::string answer = peer.ask(cluster::kHello, cluster::encode(hello));
      return answer;
    };
    assert_reply(Reply::kOtherVersion, reply_to(1, 1, cluster::kProtocolVersion + 1));
    assert_reply(Reply::kItself, reply_to(node.id(), 5, cluster::kProtocolVersion));
    assert_reply(Reply::kIdTaken, reply_to(node.id(), 6, cluster::kProtocolVersion));
    node.set_needed(1);  // of two holders who reaches no majority has nothing to say
    assert_reply(Reply::kBusy, reply_to(node.id(), 6, cluster::kProtocolVersion));
    node.set_needed(0);
    assert_reply(Reply::kForgotten, reply_to(666, 1, cluster::kProtocolVersion));
    assert_reply(Reply::kBusy, reply_to(42, 2, cluster::kProtocolVersion));  // the last life of the same?
    node.board().peers[0].last_heard_ms.store(monotonic_ms() + 2'000);
    assert_reply(Reply::kIdTaken, reply_to(42, 2, cluster::kProtocolVersion));
    assert_reply(Reply::kOk, reply_to(42, 1, cluster::kProtocolVersion));
    node.board().peers[0].last_heard_ms.store(0);  // the other holder is gone
    assert_reply(Reply::kOk, reply_to(42, 2, cluster::kProtocolVersion));
    node.board().epoch.store(0);
    assert_reply(Reply::kBusy, reply_to(1, 1, cluster::kProtocolVersion));
  }

  // The holder of the id has been silent for some seconds: stopped, or cut off. Who comes from its last
  // start, or from its address, is itself; who comes from elsewhere and knows nothing of that start is a
  // copy.
  void a_copy_does_not_take_the_place_of_a_silent_node() {
    const BoardNode node;
    node.set_peer(0, 42, "127.0.0.1:1");
    node.board().peers[0].last_epoch.store(7);
    node.board().peers[0].last_heard_ms.store(monotonic_ms() - 5'000);
    std::uint64_t epoch = 8;
    const auto reply_to = [&](std::uint64_t previous, const std::string& address) {
      FakePeer peer(node.port(), 42, epoch++);
      cluster::Hello hello = peer.hello_message();
      hello.previous_epoch = previous;
      hello.address = address;
      return peer.ask(cluster::kHello, cluster::encode(hello));
    };
    assert_reply(Reply::kBusy, reply_to(6, "127.0.0.1:2"));
    assert_reply(Reply::kOk, reply_to(7, "127.0.0.1:2"));
    assert_reply(Reply::kOk, reply_to(6, "127.0.0.1:1"));
    node.board().peers[0].last_heard_ms.store(monotonic_ms() - shared::kForkSilenceMs);
    assert_reply(Reply::kOk, reply_to(6, "127.0.0.1:2"));
  }

  // Its connections may live on for long after that, and so may those of its repairs.
  void who_is_forgotten_while_connected_is_refused() {
    const BoardNode node;
    node.know(FakePeer::kId);
    FakePeer peer(node.port());
    FakePeer repairing(node.port());
    FakePeer other(node.port(), 7);
    (void)peer.hello();
    (void)peer.begin(0);
    (void)peer.batch(0, 10, {{"k", "v", hlc_now()}});
    (void)repairing.hello(true);
    (void)other.hello(true);
    cluster::MemberSet members;
    CPPUNIT_ASSERT(members.forget(peer.id()));
    node.write_note(cluster::kMembersNote, members.encode());
    node.board().members_digest.store(members.digest());
    cluster::BatchWriter pushed(0);
    pushed.add({store::Operation::kSet, 0, {hlc_now(), 9}, "k", "pushed"});
    const std::string push = pushed.finish_push();
    const std::string batch = peer.batch_message(10, 20, {{"k", "w", hlc_now()}});
    assert_reply(Reply::kForgotten, peer.ask(cluster::kBatch, batch));
    assert_reply(Reply::kForgotten, peer.ask(cluster::kPulse, cluster::encode(cluster::Pulse{})));
    assert_reply(Reply::kForgotten, repairing.ask(cluster::kPush, push));
    assert_reply(Reply::kForgotten, repairing.ask(cluster::kRead, "k"));
    assert_reply(Reply::kForgotten, repairing.ask(cluster::kCompare, ""));
    CPPUNIT_ASSERT_EQUAL(std::string("v"), get(node, "k"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, position_of(node, peer.id()).lsn);
    assert_reply(Reply::kOk, other.ask(cluster::kPush, push));  // who was not goes on
    CPPUNIT_ASSERT_EQUAL(std::string("pushed"), get(node, "k"));
  }

  // Its hello was judged by the set from before, and what says that there is another one was there already
  // when the hello was remembered.
  void who_is_forgotten_during_the_hello_is_refused() {
    const BoardNode node;
    FakePeer peer(node.port());
    cluster::MemberSet members;
    CPPUNIT_ASSERT(members.forget(peer.id()));
    node.board().members_digest.store(members.digest());
    (void)peer.hello();
    (void)peer.begin(0);
    node.write_note(cluster::kMembersNote, members.encode());
    assert_reply(Reply::kForgotten,
                 peer.ask(cluster::kBatch, peer.batch_message(0, 10, {{"k", "v", hlc_now()}})));
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "k"));
  }

  void nobody_is_forgotten_who_was_never_heard_of() {
    const BoardNode node;
    cluster::MemberSet members;
    CPPUNIT_ASSERT(members.introduce(42, "127.0.0.1:1").has_value());
    CPPUNIT_ASSERT(members.forget(666));
    node.write_note(cluster::kMembersNote, members.encode());
    node.set_peer(0, 7, "127.0.0.1:2");  // a stranger that `minivault cluster` shows
    FakePeer person(node.port(), 0);
    (void)person.hello(true);
    std::atomic<std::uint64_t>& requested = node.board().forget_requested;
    const auto forget = [&](cluster::NodeId id) {
      requested.store(0);
      return person.ask(cluster::kForget, cluster::id_text(id));
    };
    const std::string mistyped = forget(43);
    assert_reply(Reply::kMalformed, mistyped);
    CPPUNIT_ASSERT_MESSAGE(mistyped, mistyped.find("is no member here") != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, requested.load());
    for (const cluster::NodeId known : {42, 7, 666}) {
      assert_reply(Reply::kOk, forget(known));
      CPPUNIT_ASSERT_EQUAL(known, requested.load());
    }
  }

  void nobody_is_forgotten_whom_the_set_has_no_room_for() {
    const BoardNode node;
    cluster::MemberSet members;
    CPPUNIT_ASSERT(members.introduce(42, "127.0.0.1:1").has_value());
    for (cluster::NodeId id = 100; members.forgotten().size() < cluster::MemberSet::kMostForgotten; ++id) {
      CPPUNIT_ASSERT(members.forget(id));
    }
    node.write_note(cluster::kMembersNote, members.encode());
    FakePeer person(node.port(), 0);
    (void)person.hello(true);
    const std::string answer = person.ask(cluster::kForget, cluster::id_text(42));
    assert_reply(Reply::kMalformed, answer);
    CPPUNIT_ASSERT_MESSAGE(answer, answer.find("at most 4096 nodes") != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, node.board().forget_requested.load());
  }

  void nothing_goes_before_hello() {
    const BoardNode node;
    FakePeer peer(node.port());
    for (const auto kind : {cluster::kBatch, cluster::kPush, cluster::kPulse, cluster::kRead, cluster::kDebt,
                            cluster::kCompare, std::string_view("stream")}) {
      assert_reply(Reply::kSayHelloFirst, peer.ask(kind, "x"));
    }
    (void)peer.hello();
    assert_reply(Reply::kMalformed, peer.ask("stream", "x"));
  }

  void a_debt_is_told_to_whoever_it_is_with() {
    const BoardNode node;
    FakePeer peer(node.port());
    (void)peer.hello();
    const auto owed = [&] {
      cluster::Reply refusal = cluster::Reply::kOk;
      return cluster::decode_debt_reply(peer.ask(cluster::kDebt, ""), refusal).value();
    };
    CPPUNIT_ASSERT(!owed());
    node.write_note(cluster::debt_note(peer.id() + 1), "1");
    CPPUNIT_ASSERT(!owed());
    node.write_note(cluster::debt_note(peer.id()), "1");
    CPPUNIT_ASSERT(owed());
    node.write_note(cluster::debt_note(peer.id()), "");  // paid
    CPPUNIT_ASSERT(!owed());
  }

  void the_key_is_needed_in_every_mode() {
    for (const AuthMode mode : {AuthMode::kNone, AuthMode::kWrites, AuthMode::kAll}) {
      Config config;
      config.auth_key = "secret";
      config.auth_mode = mode;
      const BoardNode node(config);
      FakePeer peer(node.port());
      peer.send(cluster::kHello, cluster::encode(peer.hello_message()));
      CPPUNIT_ASSERT_EQUAL(kError, peer.raw().receive(5));
      CPPUNIT_ASSERT_EQUAL(kError, peer.raw().exchange(auth_frame("wrong"), 5));
      CPPUNIT_ASSERT_EQUAL(kOk, peer.raw().exchange(auth_frame("secret"), 5));
      CPPUNIT_ASSERT_EQUAL(node.id(), peer.hello().id);
    }
  }

  void reads_tell_tombstones_from_nothing() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    FakePeer peer(node.port());
    (void)peer.hello();
    (void)peer.begin(0);
    (void)peer.batch(0, 10, {{"set", "v", hlc}, {"gone", std::nullopt, hlc + 1}});
    using State = cluster::ReadReply::State;
    const std::string set_answer = peer.ask(cluster::kRead, "set");
    const cluster::ReadReply set = read_of(set_answer);
    CPPUNIT_ASSERT(set.state == State::kPresent && set.complete && set.value == "v");
    CPPUNIT_ASSERT((set.version == store::Version{hlc, peer.id()}));
    const std::string gone_answer = peer.ask(cluster::kRead, "gone");
    const cluster::ReadReply gone = read_of(gone_answer);
    CPPUNIT_ASSERT(gone.state == State::kDeleted);
    CPPUNIT_ASSERT((gone.version == store::Version{hlc + 1, peer.id()}));
    CPPUNIT_ASSERT(read_of(peer.ask(cluster::kRead, "never")).state == State::kAbsent);
    node.board().complete.store(0);
    node.set_needed(1);
    CPPUNIT_ASSERT(!read_of(peer.ask(cluster::kRead, "never")).complete);
    assert_reply(Reply::kMalformed, peer.ask(cluster::kRead, ""));
    assert_reply(Reply::kMalformed, peer.ask(cluster::kRead, std::string(70'000, 'k')));
  }

  void what_is_malformed_is_named_and_does_nothing() {
    const BoardNode node;
    const std::uint64_t hlc = hlc_now();
    FakePeer peer(node.port());
    (void)peer.hello();
    cluster::BatchWriter writer(peer.id());
    writer.add({store::Operation::kSet, 0, {hlc, peer.id()}, "bad", "value"});
    cluster::BatchWriter future(peer.id());
    future.add({store::Operation::kSet, 0, {UINT64_MAX - 5, peer.id()}, "bad", "value"});
    cluster::BatchWriter foreign(peer.id());
    foreign.add({store::Operation::kSet, 0, {hlc, 9}, "bad", "value"});
    const cluster::BatchHead head{FakePeer::kEpoch, false, 0, 10, hlc};
    const cluster::BatchHead never{FakePeer::kEpoch, false, 0, 10, UINT64_MAX};
    const cluster::BatchHead elsewhen{FakePeer::kEpoch + 1, false, 0, 10, hlc};
    cluster::Hello nowhere = peer.hello_message();
    nowhere.address = "nowhere";
    const std::string good = writer.finish(head);
    std::vector<std::pair<std::string_view, std::string>> wrong;
    for (std::size_t size = 0; size < good.size(); ++size)
      wrong.push_back({cluster::kBatch, good.substr(0, size)});
    cluster::BatchWriter pushed(0);
    pushed.add({store::Operation::kSet, 0, {hlc, 7}, "bad", "value"});
    const std::string push_message = pushed.finish_push();
    for (std::size_t size = 0; size < push_message.size(); ++size)
      wrong.push_back({cluster::kPush, push_message.substr(0, size)});
    wrong.push_back({cluster::kBatch, good + '\0'});
    wrong.push_back({cluster::kBatch, writer.finish(never)});
    wrong.push_back({cluster::kBatch, writer.finish(elsewhen)});
    wrong.push_back({cluster::kBatch, future.finish(never)});
    wrong.push_back({cluster::kHello, cluster::encode(nowhere)});
    wrong.push_back({cluster::kBatch, foreign.finish(head)});
    wrong.push_back({cluster::kPush, push_message + "x"});
    cluster::BatchWriter future_push(0);
    future_push.add({store::Operation::kSet, 0, {UINT64_MAX - 5, peer.id()}, "bad", "value"});
    wrong.push_back({cluster::kPush, future_push.finish_push()});
    wrong.push_back({cluster::kPulse, "x"});
    wrong.push_back({cluster::kHello, "x"});
    wrong.push_back({cluster::kHello, cluster::encode(peer.hello_message()) + "x"});
    for (const auto& [kind, message] : wrong) {
      (void)peer.begin(0);
      assert_reply(Reply::kMalformed, peer.ask(kind, message));
    }
    (void)peer.begin(0);
    peer.raw().send(keyed_frame('\4', cluster::kBatch) + little_endian(8, 4) + '\1' + "no frame");
    assert_reply(Reply::kMalformed, peer.receive());
    CPPUNIT_ASSERT_EQUAL(std::string("(none)"), get(node, "bad"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, position_of(node, peer.id()).lsn);
    (void)peer.begin(0);
    assert_reply(Reply::kOk, peer.ask(cluster::kBatch, good));
    CPPUNIT_ASSERT_EQUAL(std::string("value"), get(node, "bad"));
  }

  // What it lacks was not deleted: nothing that the other side has is a ghost by its floor.
  void whoever_is_being_filled_compares_without_a_floor() {
    const BoardNode node;
    node.state().limits.tombstone_floor_hlc.store(4711);
    for (const bool complete : {true, false}) {
      node.board().complete.store(complete ? 1 : 0);
      FakePeer peer(node.port());
      (void)peer.hello();
      const std::string answer = peer.ask(cluster::kCompare, "");
      const auto reply = cluster::decode_compare_reply(answer);
      CPPUNIT_ASSERT_MESSAGE(answer, reply.has_value());
      CPPUNIT_ASSERT_EQUAL(node.id(), reply->id);
      CPPUNIT_ASSERT_EQUAL(complete, reply->complete);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{complete ? 4711U : 0U}, reply->floor_hlc);
    }
  }

  void whoever_found_damage_compares_without_a_floor() {
    const BoardNode node;
    node.state().limits.tombstone_floor_hlc.store(4711);
    node.state().base_damage.store(shared::kDamageFound);
    FakePeer peer(node.port());
    (void)peer.hello();
    const auto reply = cluster::decode_compare_reply(peer.ask(cluster::kCompare, ""));
    CPPUNIT_ASSERT(reply && !reply->complete && reply->floor_hlc == 0);
  }

  // Before anything was asked for: the other side may ask for ranges that are whole.
  void whose_count_is_off_compares_without_a_floor() {
    const BoardNode node;
    node.state().limits.tombstone_floor_hlc.store(4711);
    FakePeer peer(node.port());
    (void)peer.hello();
    (void)peer.begin(0);
    std::vector<FakePeer::Entry> entries;
    for (unsigned i = 0; i < 600; ++i) entries.push_back({"key " + std::to_string(i), "value", hlc_now(i)});
    (void)peer.batch(0, 10, entries);
    const auto compare = [&] {
      FakePeer other(node.port());
      (void)other.hello();
      const auto reply = cluster::decode_compare_reply(other.ask(cluster::kCompare, ""));
      CPPUNIT_ASSERT(reply.has_value());
      return *reply;
    };
    CPPUNIT_ASSERT(compare().complete);  // and all of it is in the base
    BasePages pages(node.base_file());
    (void)pages.hide(5);
    pages.store_changes();
    const cluster::CompareReply reply = compare();
    CPPUNIT_ASSERT(!reply.complete && reply.floor_hlc == 0);
    CPPUNIT_ASSERT_EQUAL(shared::kDamageFound + 0, node.state().base_damage.load());
  }

  // A few KB, of which a node that said hello may make it unfold 8 MB.
  void nothing_of_a_strangers_message_is_unfolded() {
    const BoardNode node;
    const std::string bomb(8'000'000, '\0');
    FakePeer stranger(node.port());
    const std::string refused = stranger.ask(cluster::kHello, bomb, true);
    assert_reply(Reply::kMalformed, refused);
    CPPUNIT_ASSERT_MESSAGE(refused, refused.find("content exceeds 262144 bytes") != std::string::npos);
    stranger.raw().send(keyed_frame('\4', cluster::kPush) + little_endian(1, 4) + "\1x");  // no frame at all
    assert_reply(Reply::kSayHelloFirst, stranger.receive());
    assert_reply(Reply::kOk, stranger.ask(cluster::kHello, cluster::encode(stranger.hello_message()), true));
    // It is no stranger now: its message is unfolded, and is no hello of this version.
    assert_reply(Reply::kOtherVersion, stranger.ask(cluster::kHello, bomb, true));
  }

  // Whatever becomes of it, and however many connections there are that say no more.
  void a_message_leaves_nothing_behind() {
    constexpr std::size_t kPeers = 24;
    constexpr std::uint64_t kEnough = 64 << 20;
    const BoardNode node;
    const std::string bomb(8'000'000, '\0');
    const std::uint64_t before = node.worker_peak_memory();
    std::vector<std::unique_ptr<FakePeer>> peers;
    for (std::size_t i = 0; i < kPeers; ++i) {
      peers.push_back(std::make_unique<FakePeer>(node.port()));
      (void)peers.back()->hello();
      const std::string_view kind = std::array{cluster::kHello, cluster::kPulse, cluster::kRead,
                                               cluster::kPush,  cluster::kBatch, cluster::kForget}[i % 6];
      CPPUNIT_ASSERT(refusal_in(peers.back()->ask(kind, bomb, true)) != Reply::kOk);
    }
    const std::uint64_t after = node.worker_peak_memory();
    CPPUNIT_ASSERT_MESSAGE(std::to_string(before) + " -> " + std::to_string(after),
                           after < before + kEnough + kKeptFreed);
  }

  void a_pulse_tells_what_is_held() {
    const BoardNode node;
    node.board().epoch.store(3);
    node.board().vouched_from.store(1);
    const std::uint64_t hlc = hlc_now();
    FakePeer peer(node.port());
    cluster::MemberSet members;
    CPPUNIT_ASSERT(members.introduce(peer.id(), "peer.example:3000").has_value());
    CPPUNIT_ASSERT(members.introduce(node.id(), node.address()).has_value());
    node.write_note(cluster::kMembersNote, members.encode());
    (void)peer.hello();
    (void)peer.begin(0);
    (void)peer.batch(0, 10, {{"k", "v", hlc}});
    Reply refusal{};
    const std::string answer = peer.ask(cluster::kPulse, cluster::encode(cluster::Pulse{}));
    const auto pulse = cluster::decode_pulse_reply(answer, refusal);
    CPPUNIT_ASSERT(pulse.has_value());
    CPPUNIT_ASSERT_EQUAL(node.id(), pulse->id);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, pulse->epoch);
    CPPUNIT_ASSERT_EQUAL(members.digest(), pulse->members_digest);
    CPPUNIT_ASSERT(pulse->clock_us > 1'600'000'000'000'000);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, pulse->held.size());
    CPPUNIT_ASSERT(pulse->held[0].origin == node.id() && pulse->held[0].position.lsn == node.tail());
    CPPUNIT_ASSERT(pulse->complete && pulse->held[0].position.hlc >= hlc);
    CPPUNIT_ASSERT_EQUAL(peer.id(), pulse->held[1].origin);
    CPPUNIT_ASSERT((pulse->held[1].position == cluster::Position{FakePeer::kEpoch, 10, hlc}));
    // Who has no word for its own stream says so: it may have forgotten some.
    node.board().vouched_from.store(0);
    const std::string unsure = peer.ask(cluster::kPulse, cluster::encode(cluster::Pulse{}));
    const auto wordless = cluster::decode_pulse_reply(unsure, refusal);
    CPPUNIT_ASSERT(wordless.has_value() && wordless->complete);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, wordless->held[0].position.hlc);
    CPPUNIT_ASSERT_EQUAL(hlc, wordless->held[1].position.hlc);
    node.board().complete.store(0);
    const std::string later = peer.ask(cluster::kPulse, cluster::encode(cluster::Pulse{}));
    const auto filling = cluster::decode_pulse_reply(later, refusal);
    CPPUNIT_ASSERT(filling.has_value() && !filling->complete);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SyncSessionTest, "sync_session_test");

}  // namespace minivault::test
