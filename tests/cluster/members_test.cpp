// Goal: member sets travel any way and still become equal; who is forgotten stays so; majorities are right.
// Method: cases, and random histories on several nodes merged in every order.

#include "common/cluster/members.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

#include "tests/cluster/damage.h"
#include "tests/support/seed.h"

namespace minivault::cluster {
namespace {

MemberSet set_of(std::initializer_list<NodeId> ids) {
  MemberSet set;
  for (const NodeId id : ids) CPPUNIT_ASSERT(set.introduce(id, "n" + std::to_string(id) + ":1").value());
  return set;
}

MemberSet merged(MemberSet a, const MemberSet& b) {
  a.merge(b);
  return a;
}

class MembersTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MembersTest);
  CPPUNIT_TEST(grows_by_introduction);
  CPPUNIT_TEST(who_is_forgotten_stays_so);
  CPPUNIT_TEST(nobody_forgotten_makes_way_for_another);
  CPPUNIT_TEST(the_later_address_stands);
  CPPUNIT_TEST(the_later_limit_stands);
  CPPUNIT_TEST(merging_in_any_order_gives_the_same);
  CPPUNIT_TEST(bounded);
  CPPUNIT_TEST(bytes_there_and_back);
  CPPUNIT_TEST(damage_has_a_name);
  CPPUNIT_TEST(majorities);
  CPPUNIT_TEST(whoever_has_agreed_did_so_with_others_and_as_who_it_is);
  CPPUNIT_TEST_SUITE_END();

