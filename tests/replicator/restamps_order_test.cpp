// Goal: of two writes of this node to one key that nobody was told of the later stays the later, whatever
// others wrote or brought back in between, and stands for both.

#include "tests/replicator/restamps_fixture.h"

namespace minivault::replicator {
namespace {

class RestampsOrderTest : public test::RestampsFixture {
  CPPUNIT_TEST_SUITE(RestampsOrderTest);
  CPPUNIT_TEST(what_this_node_wrote_since_stays);
  CPPUNIT_TEST(of_two_that_another_node_beat_here_the_later_stays_the_later);
  CPPUNIT_TEST(the_later_stands_for_the_earlier_though_nothing_is_said_of_it);
  CPPUNIT_TEST(what_others_wrote_behind_the_later_holds_nothing);
  CPPUNIT_TEST(the_later_is_a_delete_or_the_earlier_is);
  CPPUNIT_TEST(the_later_was_written_on_a_condition);
  CPPUNIT_TEST(what_was_beaten_for_good_stands_for_nobody);
  CPPUNIT_TEST(of_three_the_last_stands_for_who_is_not_beaten);
  CPPUNIT_TEST(what_waited_for_room_comes_in_order_too);
  CPPUNIT_TEST(what_came_behind_a_second_record_is_later_too);
  CPPUNIT_TEST(what_came_behind_an_unknown_second_record_is_later_too);
  CPPUNIT_TEST(the_second_record_of_the_later_stands_for_both);
  CPPUNIT_TEST(what_was_brought_back_is_no_later_write);
  CPPUNIT_TEST(what_was_brought_back_newer_is_no_later_write);
  CPPUNIT_TEST(a_long_log_is_looked_through_in_pieces);
  CPPUNIT_TEST(what_the_ring_lost_is_left_open);
  CPPUNIT_TEST_SUITE_END();

 public:
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

  // What is not in conflict itself is above what beat the earlier one: its writer has seen that.
  void the_later_was_written_on_a_condition() {
    const store::Change earlier = put("k", "earlier");
    const store::Change later = swap("k", earlier.version, "swapped");
    conflict(earlier, {earlier.version.hlc, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") == later.version);
    CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(later.end - 8));
    CPPUNIT_ASSERT_EQUAL(later.end, cap(later.end));
  }

  // It is not acknowledged: the earlier one, which was to be with it, goes out again by itself.
  void what_was_beaten_for_good_stands_for_nobody() {
    for (const bool it_is_known_first : {false, true}) {
      const store::Change earlier = put("k", "earlier");
      const store::Change later = swap("k", earlier.version, "swapped");
      const store::Version theirs = beat("k", later);
      if (it_is_known_first) conflict(later, theirs, 0);
      conflict(earlier, theirs, 0);
      conflict(later, theirs, 0);
      CPPUNIT_ASSERT_EQUAL(std::string("earlier"), test::value_of(*store_, "k").value());
      const store::Change again = last();
      CPPUNIT_ASSERT(again.version > theirs);
      CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(again.lsn));
      CPPUNIT_ASSERT_EQUAL(again.end, cap(again.end));
      CPPUNIT_ASSERT(is_beaten(later));
    }
  }

  // Neither does the earlier one go out where a later one stands for it that is none of the beaten.
  void of_three_the_last_stands_for_who_is_not_beaten() {
    const store::Change earlier = put("k", "earlier");
    const store::Change middle = swap("k", earlier.version, "swapped");
    const store::Version theirs = beat("k", middle);
    const store::Change later = put("k", "later");
    conflict(earlier, theirs, 0);
    conflict(middle, theirs, 0);
    CPPUNIT_ASSERT(version_of("k") == later.version);
    CPPUNIT_ASSERT_EQUAL(earlier.lsn, cap(later.end - 8));
    CPPUNIT_ASSERT_EQUAL(later.end, cap(later.end));
    CPPUNIT_ASSERT(is_beaten(middle) && !is_beaten(later));
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
    await_room();
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
    CPPUNIT_ASSERT_EQUAL(3, turns);                // 9 MB and a bit, at 4 MB and a bit
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
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RestampsOrderTest, "restamps_order_test");

}  // namespace
}  // namespace minivault::replicator
