// Goal: of two member sets that count at the same time, any two majorities share a node. Method: each way by
// which a set may come to be agreed on, and one step short of it.

#include "replicator/accord.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <vector>

namespace minivault::replicator {
namespace {

constexpr Standing kSelf{.is_self = true, .is_old = true, .is_listed = true};
constexpr Standing kSelfNew{.is_self = true, .is_listed = true};
constexpr Standing kOld{.is_old = true, .is_listed = true};
constexpr Standing kListed{.is_listed = true};
constexpr Standing kStranger{};

Standing recorded(Standing standing) {
  standing.recorded = true;
  return standing;
}
Standing backing(Standing standing) {
  standing.recorded = standing.backs = true;
  return standing;
}
Standing agreed(Standing standing) {
  standing.recorded = standing.backs = standing.agreed = true;
  return standing;
}

bool agree(const std::vector<Standing>& members, std::size_t configured, OldSet old_set = OldSet::kWhole) {
  return accord_of(members, old_set, configured).agreed;
}
bool back(const std::vector<Standing>& members, std::size_t configured) {
  return accord_of(members, OldSet::kNone, configured).backs;
}

class AccordTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(AccordTest);
  CPPUNIT_TEST(without_newcomers_nothing_changes);
  CPPUNIT_TEST(a_majority_of_the_old_agrees);
  CPPUNIT_TEST(a_new_id_is_a_newcomer);
  CPPUNIT_TEST(who_was_forgotten_is_not_replaced_by_one_who_came);
  CPPUNIT_TEST(whoever_agreed_is_believed);
  CPPUNIT_TEST(at_a_birth_a_majority_of_the_list_backs_it);
  CPPUNIT_TEST(a_short_list_counts_beside_all_others);
  CPPUNIT_TEST(one_more_than_were_there_is_still_a_birth);
  CPPUNIT_TEST(a_node_backs_a_set_with_a_majority_of_its_list);
  CPPUNIT_TEST_SUITE_END();

 public:
  void without_newcomers_nothing_changes() {
    CPPUNIT_ASSERT(agree({kSelf, kOld, kOld}, 3));
    CPPUNIT_ASSERT(agree({kSelfNew}, 3, OldSet::kNone));  // that it needs a majority of three is another rule
  }

  void a_majority_of_the_old_agrees() {
    CPPUNIT_ASSERT(agree({kSelf, recorded(kOld), kOld, kStranger}, 3));
    CPPUNIT_ASSERT(!agree({kSelf, kOld, kOld, recorded(kStranger)}, 3));
    CPPUNIT_ASSERT(!agree({kSelf, recorded(kOld), kOld, kOld, kStranger}, 4));
    // However many come, and whatever they back.
    CPPUNIT_ASSERT(
        !agree({kSelf, kOld, kOld, backing(kStranger), backing(kStranger), backing(kStranger)}, 3));
    // Whoever among them has seen a later set agreed on is asked first.
    Standing knows_later = recorded(kOld);
    knows_later.knows_later = true;
    CPPUNIT_ASSERT(!agree({kSelf, knows_later, kOld, kStranger}, 3));
    CPPUNIT_ASSERT(!agree({kSelf, recorded(kOld), knows_later, recorded(kStranger)}, 3));
  }

  // Its own old set has this node under another id: it is a newcomer like any other.
  void a_new_id_is_a_newcomer() {
    CPPUNIT_ASSERT(!agree({kSelfNew, kOld, kOld}, 3));
    CPPUNIT_ASSERT(!agree({kSelfNew, recorded(kOld), kOld, kOld}, 4));
    CPPUNIT_ASSERT(agree({kSelfNew, recorded(kOld), recorded(kOld)}, 3));
  }

  // Whoever was forgotten meanwhile may be with the others, and one who came instead is no majority.
  void who_was_forgotten_is_not_replaced_by_one_who_came() {
    CPPUNIT_ASSERT(agree({kSelf, kOld, backing(kListed)}, 3));
    CPPUNIT_ASSERT(!agree({kSelf, kOld, backing(kListed)}, 3, OldSet::kParted));
    CPPUNIT_ASSERT(agree({kSelf, recorded(kOld), kListed}, 3, OldSet::kParted));
  }

  void whoever_agreed_is_believed() {
    CPPUNIT_ASSERT(agree({kSelf, kOld, kOld, agreed(kStranger)}, 3));
    CPPUNIT_ASSERT(agree({kSelfNew, agreed(kStranger), kStranger}, 2, OldSet::kNone));
    Standing of_another_set = agreed(kOld);
    of_another_set.recorded = false;
    CPPUNIT_ASSERT(!agree({kSelf, of_another_set, kOld, kStranger}, 3));
  }

  void at_a_birth_a_majority_of_the_list_backs_it() {
    CPPUNIT_ASSERT(agree({kSelfNew, backing(kListed)}, 3, OldSet::kNone));  // the third was never seen
    CPPUNIT_ASSERT(agree({kSelfNew, backing(kListed), kListed}, 3, OldSet::kNone));
    CPPUNIT_ASSERT(!agree({kSelfNew, recorded(kListed), kListed}, 3, OldSet::kNone));
    CPPUNIT_ASSERT(!agree({kSelfNew, backing(kListed), kListed, kListed}, 4, OldSet::kNone));
    CPPUNIT_ASSERT(!agree({kSelfNew, backing(kListed)}, 5, OldSet::kNone));
  }

  // A newcomer that knows one node only, which has not found the others of its own list.
  void a_short_list_counts_beside_all_others() {
    CPPUNIT_ASSERT(!agree({kSelfNew, recorded(kListed)}, 2, OldSet::kNone));
    CPPUNIT_ASSERT(!agree({kSelfNew, recorded(kListed), backing(kStranger)}, 2, OldSet::kNone));
    CPPUNIT_ASSERT(!agree({kSelfNew, backing(kListed), kStranger}, 2, OldSet::kNone));
    CPPUNIT_ASSERT(agree({kSelfNew, backing(kListed), backing(kStranger)}, 2, OldSet::kNone));
  }

  void one_more_than_were_there_is_still_a_birth() {
    // Two of three that never were three, one of them dead since.
    CPPUNIT_ASSERT(agree({kSelf, kOld, backing(kListed)}, 3));
    CPPUNIT_ASSERT(!agree({kSelf, kOld, recorded(kListed)}, 3));
    CPPUNIT_ASSERT(!agree({kSelf, kOld, backing(kStranger)}, 2));
    // Three of five, by a list that has just been made longer.
    CPPUNIT_ASSERT(!agree({kSelf, kOld, kOld, backing(kListed), backing(kListed)}, 5));
    CPPUNIT_ASSERT(!agree({kSelf, kOld, kOld, backing(kListed)}, 4));
  }

  void a_node_backs_a_set_with_a_majority_of_its_list() {
    CPPUNIT_ASSERT(back({kSelfNew, recorded(kListed), kListed}, 3));
    CPPUNIT_ASSERT(!back({kSelfNew, kListed, kListed}, 3));
    CPPUNIT_ASSERT(!back({kSelfNew, recorded(kStranger), recorded(kStranger)}, 3));
    CPPUNIT_ASSERT(back({kSelfNew, recorded(kListed)}, 2));
    CPPUNIT_ASSERT(!back({kSelfNew, recorded(kListed)}, 4));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(AccordTest, "accord_test");

}  // namespace
}  // namespace minivault::replicator