 public:
  void grows_by_introduction() {
    MemberSet set = set_of({7, 3, 5});
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, set.members().size());
    CPPUNIT_ASSERT_EQUAL(NodeId{3}, set.members()[0].id);
    const std::uint64_t version = set.version();
    CPPUNIT_ASSERT(!set.introduce(5, "n5:1").value());
    CPPUNIT_ASSERT_EQUAL(version, set.version());
    CPPUNIT_ASSERT(set.introduce(5, "elsewhere:1").value());
    CPPUNIT_ASSERT(set.version() > version);
    CPPUNIT_ASSERT_EQUAL(std::string("elsewhere:1"), set.find(5)->address);
    CPPUNIT_ASSERT(set.find(6) == nullptr);
  }

  void nobody_forgotten_makes_way_for_another() {
    MemberSet set = set_of({3});
    for (NodeId id = 10; set.forgotten().size() < MemberSet::kMostForgotten; ++id) {
      CPPUNIT_ASSERT(!set.is_full_for(3));
      CPPUNIT_ASSERT(set.forget(id));
    }
    const MemberSet before = set;
    CPPUNIT_ASSERT(set.is_full_for(3) && !set.is_full_for(10));
    CPPUNIT_ASSERT(!set.forget(3));
    CPPUNIT_ASSERT(set == before);
  }

  void who_is_forgotten_stays_so() {
    MemberSet set = set_of({3, 5});
    const MemberSet before = set;
    CPPUNIT_ASSERT(set.forget(5));
    CPPUNIT_ASSERT(!set.forget(5));
    CPPUNIT_ASSERT(set.find(5) == nullptr && set.is_forgotten(5));
    CPPUNIT_ASSERT(Code::kUnauthorized == set.introduce(5, "n5:1").error().code);
    CPPUNIT_ASSERT(!set.merge(before));
    CPPUNIT_ASSERT(merged(before, set) == set);
    CPPUNIT_ASSERT(merged(before, set).digest() == set.digest() && before.digest() != set.digest());
  }

  void the_later_address_stands() {
    MemberSet here = set_of({3, 5});
    MemberSet there = here;
    CPPUNIT_ASSERT(here.introduce(5, "old:1").value());
    there.merge(here);
    CPPUNIT_ASSERT(there.introduce(5, "new:1").value());
    CPPUNIT_ASSERT_EQUAL(std::string("new:1"), merged(here, there).find(5)->address);
    CPPUNIT_ASSERT_EQUAL(std::string("new:1"), merged(there, here).find(5)->address);
    MemberSet replaced = set_of({3});
    CPPUNIT_ASSERT(replaced.introduce(8, "n3:1").value());
    CPPUNIT_ASSERT_EQUAL(NodeId{8}, replaced.find_address("n3:1")->id);
    CPPUNIT_ASSERT(replaced.find_address("nobody:1") == nullptr);
  }

  // With the address, for it is one claim; and the smallest of them is everybody's.
  void the_later_limit_stands() {
    MemberSet here = set_of({3, 5});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, here.smallest_limit());
    CPPUNIT_ASSERT(here.introduce(5, "n5:1", 100).value());
    CPPUNIT_ASSERT(!here.introduce(5, "n5:1", 100).value());
    CPPUNIT_ASSERT(!here.introduce(5, "n5:1").value());  // who does not know it leaves it as it is
    MemberSet there = here;
    CPPUNIT_ASSERT(there.introduce(5, "n5:1", 200).value());
    CPPUNIT_ASSERT(there.introduce(3, "n3:1", 300).value());
    CPPUNIT_ASSERT(here.digest() != there.digest());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{200}, merged(here, there).smallest_limit());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{200}, merged(there, here).smallest_limit());
    there.forget(5);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{300}, MemberSet::decode(there.encode()).value().smallest_limit());
  }

  void merging_in_any_order_gives_the_same() {
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 300; ++round) {
      std::vector<MemberSet> nodes(4);
      for (int step = 0; step < 40; ++step) {
        MemberSet& node = nodes[random() % nodes.size()];
        const NodeId id = 1 + random() % 9;
        const auto what = random() % 10;
        if (what == 0) {
          node.forget(id);
        } else if (what < 6) {
          (void)node.introduce(id, "n" + std::to_string(random() % 5) + ":1", random() % 3);
        } else {
          node.merge(nodes[random() % nodes.size()]);
        }
      }
      std::vector<std::size_t> order = {0, 1, 2, 3};
      MemberSet expected;
      for (const std::size_t at : order) expected.merge(nodes[at]);
      do {
        MemberSet all;
        for (const std::size_t at : order) all.merge(nodes[at]);
        CPPUNIT_ASSERT(all == expected && all.digest() == expected.digest());
        CPPUNIT_ASSERT(!all.merge(nodes[order[0]]));
      } while (std::next_permutation(order.begin(), order.end()));
      const auto grouped =
          merged(merged(nodes[0], nodes[1]), merged(nodes[2], nodes[3]));  // and however they are grouped
      CPPUNIT_ASSERT(grouped == expected);
      CPPUNIT_ASSERT(MemberSet::decode(expected.encode()).value() == expected);
    }
  }

  void bounded() {
    MemberSet set;
    for (NodeId id = 1; id <= MemberSet::kMost; ++id) CPPUNIT_ASSERT(set.introduce(id, "n:1").value());
    CPPUNIT_ASSERT(Code::kTooLarge == set.introduce(1'000, "n:1").error().code);
    MemberSet other = set_of({500, 501});
    other.merge(set);
    CPPUNIT_ASSERT_EQUAL(MemberSet::kMost, other.members().size());
    CPPUNIT_ASSERT(MemberSet::decode(other.encode()));
  }

  void bytes_there_and_back() {
    MemberSet set = set_of({3, 5, 1'000'000'007});
    set.forget(4);
    set.forget(44);
    const auto decode = [](std::string_view bytes) { return MemberSet::decode(bytes).has_value(); };
    CPPUNIT_ASSERT(MemberSet::decode(set.encode()).value() == set);
    CPPUNIT_ASSERT(MemberSet::decode(MemberSet().encode()).value() == MemberSet());
    std::mt19937_64 random(test::seed());
    test::assert_no_truncation_passes(set.encode(), decode);
    test::decode_every_flip(set.encode(), decode);
    test::decode_noise(set.encode(), random, decode);
  }

  void damage_has_a_name() {
    const auto why_not = [](const std::string& bytes) { return MemberSet::decode(bytes).error().message; };
    using std::string_literals::operator""s;
    CPPUNIT_ASSERT_EQUAL("member set: too many members"s, why_not("\x01\x41"s + std::string(2'000, '\1')));
    CPPUNIT_ASSERT_EQUAL("member set: cut off, or bytes after its end"s, why_not("\x01\x00\x00x"s));
    CPPUNIT_ASSERT_EQUAL("member set: cut off in its members"s,
                         why_not("\x01\x01"s + std::string(8, '\1') + "\x7f\x01\x00"s));
    CPPUNIT_ASSERT_EQUAL("member set: ids out of order"s,
                         why_not("\x01\x02"s + std::string(8, '\2') + "\x00\x00\x00"s + std::string(8, '\1') +
                                 "\x00\x00\x00\x00"s));
    CPPUNIT_ASSERT_EQUAL(
        "member set: a member is forgotten"s,
        why_not("\x01\x01"s + std::string(8, '\2') + "\x00\x00\x00\x01"s + std::string(8, '\2')));
  }

  void majorities() {
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, copies_needed(1, 1));
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, copies_needed(3, 1));  // the first of three, alone
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, copies_needed(2, 2));
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, copies_needed(3, 5));
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, copies_needed(4, 2));
  }

  void whoever_has_agreed_did_so_with_others_and_as_who_it_is() {
    MemberSet agreed;
    CPPUNIT_ASSERT(!has_agreed(agreed, 1));
    CPPUNIT_ASSERT(agreed.introduce(1, "a:1"));
    CPPUNIT_ASSERT(!has_agreed(agreed, 1));
    CPPUNIT_ASSERT(agreed.introduce(2, "b:1"));
    CPPUNIT_ASSERT(has_agreed(agreed, 1));
    CPPUNIT_ASSERT(!has_agreed(agreed, 3));  // its directory had another id then
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MembersTest, "members_test");

}  // namespace
}  // namespace minivault::cluster
