// Goal: a node says that it lacks nothing when nobody can have what it lacks, and not before. Method: who is
// there, who is complete and with whom it was repaired, one step short of each way to be filled.

#include "replicator/completeness.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <vector>

namespace minivault::replicator {
namespace {

constexpr cluster::NodeId kSelf = 1;
constexpr Source kBlank{.id = 2, .is_member = true, .is_there = true, .is_paid = true};
constexpr Source kOtherBlank{.id = 3, .is_member = true, .is_there = true, .is_paid = true};

/// Of three, two of which are a majority.
constexpr Filling kOfThree{.members = 3, .needed = 1};
constexpr Filling kLongOfThree{.members = 3, .needed = 1, .has_waited = true};

Source away(Source source) {
  source.is_there = false;
  return source;
}
Source unpaid(Source source) {
  source.is_paid = false;
  return source;
}
Source complete(Source source) {
  source.complete = true;
  return source;
}

bool filled(const Filling& filling, const std::vector<Source>& others) {
  return is_filled(filling, kSelf, others);
}

class CompletenessTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CompletenessTest);
  CPPUNIT_TEST(who_is_filled_meets_every_majority);
  CPPUNIT_TEST(complete_ones_are_enough_where_they_are_so_many);
  CPPUNIT_TEST(where_nobody_is_complete_all_are_asked);
  CPPUNIT_TEST(a_majority_waits_a_while_for_the_rest);
  CPPUNIT_TEST(where_too_few_are_complete_all_members_are_asked);
  CPPUNIT_TEST(a_complete_one_that_is_away_is_waited_for);
  CPPUNIT_TEST(one_node_under_two_names_is_one);
  CPPUNIT_TEST_SUITE_END();

 public:
  /// Whoever those were that acknowledged, and whichever are asked: they share one.
  void who_is_filled_meets_every_majority() {
    for (std::size_t members = 2; members <= 9; ++members) {
      // One more than there were before.
      CPPUNIT_ASSERT(sources_needed(members, false) + (members - 1) / 2 + 1 > members - 1);
      // In the place of one that may have been among them.
      CPPUNIT_ASSERT(sources_needed(members, true) + members / 2 > members - 1);
      CPPUNIT_ASSERT(sources_needed(members, true) < members);  // so many there can be
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, sources_needed(3, false));
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, sources_needed(5, false));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, sources_needed(1, false));  // not by its own word
  }

  void complete_ones_are_enough_where_they_are_so_many() {
    const std::vector<Source> others{unpaid(kBlank), away(kOtherBlank)};
    CPPUNIT_ASSERT(filled({.members = 3, .needed = 1, .sources = 1}, others));
    CPPUNIT_ASSERT(!filled({.members = 3, .needed = 1, .sources = 1, .has_lost = true}, others));
    CPPUNIT_ASSERT(filled({.members = 3, .needed = 1, .sources = 2, .has_lost = true}, others));
  }

  void where_nobody_is_complete_all_are_asked() {
    CPPUNIT_ASSERT(filled(kOfThree, {kBlank, kOtherBlank}));
    CPPUNIT_ASSERT(!filled(kOfThree, {kBlank, unpaid(kOtherBlank)}));
    CPPUNIT_ASSERT(!filled(kOfThree, {kBlank, away(kOtherBlank)}));
  }

  void a_majority_waits_a_while_for_the_rest() {
    CPPUNIT_ASSERT(filled(kLongOfThree, {kBlank, away(kOtherBlank)}));
    CPPUNIT_ASSERT(!filled(kLongOfThree, {away(kBlank), away(kOtherBlank)}));
    CPPUNIT_ASSERT(!filled(kLongOfThree, {unpaid(kBlank), away(kOtherBlank)}));
    CPPUNIT_ASSERT(!filled({.members = 5, .needed = 2, .has_waited = true}, {kBlank}));
  }

  // With none of whom it was repaired while they were so.
  void where_too_few_are_complete_all_members_are_asked() {
    CPPUNIT_ASSERT(filled(kOfThree, {complete(kBlank), kOtherBlank}));
    CPPUNIT_ASSERT(!filled(kLongOfThree, {complete(kBlank), away(kOtherBlank)}));
    CPPUNIT_ASSERT(!filled(kLongOfThree, {complete(kBlank), unpaid(kOtherBlank)}));
    // Who is no member has acknowledged nothing.
    CPPUNIT_ASSERT(filled(kLongOfThree, {kBlank, away(complete({.id = 9}))}));
  }

  // What it holds those who are there may not have, however long it takes to come back.
  void a_complete_one_that_is_away_is_waited_for() {
    CPPUNIT_ASSERT(!filled(kLongOfThree, {kBlank, complete(away(kOtherBlank))}));
    CPPUNIT_ASSERT(!filled(kLongOfThree, {kBlank, complete(away(unpaid(kOtherBlank)))}));
    CPPUNIT_ASSERT(filled(kLongOfThree, {kBlank, complete(kOtherBlank)}));
  }

  void one_node_under_two_names_is_one() {
    CPPUNIT_ASSERT(!filled({.members = 5, .needed = 2, .has_waited = true}, {kBlank, kBlank}));
    CPPUNIT_ASSERT(filled({.members = 5, .needed = 2, .has_waited = true}, {kBlank, kOtherBlank}));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CompletenessTest, "completeness_test");

}  // namespace
}  // namespace minivault::replicator
