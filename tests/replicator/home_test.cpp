// Goal: what a node says of itself is on disk before it is said; positions in its stream are judged right;
// its member set grows by one at a time. Method: a Home over an engine whose disk can be held.

#include "replicator/home.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "common/store/base.h"
#include "tests/store/engine.h"
#include "tests/store/recovery_support.h"
#include "tests/support/wait.h"

namespace minivault::replicator {
namespace {

using cluster::MemberSet;
using test::Engine;
using test::in_turn;

MemberSet set_of(const std::vector<NodeId>& ids) {
  MemberSet set;
  for (const NodeId id : ids) CPPUNIT_ASSERT(set.introduce(id, std::to_string(id) + ":1").has_value());
  return set;
}

class HomeTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HomeTest);
  CPPUNIT_TEST(an_epoch_is_told_when_it_is_on_disk);
  CPPUNIT_TEST(each_start_is_an_epoch);
  CPPUNIT_TEST(a_stream_begins_where_the_peer_is);
  CPPUNIT_TEST(what_the_ring_lost_is_jumped_over);
  CPPUNIT_TEST(what_is_undecided_is_sent_again);
  CPPUNIT_TEST(what_was_not_answered_is_sent_again);
  CPPUNIT_TEST(whoever_holds_what_the_ring_lost_undecided_does_not_count);
  CPPUNIT_TEST(who_knows_more_of_this_node_than_it_does);
  CPPUNIT_TEST(a_lost_tail_is_noticed_after_two_power_cuts);
  CPPUNIT_TEST(what_was_forgotten_is_not_vouched_for);
  CPPUNIT_TEST(what_is_lost_during_a_first_fill_is_remembered);
  CPPUNIT_TEST(the_floor_outlasts_a_start);
  CPPUNIT_TEST(the_limits_of_members_outlast_a_start);
  CPPUNIT_TEST(what_is_owed_anew_is_not_paid_by_what_began_before);
  CPPUNIT_TEST(a_new_id_is_complete_by_nobodys_word);
  CPPUNIT_TEST(a_new_id_has_agreed_with_nobody);
  CPPUNIT_TEST(one_comes_in_at_a_time);
  CPPUNIT_TEST(who_cannot_be_forgotten_is_said_to_be_a_member);
  CPPUNIT_TEST(whoever_is_new_believes_all);
  CPPUNIT_TEST(a_start_remembers_that_a_change_is_under_way);
  CPPUNIT_TEST(whoever_was_born_alone_is_new);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    engine_ = std::make_unique<Engine>();
    engine_->config.cluster_nodes = {"2:1", "3:1"};
    engine_->config.public_url = "1:1";
    engine_->start();
    begin();
  }
  void tearDown() override {
    end();
    engine_.reset();
  }

  void an_epoch_is_told_when_it_is_on_disk() {
    engine_->suspend_checkpointer();
    open();
    CPPUNIT_ASSERT(home_->epoch() != 0);
    CPPUNIT_ASSERT(!home_->is_open());
    engine_->resume_checkpointer();
    test::eventually("it is", [&] { return home_->is_open(); });
  }

  void each_start_is_an_epoch() {
    open();
    const std::uint64_t first = home_->epoch();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, home_->hello().previous_epoch);
    end();
    begin();  // another replicator of the same start
    open();
    CPPUNIT_ASSERT_EQUAL(first, home_->epoch());
    restart();
    CPPUNIT_ASSERT(home_->epoch() != first);
    CPPUNIT_ASSERT_EQUAL(first, home_->hello().previous_epoch);
    CPPUNIT_ASSERT_EQUAL(home_->id(), home_->hello().id);
  }

  void a_stream_begins_where_the_peer_is() {
    open();
    test::put(*store_, "k", "v");
    const std::uint64_t before = home_->epoch();
    const Lsn there = tail();
    // Whoever has nothing gets all, for the log has it since this node was born.
    const Beginning all = in_turn(*store_, [&] { return home_->begin_stream({}); });
    CPPUNIT_ASSERT(!all.jump && all.from < there && !all.waits);
    restart();
    const Lsn began = tail_at_start_;
    test::put(*store_, "k", "w");
    assert_begins({before, there, 0}, {.from = there});
    assert_begins({home_->epoch(), tail(), 0}, {.from = tail()});
    // Void: an epoch that is not this node's, and what lies beyond an epoch's end.
    assert_begins({home_->epoch() ^ 1U, there, 0}, {.from = began, .jump = true});
    assert_begins({before, tail(), 0}, {.from = began, .jump = true});
    assert_begins({home_->epoch(), tail() + 8, 0}, {.from = began, .jump = true});
    assert_begins({}, {.from = began, .jump = true});
  }

  // And writes may still wait for it.
  void what_the_ring_lost_is_jumped_over() {
    open();
    test::put(*store_, "k", "v");
    const cluster::Position held{home_->epoch(), tail(), 0};
    const std::string value(1 << 20, 'v');
    for (int i = 0; i < 24; ++i) test::put(*store_, "fill", value);
    assert_begins(held, {.from = tail(), .jump = true, .waits = true});
    assert_begins({}, {.from = tail(), .jump = true, .waits = true});
  }

  // A peer may hold a write, hold something newer, too, and have said so in an answer that was lost.
  void what_is_undecided_is_sent_again() {
    open();
    shared::ClusterBoard& board = engine_->state().cluster;
    const Lsn began = engine_->state().limits.first_lsn.load();
    test::put(*store_, "k", "u");
    const Lsn told = tail();
    test::put(*store_, "k", "v");
    const cluster::Position held{home_->epoch(), tail(), 0};
    assert_begins(held, {.from = tail()});  // nobody waits
    board.needed.store(1);
    assert_begins(held, {.from = began});
    board.quorum.store(told);
    assert_begins(held, {.from = told});
    board.quorum.store(0);
    board.given_up.store(told);
    assert_begins(held, {.from = told});
    assert_begins({home_->epoch(), told - 8, 0}, {.from = told - 8});
  }

  // Nor may a ghost be forgotten, of which nobody waits to be told.
  void what_was_not_answered_is_sent_again() {
    open();
    const Lsn answered = tail();
    test::put(*store_, "k", "v");
    const cluster::Position held{home_->epoch(), tail(), 0};
    assert_begins(held, {.from = answered}, answered);
    assert_begins(held, {.from = tail()}, tail() + 8);
    const std::string value(1 << 20, 'v');
    for (int i = 0; i < 24; ++i) test::put(*store_, "fill", value);
    assert_begins({home_->epoch(), tail(), 0}, {.from = tail()}, answered);  // it is nowhere any more
  }

  void whoever_holds_what_the_ring_lost_undecided_does_not_count() {
    open();
    engine_->state().cluster.needed.store(1);
    engine_->state().cluster.quorum.store(tail());
    const std::string value(1 << 20, 'v');
    for (int i = 0; i < 24; ++i) test::put(*store_, "fill", value);
    assert_begins({home_->epoch(), tail(), 0}, {.from = tail(), .waits = true});
    engine_->state().cluster.given_up.store(tail());
    assert_begins({home_->epoch(), tail(), 0}, {.from = tail()});
  }

  void who_knows_more_of_this_node_than_it_does() {
    open();
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(!home_->is_older_than({}));
      CPPUNIT_ASSERT(!home_->is_older_than({home_->epoch(), 0, 0}));
      CPPUNIT_ASSERT(home_->is_older_than({home_->epoch(), tail() + 8, 0}));
      CPPUNIT_ASSERT(home_->is_older_than({home_->epoch() ^ 1U, 0, 0}));
      return 0;
    });
  }

  /// The second one takes the epoch that the start after the first has drawn.
  void a_lost_tail_is_noticed_after_two_power_cuts() {
    open();
    const Lsn kept = tail();
    test::put(*store_, "k", "v");
    const cluster::Position sent{home_->epoch(), tail(), 0};
    cut_power(kept);
    engine_->suspend_checkpointer();
    open();
    const std::uint64_t unknown = home_->epoch();
    cut_power(tail_at_start_);
    open();
    const cluster::Position now{home_->epoch(), tail(), 0};
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(home_->is_older_than(sent));
      CPPUNIT_ASSERT(home_->is_older_than({unknown, tail_at_start_, 0}));
      CPPUNIT_ASSERT(!home_->is_older_than({sent.epoch, kept, 0}));
      return 0;
    });
    assert_begins(sent, {.from = tail_at_start_, .jump = true});
    // Told once: another cut takes nothing of what is known now.
    engine_->wait_durable(tail());
    cut_power(tail());
    open();
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(!home_->is_older_than(now));
      CPPUNIT_ASSERT(home_->is_older_than(sent));
      return 0;
    });
    CPPUNIT_ASSERT_EQUAL(now.epoch, home_->hello().previous_epoch);
  }

  // It owes the one who knows more a repair, and has no word for its own stream until somebody says so; nor
  // has its next life.
  void what_was_forgotten_is_not_vouched_for() {
    open();
    const auto own_word = [&] { return home_->held().front().position.hlc; };
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(home_->become_complete().has_value());
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, own_word());
      const Lsn before = tail();
      CPPUNIT_ASSERT(home_->vouch().has_value());
      CPPUNIT_ASSERT(before < tail());  // or an idle stream would not tell
      CPPUNIT_ASSERT_EQUAL(tail(), engine_->state().cluster.vouched_from.load());
      CPPUNIT_ASSERT_EQUAL(engine_->state().append.last_hlc.load(), own_word());
      CPPUNIT_ASSERT(home_->debt(2) == store::Version());
      CPPUNIT_ASSERT(home_->forgot_what_is_at(2).has_value());
      CPPUNIT_ASSERT(home_->debt(2) != store::Version());
      CPPUNIT_ASSERT(!home_->is_complete() && !home_->vouches());
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, own_word());
      CPPUNIT_ASSERT(home_->become_complete().has_value());
      CPPUNIT_ASSERT(home_->vouch().has_value());
      return 0;
    });
    restart();
    CPPUNIT_ASSERT(home_->is_complete() && !home_->vouches());
  }

  // It was never complete, and has acknowledged something all the same: whoever fills it must not be taken
  // for enough because it has lost nothing (sources_needed).
  void what_is_lost_during_a_first_fill_is_remembered() {
    open();
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(!home_->is_complete() && !home_->has_forgotten());
      CPPUNIT_ASSERT(home_->forgot_what_is_at(2).has_value());
      CPPUNIT_ASSERT(!home_->is_complete() && home_->has_forgotten());
      const Lsn noted = tail();  // each hello may say it again
      CPPUNIT_ASSERT(home_->forgot_what_is_at(2).has_value());
      CPPUNIT_ASSERT_EQUAL(noted, tail());
      return 0;
    });
    restart();
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(!home_->is_complete() && home_->has_forgotten());
      CPPUNIT_ASSERT(home_->become_complete().has_value());
      CPPUNIT_ASSERT(home_->is_complete() && !home_->has_forgotten());
      return 0;
    });
  }

  // What was purged by it once is a ghost in every life.
  void the_floor_outlasts_a_start() {
    open();
    CPPUNIT_ASSERT(in_turn(*store_, [&] { return home_->raise_floor(4'711); }).has_value());
    restart();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4'711}, home_->floor());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4'711}, engine_->state().limits.tombstone_floor_hlc.load());
  }

  // Whoever told it may be off meanwhile.
  void the_limits_of_members_outlast_a_start() {
    open();
    const std::uint64_t own = home_->largest_value();
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT_EQUAL(own, store_->largest_value(1));
      CPPUNIT_ASSERT(home_->introduce(2, "2:1", 5'000).has_value());
      CPPUNIT_ASSERT(home_->introduce(3, "3:1").has_value());
      CPPUNIT_ASSERT(home_->note_limit(2, 4'000).has_value());
      CPPUNIT_ASSERT(home_->note_limit(4, 1).has_value());  // no member
    });
    end();
    begin();  // another replicator of the same start
    open();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4'000}, home_->largest_value());
    restart();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4'000}, home_->largest_value());
    CPPUNIT_ASSERT(in_turn(*store_, [&] { return home_->forget(2); }).has_value());
    CPPUNIT_ASSERT_EQUAL(own, home_->largest_value());
  }

  // Made due again while a repair was under way: that one may have passed by what it is due for.
  void what_is_owed_anew_is_not_paid_by_what_began_before() {
    open();
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(home_->owe(2).has_value());
      const store::Version first = home_->debt(2);
      CPPUNIT_ASSERT(first != store::Version());
      CPPUNIT_ASSERT(home_->owe(2).has_value());
      CPPUNIT_ASSERT(first == home_->debt(2));
      CPPUNIT_ASSERT(home_->owe(2, true).has_value());
      const store::Version second = home_->debt(2);
      CPPUNIT_ASSERT(first < second);
      CPPUNIT_ASSERT(home_->pay(2, first).has_value());
      CPPUNIT_ASSERT(second == home_->debt(2));
      CPPUNIT_ASSERT(home_->pay(2, second).has_value());
      CPPUNIT_ASSERT(home_->debt(2) == store::Version());
      return 0;
    });
  }

  void one_comes_in_at_a_time() {
    open();
    agree_on({2, 3});
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(home_->introduce(4, "4:1").has_value());
      CPPUNIT_ASSERT(home_->is_changing());
      CPPUNIT_ASSERT(home_->memory().is_old(3) && !home_->memory().is_old(4) &&
                     home_->memory().old_set() == OldSet::kWhole);
      // Nobody comes in by the word of who is new itself; who was there may know better.
      CPPUNIT_ASSERT(home_->merge(set_of({4, 5}), 4).has_value());
      CPPUNIT_ASSERT(home_->members().find(5) == nullptr);
      CPPUNIT_ASSERT(home_->merge(set_of({2, 6}), 2).has_value());
      CPPUNIT_ASSERT(home_->members().find(6) != nullptr);
      // That somebody was forgotten is believed from anybody.
      MemberSet forgets;
      CPPUNIT_ASSERT(forgets.forget(3));
      CPPUNIT_ASSERT(home_->merge(forgets, 9).has_value());
      CPPUNIT_ASSERT(home_->members().find(3) == nullptr && home_->is_changing());
      CPPUNIT_ASSERT(home_->memory().old_set() == OldSet::kParted);
      CPPUNIT_ASSERT(home_->agree().has_value());
      CPPUNIT_ASSERT(!home_->is_changing());
      CPPUNIT_ASSERT(home_->merge(set_of({4, 5}), 4).has_value());
      CPPUNIT_ASSERT(home_->members().find(5) != nullptr);
      return 0;
    });
  }

  // `minivault new-id` of an older copy: what the old id acknowledged since is not there.
  void a_new_id_is_complete_by_nobodys_word() {
    open();
    CPPUNIT_ASSERT(in_turn(*store_, [&] { return home_->become_complete(); }).has_value());
    const NodeId before = home_->id();
    restart();
    CPPUNIT_ASSERT(home_->is_complete());
    restart_with_new_id();
    CPPUNIT_ASSERT(home_->id() != before);
    CPPUNIT_ASSERT(!home_->is_complete());
  }

  // Whom the directory knew under its old id are members still, but none that this node would wait for: it
  // believes who has agreed since, also where all of them were replaced, or were forgotten here.
  void a_new_id_has_agreed_with_nobody() {
    open();
    agree_on({2, 3});
    restart_with_new_id();
    CPPUNIT_ASSERT(home_->members().find(2) != nullptr);
    CPPUNIT_ASSERT(home_->memory().old_set() == OldSet::kNone && home_->is_changing());
    in_turn(*store_, [&] {
      for (const NodeId gone : {2, 3}) CPPUNIT_ASSERT(home_->forget(gone).has_value());
      CPPUNIT_ASSERT(home_->merge(set_of({4, 5}), 4).has_value());
      CPPUNIT_ASSERT(home_->members().find(5) != nullptr && home_->members().find(2) == nullptr);
      return 0;
    });
  }

  // As many are as the note has room for.
  void who_cannot_be_forgotten_is_said_to_be_a_member() {
    open();
    MemberSet many = set_of({2});
    for (NodeId id = 10; many.forgotten().size() < MemberSet::kMostForgotten; ++id) {
      CPPUNIT_ASSERT(many.forget(id));
    }
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(home_->merge(many, 2).has_value());
      CPPUNIT_ASSERT(home_->forget(10).has_value());  // is already
      const Status done = home_->forget(2);
      CPPUNIT_ASSERT(!done && done.error().code == Code::kTooLarge);
      CPPUNIT_ASSERT(home_->members().find(2) != nullptr);
      return 0;
    });
  }

  void whoever_is_new_believes_all() {
    open();
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(home_->merge(set_of({2, 3, 4}), 2).has_value());
      CPPUNIT_ASSERT_EQUAL(std::size_t{4}, home_->members().members().size());
      CPPUNIT_ASSERT(home_->memory().old_set() == OldSet::kNone && home_->is_changing() &&
                     !home_->memory().is_old(2));
      return 0;
    });
  }

  void a_start_remembers_that_a_change_is_under_way() {
    open();
    agree_on({2, 3});
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(home_->introduce(4, "4:1").has_value());
      return 0;
    });
    restart();
    CPPUNIT_ASSERT(home_->members().find(4) != nullptr);
    CPPUNIT_ASSERT(home_->is_changing());
    CPPUNIT_ASSERT(home_->memory().is_old(3) && !home_->memory().is_old(4));
  }

  // It has agreed with nobody: that it is alone was its own word.
  void whoever_was_born_alone_is_new() {
    end();
    engine_->config.cluster_nodes.clear();
    begin();
    open();
    CPPUNIT_ASSERT(home_->memory().old_set() == OldSet::kNone && !home_->is_changing());
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(home_->introduce(2, "2:1").has_value());
      CPPUNIT_ASSERT(home_->memory().old_set() == OldSet::kNone && home_->is_changing());
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, home_->memory().agreed_version());
      return 0;
    });
  }

 private:
  [[nodiscard]] Lsn tail() const { return engine_->state().marks.tail.load(); }

  void begin() {
    store_.emplace(engine_->open_store());
    context_.emplace(ChildContext{engine_->config, engine_->region(), 1});
    home_ = std::make_unique<Home>(*context_, *store_);
    tail_at_start_ = tail();
    engine_->state().cluster.needed.store(0);  // nobody waits, where a test says nothing else
  }
  void end() {
    home_.reset();
    context_.reset();
    store_.reset();
  }
  void open() {
    const Status opened = in_turn(*store_, [&] { return home_->open(); });
    CPPUNIT_ASSERT_MESSAGE(opened ? "" : opened.error().message, opened.has_value());
  }
  void restart() {
    end();
    engine_->stop();
    engine_->start();
    begin();
    open();
  }
  void restart_with_new_id() {
    end();
    engine_->stop();
    give_new_id();
    engine_->start();
    begin();
    open();
  }
  /// As `minivault new-id` does.
  void give_new_id() const {
    auto base = store::Base::open_writer(engine_->config.data_directory);
    CPPUNIT_ASSERT(base.has_value());
    auto change = base->begin();
    CPPUNIT_ASSERT(change.has_value());
    ++change->meta().node_id;
    CPPUNIT_ASSERT(change->commit().has_value());
  }
  /// What lies in the log from `lsn` on was not on disk.
  void cut_power(Lsn lsn) {
    const bool all = lsn == tail();
    end();
    engine_->kill();
    if (!all) {
      test::recovery_support::overwrite(test::recovery_support::log_of(*engine_),
                                        test::recovery_support::offset_of(lsn, engine_->config.log_bytes),
                                        std::string(64, '\0'));
    }
    engine_->start();
    begin();
  }
  void agree_on(const std::vector<NodeId>& ids) {
    in_turn(*store_, [&] {
      CPPUNIT_ASSERT(home_->merge(set_of(ids), ids.front()).has_value());
      CPPUNIT_ASSERT(home_->agree().has_value());
      return 0;
    });
  }
  void assert_begins(const cluster::Position& position, const Beginning& expected,
                     Lsn answered = shared::kNoLsn) {
    const Beginning beginning = in_turn(*store_, [&] { return home_->begin_stream(position, answered); });
    CPPUNIT_ASSERT_EQUAL(expected.from, beginning.from);
    CPPUNIT_ASSERT_EQUAL(expected.jump, beginning.jump);
    CPPUNIT_ASSERT_EQUAL(expected.waits, beginning.waits);
  }

  std::unique_ptr<Engine> engine_;
  std::optional<store::Store> store_;
  std::optional<ChildContext> context_;
  std::unique_ptr<Home> home_;
  Lsn tail_at_start_ = 0;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HomeTest, "home_test");

}  // namespace
}  // namespace minivault::replicator
