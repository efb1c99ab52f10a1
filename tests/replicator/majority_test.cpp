// Goal: what counts as acknowledged, stable and usual is what a slow, obvious count says.

#include "replicator/majority.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

#include "tests/support/seed.h"

namespace minivault::replicator {
namespace {

namespace {

std::uint64_t floor_of(const std::vector<Holdings>& present,
                       const std::vector<cluster::NodeId>& absent = {}) {
  return stable_floor(present, absent);
}

}  // namespace

class MajorityTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MajorityTest);
  CPPUNIT_TEST(as_many_have_it_as_are_needed);
  CPPUNIT_TEST(the_floor_is_what_everyone_holds_of_everyone);
  CPPUNIT_TEST(the_floor_waits_for_streams_of_absent_origins);
  CPPUNIT_TEST(who_holds_more_of_an_absent_origin_leads);
  CPPUNIT_TEST(anybody_leads_who_owes_an_absent_origin);
  CPPUNIT_TEST_SUITE_END();

 public:
  void as_many_have_it_as_are_needed() {
    CPPUNIT_ASSERT_EQUAL(cluster::Lsn{0}, quorum_of({}, 1));
    CPPUNIT_ASSERT_EQUAL(cluster::Lsn{0}, quorum_of({50}, 2));
    CPPUNIT_ASSERT_EQUAL(cluster::Lsn{50}, quorum_of({10, 50}, 1));
    CPPUNIT_ASSERT_EQUAL(cluster::Lsn{10}, quorum_of({10, 50}, 2));
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 2'000; ++round) {
      std::vector<cluster::Lsn> acked(random() % 8);
      for (cluster::Lsn& lsn : acked) lsn = random() % 10;
      const std::size_t needed = 1 + random() % 5;
      const cluster::Lsn quorum = quorum_of(acked, needed);
      const auto have = [&](cluster::Lsn lsn) {
        return static_cast<std::size_t>(
            std::count_if(acked.begin(), acked.end(), [lsn](cluster::Lsn each) { return each >= lsn; }));
      };
      CPPUNIT_ASSERT(quorum == 0 || have(quorum) >= needed);
      CPPUNIT_ASSERT(have(quorum + 1) < needed);
    }
  }

  void the_floor_is_what_everyone_holds_of_everyone() {
    using cluster::Held;
    const std::vector<Held> a = {{1, {9, 0, 100}}, {2, {9, 0, 70}}};
    const std::vector<Held> b = {{1, {9, 0, 60}}, {2, {9, 0, 90}}};
    const std::vector<Held> knows_one = {{2, {9, 0, 90}}};
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{60}, floor_of({{1, a}, {2, b}}));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, floor_of({{1, a}, {2, knows_one}}));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, floor_of({{1, a}, {2, {}}}));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, floor_of({{1, a}}));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, floor_of({}));
  }

  // 3 is absent. Of its stream 2 holds more than 1 does: the floor may pass that once both have settled it.
  void the_floor_waits_for_streams_of_absent_origins() {
    using cluster::Held;
    const std::vector<Held> a = {{1, {9, 0, 100}}, {2, {9, 0, 70}}, {3, {5, 10, 20}}};
    const std::vector<Held> b = {{1, {9, 0, 80}}, {2, {9, 0, 90}}, {3, {5, 30, 40}}};
    std::vector<Holdings> present{{1, a}, {2, b}};
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{70}, floor_of(present));  // were there no such origin
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20}, floor_of(present, {3}));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, floor_of(present, {3, 4}));  // of 4 nobody knows
    const std::uint64_t fingerprint = fingerprint_of(present, std::vector<cluster::NodeId>{3});
    present[0].settled = {fingerprint, 60};
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20}, floor_of(present, {3}));  // one of the two has
    present[1].settled = {fingerprint, 65};
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{60}, floor_of(present, {3}));
    // More of it has come, or somebody else is there or absent: it is not settled any more.
    const std::vector<Held> more = {{1, {9, 0, 80}}, {2, {9, 0, 90}}, {3, {5, 31, 41}}};
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20}, floor_of({present[0], {2, more, present[1].settled}}, {3}));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, floor_of(present, {3, 4}));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20}, floor_of({present[0]}, {3}));
    CPPUNIT_ASSERT_EQUAL(
        fingerprint_of(std::vector<Holdings>{present[1], present[0]}, std::vector<cluster::NodeId>{3}),
        fingerprint);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, fingerprint_of(present, {}));
  }

  void who_holds_more_of_an_absent_origin_leads() {
    const std::vector<cluster::Held> less{{7, {1, 100, 50}}};
    const std::vector<cluster::Held> more{{7, {1, 200, 60}}};
    const std::vector<cluster::Held> other_epoch{{7, {2, 10, 70}}};
    CPPUNIT_ASSERT(lead(less, more, 7) != 0);
    CPPUNIT_ASSERT(lead({}, less, 7) != 0);
    CPPUNIT_ASSERT(lead(less, more, 7) != lead({}, less, 7));
    CPPUNIT_ASSERT(lead(more, other_epoch, 7) != 0);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, lead(more, less, 7));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, lead(less, less, 7));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, lead(less, {}, 7));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, lead(less, more, 8));
  }

  // Its position is behind a jump: others with the same one, or a lesser one, may have what it lacks.
  void anybody_leads_who_owes_an_absent_origin() {
    const store::Version debt{30, 1};
    const std::vector<cluster::Held> behind_the_jump{{7, {1, 100, 50}}};
    const std::vector<cluster::Held> less{{7, {1, 90, 50}}};
    const std::vector<cluster::Held> same_and_paid{{7, {1, 100, 60}}};
    const std::uint64_t first = lead(behind_the_jump, behind_the_jump, 7, debt);
    CPPUNIT_ASSERT(first != 0);
    CPPUNIT_ASSERT(lead(behind_the_jump, less, 7, debt) != 0);
    CPPUNIT_ASSERT(lead(behind_the_jump, {}, 7, debt) != 0);
    CPPUNIT_ASSERT_EQUAL(first, lead(behind_the_jump, behind_the_jump, 7, debt));  // once is enough,
    CPPUNIT_ASSERT(first != lead(behind_the_jump, same_and_paid, 7, debt));        // unless the peer got more
    CPPUNIT_ASSERT(first != lead(behind_the_jump, behind_the_jump, 7, {31, 1}));   // or it owes anew
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MajorityTest, "majority_test");

}  // namespace
}  // namespace minivault::replicator
