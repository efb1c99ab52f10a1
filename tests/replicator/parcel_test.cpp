// Goal: parcels, one after the other, are this node's own records, all of them, once, in order; peers at one
// place share them; what others wrote moves a position now and then, notes alone never do.
// Method: a store with records of several origins; parcels taken apart again.

#include "replicator/parcel.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "common/protocol/binary.h"
#include "common/protocol/compression.h"
#include "tests/store/engine.h"

namespace minivault::replicator {
namespace {

using test::Engine;
using test::in_turn;

constexpr std::uint64_t kEpoch = 77;

/// A parcel's frame, as its receiver sees it.
struct Opened {
  std::string message;
  cluster::DecodedBatch batch;
};

std::unique_ptr<Opened> open_frame(std::string_view frame, cluster::NodeId origin) {
  protocol::BinaryRequest request;
  const auto parsed = protocol::parse_binary(frame, {1 << 28, 1 << 28}, request);
  CPPUNIT_ASSERT(parsed.kind == protocol::BinaryParse::Kind::kRequest && parsed.size == frame.size());
  CPPUNIT_ASSERT_EQUAL(cluster::kBatch, request.key);
  auto opened = std::make_unique<Opened>();
  opened->message = request.compressed ? protocol::decompress_frame(request.value, 1 << 28).value()
                                       : std::string(request.value);
  auto batch = cluster::decode_batch(opened->message, origin);
  CPPUNIT_ASSERT_MESSAGE(batch ? "" : batch.error().message, batch);
  opened->batch = std::move(*batch);
  return opened;
}

class ParcelTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ParcelTest);
  CPPUNIT_TEST(own_records_in_order_and_nothing_else);
  CPPUNIT_TEST(peers_at_one_place_share_a_parcel);
  CPPUNIT_TEST(a_large_record_goes_alone);
  CPPUNIT_TEST(what_others_wrote_moves_a_position_when_asked);
  CPPUNIT_TEST(notes_alone_move_nothing);
  CPPUNIT_TEST(the_last_words_of_a_node_move_it_whatever_there_was);
  CPPUNIT_TEST(what_the_ring_lost_is_an_error);
  CPPUNIT_TEST(whoever_may_have_forgotten_some_vouches_for_nothing);
  CPPUNIT_TEST(what_was_vouched_for_before_is_not_sent_again);
  CPPUNIT_TEST(what_was_made_anew_leaves_as_much_room);
  CPPUNIT_TEST(records_of_an_answer_are_found);
  CPPUNIT_TEST(compressed_where_it_pays);
  CPPUNIT_TEST(an_opening_says_where);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    engine_ = std::make_unique<Engine>(std::uint64_t{64} << 20U);
    engine_->start();
    store_.emplace(engine_->open_store());
    id_ = engine_->state().limits.node_id.load();
    begin_ = engine_->state().marks.tail.load();
    vouch_from(begin_);
    shelf_ = std::make_unique<Shelf>(*store_, id_, kEpoch);
  }
  void tearDown() override {
    shelf_.reset();
    store_.reset();
    engine_.reset();
  }

  void own_records_in_order_and_nothing_else() {
    std::vector<std::string> expected;
    for (int i = 0; i < 3'000; ++i) {
      const std::string key = "key " + std::to_string(i);
      if (i % 3 == 0) foreign(key + "f", 5 + static_cast<std::uint64_t>(i));
      if (i % 5 == 0) note("n" + key);
      if (i % 7 == 0) {
        test::remove(*store_, key);
      } else {
        test::put(*store_, key, std::string(300, 'v'));
      }
      expected.push_back(key);
    }
    std::vector<std::string> got;
    Lsn at = begin_;
    std::uint64_t hlc = 0;
    while (const ParcelPtr parcel = next(at)) {
      CPPUNIT_ASSERT_EQUAL(at, parcel->from);
      const auto opened = open_frame(parcel->frame, id_);
      CPPUNIT_ASSERT(opened->batch.head.epoch == kEpoch && !opened->batch.head.jump);
      CPPUNIT_ASSERT(opened->batch.head.from == at && opened->batch.head.to == parcel->to);
      CPPUNIT_ASSERT_EQUAL(parcel->records, opened->batch.records.size());
      CPPUNIT_ASSERT(parcel->frame.size() < Shelf::kParcelBytes + 1'000);
      for (const cluster::Record& record : opened->batch.records) {
        got.emplace_back(record.key);
        CPPUNIT_ASSERT(record.version.hlc > hlc);
        hlc = record.version.hlc;
      }
      hlc = std::max(hlc, opened->batch.head.hlc);
      at = parcel->to;
    }
    CPPUNIT_ASSERT(expected == got);
    CPPUNIT_ASSERT_EQUAL(engine_->state().marks.tail.load(), shelf_->nothing_before(at));
  }

  void peers_at_one_place_share_a_parcel() {
    test::put(*store_, "a", "1");
    const ParcelPtr first = next(begin_);
    test::put(*store_, "b", "2");
    CPPUNIT_ASSERT(next(begin_) == first);
    const ParcelPtr second = next(first->to);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, second->records);
    CPPUNIT_ASSERT(next(second->to) == nullptr);
  }

  void a_large_record_goes_alone() {
    test::put(*store_, "a", "1");
    test::put(*store_, "large", std::string(2 << 20, 'x'));
    test::put(*store_, "b", "2");
    const ParcelPtr before = next(begin_);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, before->records);
    const ParcelPtr large = next(before->to);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, large->records);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2 << 20}, open_frame(large->frame, id_)->batch.records[0].value.size());
    CPPUNIT_ASSERT(next(before->to) == large);  // shared while somebody has it
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, next(large->to)->records);
  }

  void what_others_wrote_moves_a_position_when_asked() {
    foreign("a", 5);
    foreign("b", 6);
    CPPUNIT_ASSERT(next(begin_) == nullptr);
    CPPUNIT_ASSERT_EQUAL(engine_->state().marks.tail.load(), shelf_->nothing_before(begin_));
    const ParcelPtr empty = next(begin_, Shelf::Empty::kIfOthers);
    CPPUNIT_ASSERT(empty != nullptr && empty->records == 0);
    CPPUNIT_ASSERT_EQUAL(engine_->state().marks.tail.load(), empty->to);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, open_frame(empty->frame, id_)->batch.head.hlc);
    CPPUNIT_ASSERT(next(empty->to, Shelf::Empty::kIfOthers) == nullptr);
  }

  void notes_alone_move_nothing() {
    note("position/1");
    CPPUNIT_ASSERT(next(begin_, Shelf::Empty::kIfOthers) == nullptr);
    note("position/2");
    CPPUNIT_ASSERT(next(begin_, Shelf::Empty::kIfOthers) == nullptr);
    test::put(*store_, "a", "1");
    const ParcelPtr parcel = next(begin_);
    CPPUNIT_ASSERT(parcel != nullptr && parcel->from == begin_ && parcel->records == 1);
  }

  void the_last_words_of_a_node_move_it_whatever_there_was() {
    note("position/1");
    const Lsn tail = engine_->state().marks.tail.load();
    const ParcelPtr last = next(begin_, Shelf::Empty::kAll);
    CPPUNIT_ASSERT(last != nullptr && last->to == tail && last->records == 0);
    CPPUNIT_ASSERT(next(tail, Shelf::Empty::kAll) == nullptr);
  }

  void what_the_ring_lost_is_an_error() {
    engine_->state().marks.window.store(begin_ + 8);
    const auto lost = in_turn(*store_, [&] { return shelf_->next(begin_, Shelf::Empty::kNothing); });
    CPPUNIT_ASSERT(!lost && lost.error().code == Code::kNotFound);
  }

  // What it had forgotten comes back behind later records, with the old clock value. A word given before that
  // would be taken for one about it.
  void whoever_may_have_forgotten_some_vouches_for_nothing() {
    vouch_from(0);
    const auto told = [&](const ParcelPtr& parcel) {
      CPPUNIT_ASSERT_EQUAL(parcel->hlc, open_frame(parcel->frame, id_)->batch.head.hlc);
      return parcel->hlc;
    };
    test::put(*store_, "a", "1");
    const ParcelPtr before = next(begin_);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, told(before));
    test::put(*store_, "b", std::string(2 << 20, '2'));  // in a batch of its own
    store::Write returned;
    returned.key = "forgotten";
    returned.value = "v";
    returned.version = {5, id_};
    test::commit_one(*store_, returned);
    test::put(*store_, "c", "3");
    vouch_from(engine_->state().marks.tail.load());
    // A batch that ends before that says nothing; the one that brings all of it does.
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, told(next(begin_)));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, told(made_anew(begin_)));
    const ParcelPtr large = next(before->to);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, told(large));
    const ParcelPtr after = next(large->to);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, after->records);
    CPPUNIT_ASSERT_EQUAL(engine_->state().append.last_hlc.load(), told(after));
  }

  // It finds out that it has forgotten some when the word is given: cut, and with one peer under way already.
  // For whoever comes to that place later, on a new connection perhaps, it is no word any more.
  void what_was_vouched_for_before_is_not_sent_again() {
    test::put(*store_, "a", std::string(200 * 1024, 'a'));
    const ParcelPtr small = next(begin_);
    test::put(*store_, "b", std::string(2 << 20, 'b'));
    const ParcelPtr large = next(small->to);
    foreign("c", 5);
    const ParcelPtr empty = next(large->to, Shelf::Empty::kIfOthers);
    const std::vector<ParcelPtr> before = {small, large, empty};
    for (const ParcelPtr& parcel : before) CPPUNIT_ASSERT(parcel->hlc != 0);
    vouch_from(small->to);  // all of them bring what is behind it
    for (const ParcelPtr& parcel : before) CPPUNIT_ASSERT(next(parcel->from) == parcel);

    vouch_from(0);
    CPPUNIT_ASSERT_EQUAL(small->to, assert_anew(small)->to);
    CPPUNIT_ASSERT_EQUAL(large->to, assert_anew(large)->to);
    CPPUNIT_ASSERT(next(empty->from) == nullptr);
    CPPUNIT_ASSERT_EQUAL(empty->to, assert_anew(empty, Shelf::Empty::kIfOthers)->to);

    test::put(*store_, "d", "4");
    const ParcelPtr silent = next(empty->to);
    vouch_from(engine_->state().marks.tail.load());
    test::put(*store_, "e", "5");
    const ParcelPtr anew = next(silent->to);
    CPPUNIT_ASSERT(next(silent->from) == silent);  // it has no word to take back
    CPPUNIT_ASSERT(anew->hlc != 0 && next(anew->from) == anew);
    vouch_from(anew->to + 8);  // it was found out, and made up for, once more: this one ends before that
    (void)assert_anew(anew);
  }

  void what_was_made_anew_leaves_as_much_room() {
    constexpr std::size_t kRecord = 900'000;
    std::vector<ParcelPtr> parcels;
    for (std::size_t bytes = 0; bytes + 2 * kRecord < Shelf::kKeptBytes; bytes += kRecord) {
      test::put(*store_, "k", std::string(kRecord, 'v'));
      parcels.push_back(next(parcels.empty() ? begin_ : parcels.back()->to));
    }
    vouch_from(0);
    for (ParcelPtr& parcel : parcels) parcel = assert_anew(parcel);
    for (const ParcelPtr& parcel : parcels) CPPUNIT_ASSERT(next(parcel->from) == parcel);
  }

  void records_of_an_answer_are_found() {
    for (const char* key : {"a", "b", "c", "d"}) {
      foreign(std::string(key) + "f", 5);
      test::put(*store_, key, "value of " + std::string(key));
    }
    const ParcelPtr parcel = next(begin_);
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, parcel->records);
    std::vector<std::string> seen;
    const std::vector<cluster::Conflict> conflicts = {{1, {50, 9}}, {3, {60, 9}}};
    const Status visited = in_turn(*store_, [&] {
      return shelf_->visit(*parcel, conflicts,
                           [&](const store::Change& record, const cluster::Conflict& conflict) {
                             seen.push_back(std::string(record.key) + " " + std::string(record.value) + " " +
                                            std::to_string(conflict.held.hlc));
                           });
    });
    CPPUNIT_ASSERT(visited);
    CPPUNIT_ASSERT((seen == std::vector<std::string>{"b value of b 50", "d value of d 60"}));
  }

  void compressed_where_it_pays() {
    test::put(*store_, "a", std::string(10'000, 'x'));
    const ParcelPtr good = next(begin_);
    CPPUNIT_ASSERT(frame_of(*good, true).size() < good->frame.size() / 4);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, open_frame(frame_of(*good, true), id_)->batch.records.size());
    CPPUNIT_ASSERT(frame_of(*good, false) == good->frame);
    test::put(*store_, "b", "tiny");
    const ParcelPtr tiny = next(good->to);
    CPPUNIT_ASSERT(frame_of(*tiny, true) == tiny->frame);
  }

  void an_opening_says_where() {
    const auto opened = open_frame(make_opening(kEpoch, 4'096, true)->frame, id_);
    CPPUNIT_ASSERT(opened->batch.head.jump && opened->batch.records.empty());
    CPPUNIT_ASSERT(opened->batch.head.from == 4'096 && opened->batch.head.to == 4'096);
  }

 private:
  void vouch_from(Lsn lsn) { engine_->state().cluster.vouched_from.store(lsn); }
  ParcelPtr next(Lsn from, Shelf::Empty empty = Shelf::Empty::kNothing) {
    return in_turn(*store_, [&] {
      auto parcel = shelf_->next(from, empty);
      CPPUNIT_ASSERT_MESSAGE(parcel ? "" : parcel.error().message, parcel);
      return *parcel;
    });
  }
  /// In place of one that has a word which counts no more.
  ParcelPtr assert_anew(const ParcelPtr& before, Shelf::Empty empty = Shelf::Empty::kNothing) {
    const ParcelPtr anew = next(before->from, empty);
    CPPUNIT_ASSERT(anew != nullptr && anew != before);
    CPPUNIT_ASSERT_EQUAL(before->records, anew->records);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, anew->hlc);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, open_frame(anew->frame, id_)->batch.head.hlc);
    CPPUNIT_ASSERT(next(before->from, empty) == anew);  // shared in its turn
    CPPUNIT_ASSERT(before->hlc != 0);                   // whoever has it may still be sending it
    return anew;
  }
  /// As for a peer that comes to a place which the shelf has forgotten.
  ParcelPtr made_anew(Lsn from) {
    shelf_ = std::make_unique<Shelf>(*store_, id_, kEpoch);
    return next(from);
  }
  void foreign(const std::string& key, std::uint64_t hlc) {
    store::Write write;
    write.key = key;
    write.value = "foreign";
    write.version = {hlc, 9};
    test::commit_one(*store_, write);
  }
  void note(const std::string& name) {
    store::Write write;
    write.operation = store::Operation::kNote;
    write.key = name;
    test::commit_one(*store_, write);
  }

  std::unique_ptr<Engine> engine_;
  std::optional<store::Store> store_;
  std::unique_ptr<Shelf> shelf_;
  cluster::NodeId id_ = 0;
  Lsn begin_ = 0;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ParcelTest, "parcel_test");

}  // namespace
}  // namespace minivault::replicator
