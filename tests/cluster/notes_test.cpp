// Goal: a position is believed exactly when it can be one of this node's stream; notes say what was put in.

#include "common/cluster/notes.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/cluster/damage.h"

namespace minivault::cluster {
namespace {

EpochList three_starts() {
  EpochList list;
  list.begin(11, 100);
  list.begin(22, 200);
  list.begin(33, 300);
  return list;
}

class NotesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(NotesTest);
  CPPUNIT_TEST(a_position_ends_where_its_epoch_did);
  CPPUNIT_TEST(the_oldest_epochs_go);
  CPPUNIT_TEST(bytes_there_and_back);
  CPPUNIT_TEST(names_and_ids);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_position_ends_where_its_epoch_did() {
    const EpochList list = three_starts();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{33}, list.current());
    CPPUNIT_ASSERT(list.knows({11, 200, 0}, 350));
    CPPUNIT_ASSERT(!list.knows({11, 201, 0}, 350));  // pushed by a node that a copy of the directory forgot
    CPPUNIT_ASSERT(list.knows({22, 250, 0}, 350) && !list.knows({22, 301, 0}, 350));
    CPPUNIT_ASSERT(list.knows({33, 350, 0}, 350) && !list.knows({33, 351, 0}, 350));
    CPPUNIT_ASSERT(list.knows({33, 250, 0}, 350));  // sent in the new epoch, of the log before it
    CPPUNIT_ASSERT(!list.knows({44, 100, 0}, 350) && !list.knows({0, 0, 0}, 350));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, EpochList().current());
  }

  void the_oldest_epochs_go() {
    EpochList list;
    for (std::uint64_t i = 1; i <= EpochList::kKept + 2; ++i) list.begin(i, i);
    CPPUNIT_ASSERT_EQUAL(EpochList::kKept, list.epochs().size());
    CPPUNIT_ASSERT(!list.knows({2, 2, 0}, 1'000) && list.knows({3, 3, 0}, 1'000));
    CPPUNIT_ASSERT(EpochList::decode(list.encode()).has_value());
  }

  void bytes_there_and_back() {
    const auto decode = [](std::string_view bytes) { return EpochList::decode(bytes).has_value(); };
    const std::string bytes = three_starts().encode();
    CPPUNIT_ASSERT(EpochList::decode(bytes).value().epochs() == three_starts().epochs());
    test::assert_no_truncation_passes(bytes, decode);
    test::decode_every_flip(bytes, decode);

    const Position position{5, 1ULL << 60, 7};
    CPPUNIT_ASSERT(decode_position(encode_position(position)).value() == position);
    test::assert_no_truncation_passes(encode_position(position),
                                      [](std::string_view b) { return decode_position(b).has_value(); });

    EpochList backwards;
    backwards.begin(1, 9);
    backwards.begin(2, 8);
    CPPUNIT_ASSERT_EQUAL(std::string("note epochs: out of order"),
                         EpochList::decode(backwards.encode()).error().message);
  }

  void names_and_ids() {
    CPPUNIT_ASSERT_EQUAL(std::string("position/00000000000000ff"), position_note(255));
    CPPUNIT_ASSERT_EQUAL(std::string("debt/00000000000000ff"), debt_note(255));
    CPPUNIT_ASSERT(parse_id("00000000000000ff") == NodeId{255});
    CPPUNIT_ASSERT(parse_id(id_text(~NodeId{0})) == ~NodeId{0});
    for (const char* wrong : {"", "ff", "00000000000000fg", "+0000000000000ff", "00000000000000ff "}) {
      CPPUNIT_ASSERT_MESSAGE(wrong, !parse_id(wrong));
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(NotesTest, "notes_test");

}  // namespace
}  // namespace minivault::cluster
