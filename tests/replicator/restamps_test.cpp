// Goal: a write that nobody was told of is written again above what a peer holds, once, and acknowledged with
// that; one that was told, given up or superseded is left alone.

#include "tests/replicator/restamps_fixture.h"

namespace minivault::replicator {
namespace {

class RestampsTest : public test::RestampsFixture {
  CPPUNIT_TEST_SUITE(RestampsTest);
  CPPUNIT_TEST(a_later_write_gets_a_later_version);
  CPPUNIT_TEST(the_quorum_waits_for_the_new_record);
  CPPUNIT_TEST(above_the_newest_that_anybody_holds);
  CPPUNIT_TEST(what_is_newer_than_a_second_record_was_later);
  CPPUNIT_TEST(what_was_given_up_holds_nothing);
  CPPUNIT_TEST(what_was_told_stays);
  CPPUNIT_TEST(what_was_told_while_it_waited_stays);
  CPPUNIT_TEST(what_this_node_wrote_in_its_place_is_no_conflict);
  CPPUNIT_TEST(what_another_node_wrote_here_does_not_protect_it);
  CPPUNIT_TEST(deletes_too);
  CPPUNIT_TEST(what_was_written_on_a_condition_stays_beaten);
  CPPUNIT_TEST(what_was_told_is_not_beaten);
  CPPUNIT_TEST(what_others_brought_back_stays_what_it_was);
  CPPUNIT_TEST(what_was_told_at_once_stays_and_stands_for_nothing);
  CPPUNIT_TEST_SUITE_END();

 public:
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

  void deletes_too() {
    put("k", "mine");
    test::remove(*store_, "k");
    const store::Change erased = last();
    conflict(erased, {erased.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") > erased.version);
    CPPUNIT_ASSERT(!test::value_of(*store_, "k"));
  }

  // What is held there was not there when the condition was judged.
  void what_was_written_on_a_condition_stays_beaten() {
    const store::Change before = put("k", "before");
    const store::Change written = swap("k", before.version, "mine");
    conflict(written, {written.version.hlc + 5, 9}, 0);
    CPPUNIT_ASSERT(version_of("k") == written.version);
    CPPUNIT_ASSERT(is_beaten(written) && !is_beaten(before));
    CPPUNIT_ASSERT_EQUAL(written.end, cap(written.end));  // nobody else waits for it
    conflict(written, {written.version.hlc + 7, 8}, 0);   // by another one
    CPPUNIT_ASSERT_EQUAL(written.end, last().end);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, engine_->state().cluster.restamped.load());
    CPPUNIT_ASSERT_EQUAL(0U, flags_of("k"));  // it is true of this log alone
  }

  void what_was_told_is_not_beaten() {
    const store::Change before = put("k", "before");
    const store::Change written = swap("k", before.version, "mine");
    conflict(written, {written.version.hlc + 5, 9}, written.end);
    CPPUNIT_ASSERT(!is_beaten(written));
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
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RestampsTest, "restamps_test");

}  // namespace
}  // namespace minivault::replicator
