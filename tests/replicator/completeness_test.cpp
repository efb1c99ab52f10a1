// Goal: a node says that it lacks nothing when nobody can have what it lacks, and not before. Method: who is
// there, who is complete and with whom it was repaired, one step short of each way to be filled.

#include "replicator/majority.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <vector>

namespace minivault::replicator {
namespace {

constexpr Source kBlank{.is_streaming = true, .gave_all = true};

Source away(Source source) {
  source.is_streaming = false;
  return source;
}
Source unpaid(Source source) {
  source.gave_all = false;
  return source;
}
Source complete(Source source) {
  source.is_complete = true;
  return source;
}

/// Of three, two of which are a majority.
bool filled(const std::vector<Source>& others, bool has_waited = false) {
  return is_filled({.others = others, .members = 3, .needed = 1, .has_waited = has_waited});
}

class CompletenessTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CompletenessTest);
  CPPUNIT_TEST(who_is_filled_meets_every_majority);
  CPPUNIT_TEST(complete_ones_are_enough_where_they_are_so_many);
  CPPUNIT_TEST(where_nobody_is_complete_all_are_asked);
  CPPUNIT_TEST(a_majority_waits_a_while_for_the_rest);
  CPPUNIT_TEST(where_too_few_are_complete_all_members_are_asked);
  CPPUNIT_TEST(a_complete_one_that_is_away_is_waited_for);
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
    const std::vector<Source> others{unpaid(kBlank), away(kBlank)};
    const auto after = [&](std::size_t sources, bool has_lost) {
      return is_filled(
          {.others = others, .members = 3, .needed = 1, .sources = sources, .has_lost = has_lost});
    };
    CPPUNIT_ASSERT(after(1, false) && !after(0, false));
    CPPUNIT_ASSERT(after(2, true) && !after(1, true));
  }

  void where_nobody_is_complete_all_are_asked() {
    CPPUNIT_ASSERT(filled({kBlank, kBlank}));
    CPPUNIT_ASSERT(!filled({kBlank, unpaid(kBlank)}));
    CPPUNIT_ASSERT(!filled({kBlank, away(kBlank)}));
  }

  void a_majority_waits_a_while_for_the_rest() {
    CPPUNIT_ASSERT(filled({kBlank, away(kBlank)}, true));
    CPPUNIT_ASSERT(!filled({away(kBlank), away(kBlank)}, true));
    CPPUNIT_ASSERT(!filled({unpaid(kBlank), away(kBlank)}, true));
  }

  // With none of whom it was repaired while they were so.
  void where_too_few_are_complete_all_members_are_asked() {
    CPPUNIT_ASSERT(filled({complete(kBlank), kBlank}));
    CPPUNIT_ASSERT(!filled({complete(kBlank), away(kBlank)}, true));
    CPPUNIT_ASSERT(!filled({complete(kBlank), unpaid(kBlank)}, true));
    CPPUNIT_ASSERT(!filled({complete(kBlank)}, true));  // the third is a member, and not called
  }

  // What it holds those who are there may not have, however long it takes to come back.
  void a_complete_one_that_is_away_is_waited_for() {
    CPPUNIT_ASSERT(!filled({kBlank, complete(away(kBlank))}, true));
    CPPUNIT_ASSERT(!filled({kBlank, complete(away(unpaid(kBlank)))}, true));
    CPPUNIT_ASSERT(filled({kBlank, complete(kBlank)}, true));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CompletenessTest, "completeness_test");

}  // namespace
}  // namespace minivault::replicator
