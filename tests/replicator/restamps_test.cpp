// Goal: a write that nobody was told of is written again above what a peer holds, once, and acknowledged with
// that; one that was told, given up or superseded is left alone.

#include "replicator/restamps.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/store/engine.h"

namespace minivault::replicator {
namespace {

using test::Engine;
using test::in_turn;

class RestampsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RestampsTest);
  CPPUNIT_TEST(a_later_write_gets_a_later_version);
  CPPUNIT_TEST(the_quorum_waits_for_the_new_record);
  CPPUNIT_TEST(above_the_newest_that_anybody_holds);
  CPPUNIT_TEST(what_is_newer_than_a_second_record_was_later);
  CPPUNIT_TEST(what_was_given_up_holds_nothing);
  CPPUNIT_TEST(what_was_told_stays);
  CPPUNIT_TEST(what_was_told_while_it_waited_stays);
  CPPUNIT_TEST(what_this_node_wrote_in_its_place_is_no_conflict);
  CPPUNIT_TEST(what_this_node_wrote_since_stays);
  CPPUNIT_TEST(what_another_node_wrote_here_does_not_protect_it);
  CPPUNIT_TEST(of_two_that_another_node_beat_here_the_later_stays_the_later);
  CPPUNIT_TEST(the_later_stands_for_the_earlier_though_nothing_is_said_of_it);
  CPPUNIT_TEST(what_others_wrote_behind_the_later_holds_nothing);
  CPPUNIT_TEST(the_later_is_a_delete_or_the_earlier_is);
  CPPUNIT_TEST(the_later_was_written_on_a_condition);
  CPPUNIT_TEST(what_waited_for_room_comes_in_order_too);
  CPPUNIT_TEST(what_came_behind_a_second_record_is_later_too);
  CPPUNIT_TEST(what_came_behind_an_unknown_second_record_is_later_too);
  CPPUNIT_TEST(the_second_record_of_the_later_stands_for_both);
  CPPUNIT_TEST(what_was_brought_back_is_no_later_write);
  CPPUNIT_TEST(what_was_brought_back_newer_is_no_later_write);
  CPPUNIT_TEST(a_long_log_is_looked_through_in_pieces);
  CPPUNIT_TEST(what_the_ring_lost_is_left_open);
  CPPUNIT_TEST(deletes_too);
  CPPUNIT_TEST(what_others_brought_back_stays_what_it_was);
  CPPUNIT_TEST(what_was_told_at_once_stays_and_stands_for_nothing);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    engine_ = std::make_unique<Engine>();
    engine_->config.cluster_nodes = {"peer:1"};  // tombstones are kept
    engine_->start();
    store_.emplace(engine_->open_store());
    restamps_ = std::make_unique<Restamps>(*store_, engine_->state().limits.node_id.load());
  }
  void tearDown() override {
    restamps_.reset();
    store_.reset();
    engine_.reset();
  }

  void a_later_write_gets_a_later_version() {
    const store::Change written = put("k", "mine");
    const store::Version held{written.version.hlc + (60'000ULL << 16U), 9};  // a clock a minute ahead
    conflict(written, held, 0);
    const store::Version now = version_of("k");
    CPPUNIT_ASSERT(now > held);
    CPPUNIT_ASSERT_EQUAL(written.version.origin, now.origin);
    CPPUNIT_ASSERT_EQUAL(std::string("mine"), test::value_of(*store_, "k").value());
    CPPUNIT_ASSERT(put("other", "x").version.hlc > now.hlc);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, engine_->state().cluster.restamped.load());
  }

  void the_quorum_waits_for_the_new_record() {
    const store::Change written = put("k", "mine");
    conflict(written, {written.version.hlc + 5, 9}, 0);
    const Lsn tail = engine_->state().marks.tail.load();
    CPPUNIT_ASSERT_EQUAL(written.lsn, cap(tail - 1));
    CPPUNIT_ASSERT_EQUAL(written.lsn - 8, cap(written.lsn - 8));
    CPPUNIT_ASSERT_EQUAL(tail, cap(tail));
    CPPUNIT_ASSERT_EQUAL(tail - 1, cap(tail - 1));  // it is over
  }

  // One peer holds what nobody was told of, the others what was acknowledged; the one answers first.
  void above_the_newest_that_anybody_holds() {
    const store::Change written = put("k", "mine");
    conflict(written, {written.version.hlc + (20'000ULL << 16U), 9}, 0);
    const Lsn first_end = last().end;
    const store::Version acknowledged{written.version.hlc + (40'000ULL << 16U), 7};
    conflict(written, acknowledged, 0);
    const store::Change second = last();
    CPPUNIT_ASSERT(second.end > first_end);
    CPPUNIT_ASSERT(version_of("k") == second.version && acknowledged < second.version);
    CPPUNIT_ASSERT_EQUAL(std::string("mine"), test::value_of(*store_, "k").value());
    CPPUNIT_ASSERT_EQUAL(written.lsn, cap(first_end));
    conflict(written, acknowledged, 0);  // by another one: it is above that
    CPPUNIT_ASSERT_EQUAL(second.end, last().end);
    CPPUNIT_ASSERT_EQUAL(second.end, cap(second.end));
  }

  void what_is_newer_than_a_second_record_was_later() {
    const store::Change written = put("k", "mine");
    conflict(written, {written.version.hlc + 5, 9}, 0);
    const store::Change second = last();
    conflict(second, {second.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") == second.version);
    CPPUNIT_ASSERT_EQUAL(second.end, cap(second.end));
  }

  // Where nothing can be written again it is never told, and what comes behind it is not held for ever.
  void what_was_given_up_holds_nothing() {
    const store::Change written = put("k", "mine");
    conflict(written, {written.version.hlc + 5, 9}, 0);
    const store::Change second = last();
    CPPUNIT_ASSERT_EQUAL(written.lsn, cap(written.end));
    CPPUNIT_ASSERT_EQUAL(written.end, cap(written.end, written.end));
    CPPUNIT_ASSERT_EQUAL(second.end, cap(second.end));
  }

  void what_was_told_stays() {
    const store::Change written = put("k", "mine");
    conflict(written, {written.version.hlc + 5, 9}, written.end);
    CPPUNIT_ASSERT(version_of("k") == written.version);
    CPPUNIT_ASSERT_EQUAL(written.end, cap(written.end));
  }

  // There was no room for it; until there is, its time is up.
  void what_was_told_while_it_waited_stays() {
    const store::Change written = put("k", "mine");
    const store::Change later = put("l", "later");
    hold_writes(true);
    conflict_once(written, {written.version.hlc + 5, 9});
    conflict_once(later, {later.version.hlc + 5, 9});
    CPPUNIT_ASSERT(restamps_->has_to_retry());
    hold_writes(false);
    retry(written.end);
    CPPUNIT_ASSERT(version_of("k") == written.version);
    CPPUNIT_ASSERT(version_of("l") > later.version);  // of which nobody was told
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, engine_->state().cluster.restamped.load());
    CPPUNIT_ASSERT_EQUAL(last().end, cap(last().end, written.end));
    CPPUNIT_ASSERT(!restamps_->has_to_retry());
  }

  // The first record comes again where the second is: on another connection, or behind a repair that has
  // brought that. Also by the word of a replicator that knows of neither.
  void what_this_node_wrote_in_its_place_is_no_conflict() {
    const store::Change written = put("k", "mine");
    conflict(written, {written.version.hlc + 5, 9}, 0);
    const store::Change second = last();
    conflict(written, second.version, 0);
    CPPUNIT_ASSERT_EQUAL(second.end, last().end);
    CPPUNIT_ASSERT_EQUAL(written.lsn, cap(second.end - 8));
    CPPUNIT_ASSERT_EQUAL(second.end, cap(second.end));
    restamps_ = std::make_unique<Restamps>(*store_, engine_->state().limits.node_id.load());
    conflict(written, second.version, 0);
    CPPUNIT_ASSERT_EQUAL(second.end, last().end);
    CPPUNIT_ASSERT_EQUAL(second.end, cap(second.end));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, engine_->state().cluster.restamped.load());
  }

  void what_this_node_wrote_since_stays() {
    const store::Change written = put("k", "mine");
    const store::Change since = put("k", "since");
    conflict(written, {since.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") == since.version);
    // It is told with that one, which may have to be written again itself.
    CPPUNIT_ASSERT_EQUAL(written.lsn, cap(written.end));
    conflict(since, {since.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") > since.version);
    CPPUNIT_ASSERT_EQUAL(written.lsn, cap(since.end));
    CPPUNIT_ASSERT_EQUAL(last().end, cap(last().end));
  }

  void what_another_node_wrote_here_does_not_protect_it() {
    const store::Change written = put("k", "mine");
    store::Write theirs;
    theirs.key = "k";
    theirs.value = "theirs";
    theirs.condition = store::Condition::kNewerThanHeld;
    theirs.version = {written.version.hlc + 5, 9};
    CPPUNIT_ASSERT(test::commit_one(*store_, theirs).outcome == store::WriteResult::Outcome::kDone);
    CPPUNIT_ASSERT_EQUAL(0U, unsigned{last().flags});  // it came, but did not come back
    conflict(written, theirs.version, 0);
    CPPUNIT_ASSERT_EQUAL(std::string("mine"), test::value_of(*store_, "k").value());
    CPPUNIT_ASSERT(version_of("k") > theirs.version);
  }

  // Both were sent, and theirs came here, before the peer that had it first answered: the newest here is no
  // longer what this node wrote.
  void of_two_that_another_node_beat_here_the_later_stays_the_later() {
    const store::Change earlier = put("k", "earlier");
    put("other", "x");
    const store::Change later = put("k", "later");
    const store::Version theirs = beat("k", later);
    conflict(earlier, theirs, 0);
    conflict(later, theirs, 0);
    CPPUNIT_ASSERT_EQUAL(std::string("later"), test::value_of(*store_, "k").value());
    CPPUNIT_ASSERT(version_of("k") > theirs);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, engine_->state().cluster.restamped.load());
    CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(later.end));
    CPPUNIT_ASSERT_EQUAL(last().end, cap(last().end));
  }

  // Those who acknowledge it have never seen theirs: no peer's answer would put the two right again.
  void the_later_stands_for_the_earlier_though_nothing_is_said_of_it() {
    const store::Change earlier = put("k", "earlier");
    const store::Change later = put("k", "later");
    const store::Version theirs = beat("k", later);
    conflict(earlier, theirs, 0);
    CPPUNIT_ASSERT(version_of("k") == theirs);
    CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(later.lsn));
    CPPUNIT_ASSERT_EQUAL(later.end, cap(later.end));
    // Another key, and what lies before: no later write of this one.
    put("l", "before");
    const store::Change alone = put("l", "alone");
    put("k", "again");
    conflict(alone, beat("l", alone), 0);
    CPPUNIT_ASSERT_EQUAL(std::string("alone"), test::value_of(*store_, "l").value());
  }

  // Nobody is told of it before the next position is: the quorum ends with the last that this node wrote.
  void what_others_wrote_behind_the_later_holds_nothing() {
    for (const bool theirs_is_newest : {true, false}) {
      const store::Change earlier = put("k", "earlier");
      const store::Change later = put("k", "later");
      const store::Version theirs{later.version.hlc + 5, 9};
      beat(theirs_is_newest ? "k" : "l", later);
      conflict(earlier, theirs, 0);
      CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(later.end - 8));
      CPPUNIT_ASSERT_EQUAL(later.end, cap(later.end));
      CPPUNIT_ASSERT_EQUAL(later.end - 8, cap(later.end - 8));  // it is over
    }
  }

  void the_later_is_a_delete_or_the_earlier_is() {
    for (const bool erases : {true, false}) {
      put("k", "before");
      const store::Change earlier = erases ? put("k", "earlier") : erase("k");
      const store::Change later = erases ? erase("k") : put("k", "later");
      const store::Version theirs = beat("k", later);
      conflict(earlier, theirs, 0);
      conflict(later, theirs, 0);
      CPPUNIT_ASSERT(version_of("k") > theirs);
      CPPUNIT_ASSERT(test::value_of(*store_, "k") ==
                     (erases ? std::nullopt : std::optional<std::string>("later")));
    }
  }

  // Its writer has seen the earlier one.
  void the_later_was_written_on_a_condition() {
    const store::Change earlier = put("k", "earlier");
    store::Write swap;
    swap.key = "k";
    swap.value = "swapped";
    swap.condition = store::Condition::kVersionIs;
    swap.expected = earlier.version;
    CPPUNIT_ASSERT(test::commit_one(*store_, swap).outcome == store::WriteResult::Outcome::kDone);
    const store::Change later = last();
    swap.value = "swapped twice";
    CPPUNIT_ASSERT(test::commit_one(*store_, swap).outcome == store::WriteResult::Outcome::kRefused);
    const store::Version theirs = beat("k", later);
    conflict(earlier, theirs, 0);
    conflict(later, theirs, 0);
    CPPUNIT_ASSERT_EQUAL(std::string("swapped"), test::value_of(*store_, "k").value());
    CPPUNIT_ASSERT(version_of("k") > theirs);
  }

  void what_waited_for_room_comes_in_order_too() {
    const store::Change earlier = put("k", "earlier");
    const store::Change later = put("k", "later");
    const store::Version theirs = beat("k", later);
    hold_writes(true);
    conflict_once(earlier, theirs);
    conflict_once(later, theirs);
    CPPUNIT_ASSERT(restamps_->has_to_retry());
    hold_writes(false);
    for (; restamps_->has_to_retry();) retry(0);
    CPPUNIT_ASSERT_EQUAL(std::string("later"), test::value_of(*store_, "k").value());
    CPPUNIT_ASSERT_EQUAL(last().end, cap(last().end));
  }

  // The earlier one was written again before the later began; what a second peer says of it comes after that.
  void what_came_behind_a_second_record_is_later_too() {
    const store::Change earlier = put("k", "earlier");
    store::Version theirs = beat("k", earlier);
    conflict(earlier, theirs, 0);
    const store::Change second = last();
    CPPUNIT_ASSERT_EQUAL(std::string("earlier"), std::string(second.value));
    theirs = beat("k", second);
    conflict(earlier, theirs, 0);  // once more: its own second record is no later write
    CPPUNIT_ASSERT_EQUAL(std::string("earlier"), test::value_of(*store_, "k").value());
    const store::Change later = put("k", "later");
    theirs = beat("k", later);
    conflict(earlier, theirs, 0);
    CPPUNIT_ASSERT(version_of("k") == theirs);
    conflict(later, theirs, 0);
    CPPUNIT_ASSERT_EQUAL(std::string("later"), test::value_of(*store_, "k").value());
  }

  // A replicator before this one wrote the second record: to this one it is a write like any other.
  void what_came_behind_an_unknown_second_record_is_later_too() {
    const store::Change earlier = put("k", "earlier");
    const store::Version theirs = beat("k", earlier);
    conflict(earlier, theirs, 0);
    const store::Change second = last();
    restamps_ = std::make_unique<Restamps>(*store_, engine_->state().limits.node_id.load());
    conflict(earlier, theirs, 0);
    CPPUNIT_ASSERT_EQUAL(second.end, last().end);
    CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(second.lsn));
    CPPUNIT_ASSERT_EQUAL(second.end, cap(second.end));
  }

  // The newest here is what this node wrote in place of the later one, and no write of its own.
  void the_second_record_of_the_later_stands_for_both() {
    const store::Change earlier = put("k", "earlier");
    const store::Change later = put("k", "later");
    const store::Version theirs{later.version.hlc + 5, 9};
    conflict(later, theirs, 0);
    const store::Change second = last();
    CPPUNIT_ASSERT_EQUAL(std::string("later"), std::string(second.value));
    conflict(earlier, {second.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") == second.version);
    CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(second.lsn));
    CPPUNIT_ASSERT_EQUAL(second.end, cap(second.end));
  }

  // What this node wrote long ago, and has forgotten: it lies behind in the log alone.
  void what_was_brought_back_is_no_later_write() {
    const store::Change written = put("k", "mine");
    store::Write returned;
    returned.key = "k";
    returned.value = "forgotten";
    returned.condition = store::Condition::kNone;
    returned.version = {std::uint64_t{1} << 40U, engine_->state().limits.node_id.load()};
    test::commit_one(*store_, returned);
    CPPUNIT_ASSERT_EQUAL(unsigned{store::kFlagReturned}, unsigned{last().flags});
    const store::Version theirs = beat("k", written);
    conflict(written, theirs, 0);
    CPPUNIT_ASSERT_EQUAL(std::string("mine"), test::value_of(*store_, "k").value());
    CPPUNIT_ASSERT(version_of("k") > theirs);
  }

  // The directory is an older copy, and what it had forgotten is newer than a write by a clock that is
  // behind.
  void what_was_brought_back_newer_is_no_later_write() {
    const store::Change written = put("k", "mine");
    store::Write returned;
    returned.key = "k";
    returned.value = "forgotten";
    returned.condition = store::Condition::kNewerThanHeld;
    returned.version = {written.version.hlc + (1U << 16U), engine_->state().limits.node_id.load()};
    CPPUNIT_ASSERT(test::commit_one(*store_, returned).outcome == store::WriteResult::Outcome::kDone);
    CPPUNIT_ASSERT_EQUAL(unsigned{store::kFlagReturned}, unsigned{last().flags});
    conflict(written, {written.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT_EQUAL(std::string("mine"), test::value_of(*store_, "k").value());
    CPPUNIT_ASSERT(version_of("k") > store::Version(returned.version));
    CPPUNIT_ASSERT_EQUAL(written.lsn, cap(last().lsn));
    CPPUNIT_ASSERT_EQUAL(last().end, cap(last().end));
  }

  void a_long_log_is_looked_through_in_pieces() {
    const store::Change earlier = put("k", "earlier");
    const store::Change alone = put("l", "alone");
    const store::Change later = put("k", "later");
    for (int i = 0; i < 9; ++i) put("other", std::string(1 << 20, 'x'));
    const Lsn tail = last().end;
    conflict_once(earlier, {later.version.hlc + 5, 9});
    CPPUNIT_ASSERT(restamps_->has_to_retry());
    // Nobody looks any further in this turn.
    conflict_once(alone, {later.version.hlc + 5, 9});
    CPPUNIT_ASSERT_EQUAL(tail, last().end);
    CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(tail));
    int turns = 1;
    for (; restamps_->has_to_retry(); ++turns) {
      CPPUNIT_ASSERT_EQUAL(tail, last().end);
      retry(0);
    }
    CPPUNIT_ASSERT(turns >= 3);  // 9 MB and a bit, at 4 MB and a bit; more where there was no room
    CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(tail));  // what stands for it is not told before the other is
    CPPUNIT_ASSERT_EQUAL(std::string("alone"), std::string(last().value));
    CPPUNIT_ASSERT(version_of("k") == later.version);
    CPPUNIT_ASSERT_EQUAL(last().end, cap(last().end));
  }

  // What is newest here may be what others brought back: the log said so, and no longer does.
  void what_the_ring_lost_is_left_open() {
    const store::Change written = put("k", "mine");
    put("other", "x");
    const store::Change since = put("k", "since");
    hold_writes(true);
    engine_->state().marks.window.store(since.lsn);
    conflict_once(written, {since.version.hlc + 5, 9});
    CPPUNIT_ASSERT(!restamps_->has_to_retry());
    CPPUNIT_ASSERT_EQUAL(written.lsn, cap(since.end));
    CPPUNIT_ASSERT_EQUAL(since.end, cap(since.end, written.end));
  }

  void deletes_too() {
    put("k", "mine");
    test::remove(*store_, "k");
    const store::Change erased = last();
    conflict(erased, {erased.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") > erased.version);
    CPPUNIT_ASSERT(!test::value_of(*store_, "k"));
  }

  // Forgotten here, pushed by whoever had it: no client waits for that, and what is newer was written later.
  void what_others_brought_back_stays_what_it_was() {
    store::Write returned;
    returned.key = "k";
    returned.value = "forgotten";
    returned.condition = store::Condition::kNewerThanHeld;
    returned.version = {std::uint64_t{1} << 50U, engine_->state().limits.node_id.load()};
    test::commit_one(*store_, returned);
    const store::Change back = last();
    CPPUNIT_ASSERT(back.version == returned.version);
    CPPUNIT_ASSERT_EQUAL(unsigned{store::kFlagReturned}, unsigned{back.flags});
    conflict(back, {back.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") == back.version);
    CPPUNIT_ASSERT_EQUAL(0U, flags_of("k"));
    engine_->move_to_base();
    CPPUNIT_ASSERT(version_of("k") == back.version);
    CPPUNIT_ASSERT_EQUAL(0U, flags_of("k"));
  }

  // A worker that acknowledges at once is still there, beside one that does not: of two that another node's
  // write has beaten, that was told may stay so, and the other may not.
  void what_was_told_at_once_stays_and_stands_for_nothing() {
    const store::Change waits = put("k", "waits");
    store::Write told;
    told.key = "k";
    told.value = "told";
    told.flags = store::kFlagJson | store::kFlagAtOnce;
    test::commit_one(*store_, told);
    const store::Change at_once = last();
    CPPUNIT_ASSERT_EQUAL(unsigned{store::kFlagJson}, flags_of("k"));
    conflict(at_once, {at_once.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") == at_once.version);
    CPPUNIT_ASSERT_EQUAL(at_once.end, cap(at_once.end));
    conflict(waits, {at_once.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT_EQUAL(std::string("waits"), test::value_of(*store_, "k").value());
    CPPUNIT_ASSERT(version_of("k").hlc > at_once.version.hlc + 5);
    CPPUNIT_ASSERT_EQUAL(waits.lsn, cap(last().lsn));
    CPPUNIT_ASSERT_EQUAL(last().end, cap(last().end));
  }

 private:
  /// The newest record of the log; its texts are good until the store is closed.
  store::Change last() {
    store::Change found;
    in_turn(*store_, [&] {
      const Lsn from = engine_->state().marks.window.load();
      return store_->read_changes(from, ~std::uint64_t{0}, [&](const store::Change& change) {
        found = change;
        return true;
      });
    });
    return found;
  }
  store::Change put(std::string_view key, std::string_view value) {
    test::put(*store_, key, value);
    return last();
  }
  store::Change erase(std::string_view key) {
    test::remove(*store_, key);
    return last();
  }
  /// Another node's record comes here that is newer than this one.
  store::Version beat(std::string_view key, const store::Change& record) {
    store::Write theirs;
    theirs.key = key;
    theirs.value = "theirs";
    theirs.condition = store::Condition::kNewerThanHeld;
    theirs.version = {record.version.hlc + 5, 9};
    CPPUNIT_ASSERT(test::commit_one(*store_, theirs).outcome == store::WriteResult::Outcome::kDone);
    return theirs.version;
  }
  void conflict(const store::Change& record, const store::Version& held, Lsn told) {
    conflict_once(record, held, told);
    for (; restamps_->has_to_retry();) retry(0);
  }
  void conflict_once(const store::Change& record, const store::Version& held, Lsn told = 0) {
    in_turn(*store_, [&] {
      restamps_->conflict(record, held, told);
      return 0;
    });
  }
  void retry(Lsn told) {
    in_turn(*store_, [&] {
      restamps_->retry(told);
      return 0;
    });
  }
  /// As a checkpointer that is behind does.
  void hold_writes(bool hold) { engine_->state().append.paced_until_ns.store(hold ? ~std::uint64_t{0} : 0); }
  Lsn cap(Lsn quorum, Lsn told = 0) { return restamps_->cap(quorum, told); }
  unsigned flags_of(std::string_view key) {
    return in_turn(*store_, [&] { return unsigned{store_->get(key).value().flags}; });
  }
  store::Version version_of(std::string_view key) {
    return in_turn(*store_, [&] { return store_->get(key).value().version; });
  }

  std::unique_ptr<Engine> engine_;
  std::optional<store::Store> store_;
  std::unique_ptr<Restamps> restamps_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RestampsTest, "restamps_test");

}  // namespace
}  // namespace minivault::replicator
