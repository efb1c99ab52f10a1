// Goal: a quorum read answers what a majority held, never what an acknowledged write lies above that its
// writer had not heard of, and still ends where one node writes without a pause. Method: voices by hand; A, B
// and C are the nodes that wrote.

#include "worker/read_choice.h"

#include <cppunit/extensions/HelperMacros.h>

namespace minivault::worker {
namespace {

using State = cluster::ReadReply::State;
using store::Version;

constexpr std::uint64_t kA = 1;
constexpr std::uint64_t kB = 2;
constexpr std::size_t kTwo = 2;
constexpr std::size_t kThree = 3;

HeardRecord record(Version version, State state = State::kPresent) {
  return {state, 0, version, std::to_string(version.hlc)};
}
const HeardRecord kNothing;

void assert_answer(ReadChoice& choice, std::size_t majority, std::uint64_t hlc) {
  const HeardRecord* answer = choice.answer(majority);
  CPPUNIT_ASSERT(answer != nullptr);
  CPPUNIT_ASSERT_EQUAL(hlc, answer->version.hlc);
}
void assert_none(ReadChoice& choice, std::size_t majority) {
  CPPUNIT_ASSERT(choice.answer(majority) == nullptr);
}

}  // namespace

class ReadChoiceTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReadChoiceTest);
  CPPUNIT_TEST(a_majority_holds_it);
  CPPUNIT_TEST(who_refused_it_for_something_newer_is_no_holder);
  CPPUNIT_TEST(who_speaks_late_and_holds_something_newer_is_no_holder);
  CPPUNIT_TEST(nothing_older_than_the_first_majority_knew);
  CPPUNIT_TEST(what_the_same_node_wrote_later_speaks_for_it);
  CPPUNIT_TEST(what_lay_between_is_not_read_afterwards);
  CPPUNIT_TEST(ghosts_are_nothing);
  CPPUNIT_TEST(what_is_older_than_a_ghost_is_one);
  CPPUNIT_TEST(a_ghost_that_comes_late_is_nothing);
  CPPUNIT_TEST(that_there_is_nothing_a_majority_says);
  CPPUNIT_TEST(who_holds_a_ghost_has_nothing);
  CPPUNIT_TEST(where_somebody_has_nothing_all_that_is_heard_counts);
  CPPUNIT_TEST(where_somebody_has_nothing_only_the_newest_is_an_answer);
  CPPUNIT_TEST(who_has_not_spoken_has_no_voice);
  CPPUNIT_TEST(what_was_said_before_it_was_unheard_is_no_word);
  CPPUNIT_TEST(what_it_took_is_not_what_it_holds_since);
  CPPUNIT_TEST(what_nobody_held_any_more_comes_again);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_majority_holds_it() {
    ReadChoice choice;
    choice.heard(0, record({10, kA}));
    assert_none(choice, kTwo);
    CPPUNIT_ASSERT(!choice.has_begun());
    choice.heard(1, record({20, kA}));
    assert_none(choice, kTwo);
    CPPUNIT_ASSERT(choice.has_begun() && choice.lacks_newest(0) && !choice.lacks_newest(1));
    choice.took(0, {20, kA});
    assert_answer(choice, kTwo, 20);
  }

  // 100 of B was acknowledged, then 50 of A begun, whose clock is late: it will be written anew, above 100.
  void who_refused_it_for_something_newer_is_no_holder() {
    ReadChoice choice;
    choice.heard(0, record({10, kA}));
    choice.heard(1, record({50, kA}));
    assert_none(choice, kTwo);
    choice.unheard(0);  // it refused 50
    assert_none(choice, kTwo);
    choice.heard(0, record({100, kB}));
    assert_none(choice, kTwo);
    CPPUNIT_ASSERT(choice.lacks_newest(1));
    choice.took(1, {100, kB});
    assert_answer(choice, kTwo, 100);
  }

  void who_speaks_late_and_holds_something_newer_is_no_holder() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, record({10, kA}));
    choice.heard(2, record({10, kA}));
    assert_none(choice, kThree);
    choice.took(1, {50, kA});
    choice.heard(3, record({100, kB}));
    assert_none(choice, kThree);
    choice.took(2, {50, kA});  // it had come there before 100 did
    assert_answer(choice, kThree, 50);
  }

  void nothing_older_than_the_first_majority_knew() {
    ReadChoice choice;
    choice.heard(0, record({10, kA}));
    choice.heard(1, record({50, kA}));
    assert_none(choice, kTwo);
    choice.heard(2, record({10, kA}));
    assert_none(choice, kTwo);
    choice.took(2, {50, kA});
    assert_answer(choice, kTwo, 50);
  }

  // A writes faster than anybody can be asked: no two ever hold the same.
  void what_the_same_node_wrote_later_speaks_for_it() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, record({40, kA}));
    assert_none(choice, kTwo);
    choice.unheard(1);
    choice.heard(1, record({60, kA}));
    assert_none(choice, kTwo);  // A's 60 speaks for 50, but one alone holds as much
    choice.unheard(0);
    choice.heard(0, record({70, kA}));
    assert_answer(choice, kTwo, 50);
  }

  // Of five: 100 of B may be acknowledged, and lie below A's 120; who holds 50 must not be asked before it
  // holds that.
  void what_lay_between_is_not_read_afterwards() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, record({10, kA}));
    choice.heard(2, record({10, kA}));
    assert_none(choice, kThree);
    choice.took(1, {50, kA});
    choice.heard(2, record({120, kA}));
    assert_none(choice, kThree);
    CPPUNIT_ASSERT(choice.lacks_newest(0) && choice.lacks_newest(1));
    choice.took(0, {120, kA});
    assert_none(choice, kThree);
    CPPUNIT_ASSERT(choice.newest().version.hlc == 120);
    choice.took(1, {120, kA});
    assert_answer(choice, kThree, 120);
  }

  void ghosts_are_nothing() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, kNothing);
    assert_none(choice, kTwo);
    choice.dropped({50, kA});
    assert_answer(choice, kTwo, 0);
    choice.heard(2, record({60, kB}));  // written since
    assert_none(choice, kTwo);
    choice.took(0, {60, kB});
    assert_answer(choice, kTwo, 60);
  }

  void what_is_older_than_a_ghost_is_one() {
    ReadChoice choice;
    choice.heard(0, record({40, kA}));
    choice.heard(1, kNothing);
    assert_none(choice, kTwo);
    choice.heard(2, record({50, kB}));
    assert_none(choice, kTwo);
    choice.dropped({50, kB});
    assert_answer(choice, kTwo, 0);
  }

  void a_ghost_that_comes_late_is_nothing() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, kNothing);
    assert_none(choice, kTwo);
    choice.dropped({50, kA});
    choice.dropped({30, kA});  // of which another was told later
    for (const std::uint64_t hlc : {40, 50}) {
      choice.heard(2, record({hlc, kA}));
      assert_answer(choice, kTwo, 0);
    }
  }

  void that_there_is_nothing_a_majority_says() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, kNothing);
    assert_none(choice, kTwo);
    choice.dropped({50, kA});
    choice.unheard(1);
    assert_none(choice, kTwo);
    choice.heard(1, kNothing);
    assert_answer(choice, kTwo, 0);
  }

  // Of five. It was away, as who has nothing may have been.
  void who_holds_a_ghost_has_nothing() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, kNothing);
    choice.heard(2, record({40, kA}));
    assert_none(choice, kThree);
    choice.dropped({50, kA});
    choice.heard(3, record({60, kB}));
    choice.heard(4, record({60, kB}));
    choice.heard(2, record({70, kA}));
    choice.took(1, {60, kB});
    assert_none(choice, kThree);
    choice.took(0, {70, kA});
    choice.took(1, {70, kA});
    assert_answer(choice, kThree, 70);
  }

  void where_somebody_has_nothing_all_that_is_heard_counts() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, kNothing);
    assert_none(choice, kTwo);
    // The delete by the same node: it speaks for 50 nowhere.
    choice.heard(2, record({60, kA}, State::kDeleted));
    assert_none(choice, kTwo);
    choice.took(0, {60, kA});
    const HeardRecord* answer = choice.answer(kTwo);
    CPPUNIT_ASSERT(answer != nullptr && answer->state == State::kDeleted);
  }

  // Of five. It may have forgotten a delete of what the three hold.
  void where_somebody_has_nothing_only_the_newest_is_an_answer() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, kNothing);
    choice.heard(2, record({50, kA}));
    assert_none(choice, kThree);
    choice.heard(4, record({60, kB}));
    choice.heard(3, record({50, kA}));
    assert_none(choice, kThree);
    choice.took(0, {60, kB});
    choice.took(1, {60, kB});
    assert_answer(choice, kThree, 60);
  }

  void who_has_not_spoken_has_no_voice() {
    ReadChoice choice;
    choice.heard(3, record({50, kA}));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, choice.count());
    assert_none(choice, kThree);
    CPPUNIT_ASSERT(!choice.has_begun() && !choice.spoke(0) && !choice.lacks_newest(0));
    choice.heard(0, record({10, kA}));
    choice.heard(1, record({10, kA}));
    assert_none(choice, kThree);
    choice.took(0, {50, kA});
    choice.heard(4, record({100, kB}));
    choice.took(1, {50, kA});
    assert_answer(choice, kThree, 50);  // 2 is silent, and not without it
  }

  // Of five.
  void what_was_said_before_it_was_unheard_is_no_word() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, record({10, kA}));
    choice.heard(2, record({50, kA}));
    assert_none(choice, kThree);
    choice.unheard(0);
    choice.took(1, {50, kA});
    assert_none(choice, kThree);
    choice.heard(0, record({60, kB}));
    assert_none(choice, kThree);
    choice.took(1, {60, kB});
    choice.took(2, {60, kB});
    assert_answer(choice, kThree, 60);
  }

  // It answered the push before the question, and is heard the other way round.
  void what_it_took_is_not_what_it_holds_since() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, record({10, kA}));
    assert_none(choice, kTwo);
    choice.heard(1, record({70, kB}));
    choice.took(1, {50, kA});
    assert_none(choice, kTwo);
    choice.took(0, {70, kB});
    assert_answer(choice, kTwo, 70);
  }

  // Of five.
  void what_nobody_held_any_more_comes_again() {
    ReadChoice choice;
    choice.heard(0, record({50, kA}));
    choice.heard(1, record({10, kA}));
    choice.heard(2, record({10, kA}));
    assert_none(choice, kThree);
    choice.heard(0, record({60, kB}));
    for (const std::size_t voice : {1U, 3U, 4U}) {
      assert_none(choice, kThree);
      choice.heard(voice, record({50, kA}));
    }
    assert_answer(choice, kThree, 50);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReadChoiceTest, "read_choice_test");

}  // namespace minivault::worker
