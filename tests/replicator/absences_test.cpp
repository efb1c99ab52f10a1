// Goal: for whom the stable floor does not wait is decided by time in which this node could have heard of
// them. Method: signs of life, and their lack, over a time that the test makes.

#include "replicator/absences.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <vector>

namespace minivault::replicator {

class AbsencesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(AbsencesTest);
  CPPUNIT_TEST(whoever_gives_no_sign_is_away);
  CPPUNIT_TEST(whoever_is_seen_by_others_is_not);
  CPPUNIT_TEST(it_goes_on_after_a_start);
  CPPUNIT_TEST(a_note_says_too_much_of_whoever_came_back);
  CPPUNIT_TEST(without_a_majority_nobody_is_counted);
  CPPUNIT_TEST(who_did_not_look_did_not_run);
  CPPUNIT_TEST_SUITE_END();

  using Signs = std::vector<Absences::Sign>;

 public:
  void whoever_gives_no_sign_is_away() {
    Absences absences({}, 1'000);
    absences.pass(999, true, Signs{{7, false, 0}, {8, true, 0}});
    CPPUNIT_ASSERT(!absences.is_away(7));
    absences.pass(1, true, Signs{{7, false, 0}, {8, true, 0}});
    CPPUNIT_ASSERT(absences.is_away(7) && !absences.is_away(8));
    absences.pass(1, true, Signs{{7, true, 0}, {8, true, 0}});
    CPPUNIT_ASSERT(!absences.is_away(7) && absences.away().empty());
    absences.pass(900, true, Signs{{7, false, 0}});
    absences.pass(1, true, Signs{});  // who is no member any more is forgotten
    CPPUNIT_ASSERT(absences.away().empty());
  }

  // It cannot be reached from here, but its stream arrives somewhere.
  void whoever_is_seen_by_others_is_not() {
    Absences absences({}, 1'000);
    absences.pass(900, true, Signs{{7, false, 10}});
    absences.pass(900, true, Signs{{7, false, 11}});
    CPPUNIT_ASSERT(!absences.is_away(7));
    absences.pass(1'000, true, Signs{{7, false, 11}});
    CPPUNIT_ASSERT(absences.is_away(7));
  }

  void it_goes_on_after_a_start() {
    Absences before({}, 1'000);
    before.pass(600, true, Signs{{7, false, 10}});
    const auto stored = cluster::decode_away(cluster::encode_away(before.away()));
    CPPUNIT_ASSERT(stored.has_value());
    Absences after(*stored, 1'000);
    after.pass(400, true, Signs{{7, false, 10}});
    CPPUNIT_ASSERT(after.is_away(7));
  }

  // 8 is away all the time, so the note is not empty.
  void a_note_says_too_much_of_whoever_came_back() {
    Absences absences({{7, 900}, {8, 50}}, 1'000);
    absences.pass(10, true, Signs{{7, false, 0}, {8, false, 0}});
    CPPUNIT_ASSERT(!absences.note_says_too_much());
    absences.pass(10, true, Signs{{7, true, 0}, {8, false, 0}});
    CPPUNIT_ASSERT(absences.note_says_too_much());
    absences.pass(10, true, Signs{{7, false, 0}, {8, false, 0}});  // and gone again
    CPPUNIT_ASSERT(absences.note_says_too_much());
    absences.noted();
    CPPUNIT_ASSERT(!absences.note_says_too_much());
    absences.pass(10, true, Signs{{8, false, 0}});  // 7 is no member any more
    CPPUNIT_ASSERT(absences.note_says_too_much());
  }

  void without_a_majority_nobody_is_counted() {
    Absences absences({}, 1'000);
    absences.pass(900, true, Signs{{7, false, 0}});
    for (int i = 0; i < 10; ++i) absences.pass(900, false, Signs{{7, false, 0}});
    CPPUNIT_ASSERT(!absences.is_away(7));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{900}, absences.away_ms(7));
    absences.pass(100, true, Signs{{7, false, 0}});
    CPPUNIT_ASSERT(absences.is_away(7));
  }

  void who_did_not_look_did_not_run() {
    Absences absences({}, 3'000);
    absences.pass(1'000'000, true, Signs{{7, false, 0}});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1'000}, absences.away_ms(7));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(AbsencesTest, "absences_test");

}  // namespace minivault::replicator
