// Goal: the last write of this node to a key is found behind whatever others wrote, from wherever it is
// asked, and nothing else is taken for one. Method: a store with records of two origins.

#include "replicator/own_writes.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <optional>

#include "tests/store/engine.h"

namespace minivault::replicator {
namespace {

using test::Engine;
using test::in_turn;

class OwnWritesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(OwnWritesTest);
  CPPUNIT_TEST(only_what_this_node_wrote_to_the_key_behind_it);
  CPPUNIT_TEST(what_comes_later_is_seen_too);
  CPPUNIT_TEST(asked_from_further_back_or_far_ahead);
  CPPUNIT_TEST(where_the_last_one_ends);
  CPPUNIT_TEST(a_long_log_takes_several_questions);
  CPPUNIT_TEST(two_that_stand_apart_do_not_make_it_begin_anew);
  CPPUNIT_TEST(what_all_were_told_is_not_looked_at);
  CPPUNIT_TEST(what_the_ring_lost_in_between_is_left_out);
  CPPUNIT_TEST(what_was_written_again_or_brought_back_is_none);
  CPPUNIT_TEST(what_is_told_is_forgotten);
  CPPUNIT_TEST(what_the_ring_lost_is_an_error);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    engine_ = std::make_unique<Engine>();
    engine_->start();
    store_.emplace(engine_->open_store());
    id_ = engine_->state().limits.node_id.load();
    writes_.emplace(*store_, id_);
  }
  void tearDown() override {
    writes_.reset();
    store_.reset();
    engine_.reset();
  }

  void only_what_this_node_wrote_to_the_key_behind_it() {
    const Lsn before = tail();
    const Lsn first = put("k");
    put("other");
    write("k", {engine_->state().append.last_hlc.load() + 5, 9});
    note("k");
    CPPUNIT_ASSERT(wrote_since(before, "k"));
    CPPUNIT_ASSERT(!wrote_since(first, "k"));
    CPPUNIT_ASSERT(wrote_since(first, "other"));
    CPPUNIT_ASSERT(!wrote_since(before, "nobody's"));
  }

  void what_comes_later_is_seen_too() {
    const Lsn first = put("k");
    CPPUNIT_ASSERT(!wrote_since(first, "k"));
    const Lsn second = put("k");
    CPPUNIT_ASSERT(wrote_since(first, "k"));
    CPPUNIT_ASSERT(!wrote_since(second, "k"));
    test::remove(*store_, "k");
    CPPUNIT_ASSERT(wrote_since(second, "k"));
  }

  void asked_from_further_back_or_far_ahead() {
    const Lsn begin = tail();
    put("early");
    const Lsn middle = put("k");
    CPPUNIT_ASSERT(!wrote_since(middle, "k"));
    CPPUNIT_ASSERT(wrote_since(begin, "early"));  // a peer that is behind the other
    CPPUNIT_ASSERT(wrote_since(begin, "k"));
    put("k");
    const Lsn gap = put("l");
    CPPUNIT_ASSERT(!wrote_since(gap, "k"));
    CPPUNIT_ASSERT(wrote_since(middle, "k"));  // what lay in the gap
  }

  void where_the_last_one_ends() {
    const Lsn first = put("k");
    put("k");
    const Lsn last = put("k");
    put("other");
    write("k", {engine_->state().append.last_hlc.load() + 5, 9});
    CPPUNIT_ASSERT_EQUAL(last, ask(first, "k").value());
    CPPUNIT_ASSERT_EQUAL(Lsn{0}, ask(last, "k").value());
  }

  // A turn is to be short. What was not seen yet is not said to be absent.
  void a_long_log_takes_several_questions() {
    const Lsn first = put("k");
    const Lsn second = put("k");
    fill(kPiece + kPiece / 2);
    const Lsn last = put("k");
    CPPUNIT_ASSERT(is_not_now(ask(first, "k")));
    CPPUNIT_ASSERT_EQUAL(last, ask(first, "k").value());
    CPPUNIT_ASSERT_EQUAL(last, ask(second, "k").value());  // it is known
  }

  void two_that_stand_apart_do_not_make_it_begin_anew() {
    const Lsn behind = put("k");
    fill(kPiece + kPiece / 2);
    const Lsn ahead = put("l");
    CPPUNIT_ASSERT_EQUAL(Lsn{0}, ask(ahead, "l").value());
    CPPUNIT_ASSERT(is_not_now(ask(behind, "k")));  // once: from here on all is known
    CPPUNIT_ASSERT_EQUAL(Lsn{0}, ask(behind, "k").value());
    for (int i = 0; i < 3; ++i) {
      put("other");
      const Lsn farther = put("l");
      CPPUNIT_ASSERT_EQUAL(Lsn{0}, ask(farther, "l").value());  // it lies behind all that was looked at
      CPPUNIT_ASSERT_EQUAL(farther, ask(ahead, "l").value());
      CPPUNIT_ASSERT_EQUAL(Lsn{0}, ask(behind, "k").value());
    }
  }

  // Nobody asks from there: what lies between is passed over.
  void what_all_were_told_is_not_looked_at() {
    const Lsn first = put("k");
    CPPUNIT_ASSERT_EQUAL(Lsn{0}, ask(first, "k").value());
    fill(kPiece + kPiece / 2);
    const Lsn later = put("k");
    writes_->forget(later - 8);
    CPPUNIT_ASSERT_EQUAL(Lsn{0}, ask(later, "k").value());
  }

  void what_the_ring_lost_in_between_is_left_out() {
    const Lsn first = put("k");
    CPPUNIT_ASSERT_EQUAL(Lsn{0}, ask(first, "k").value());
    put("k");
    const Lsn kept = put("k");
    engine_->state().marks.window.store(kept);
    const Lsn last = put("k");
    CPPUNIT_ASSERT_EQUAL(last, ask(kept, "k").value());
  }

  void what_was_written_again_or_brought_back_is_none() {
    const Lsn first = put("k");
    const Lsn again = tail();
    put("k");
    writes_->note_again(again);
    write("k", {5, id_});
    CPPUNIT_ASSERT(!wrote_since(first, "k"));
    CPPUNIT_ASSERT(writes_->is_again(again));
    put("k");
    CPPUNIT_ASSERT(wrote_since(first, "k"));
  }

  void what_is_told_is_forgotten() {
    const Lsn again = tail();
    const Lsn first = put("k");
    writes_->note_again(again);
    const Lsn second = put("k");
    CPPUNIT_ASSERT(!wrote_since(second, "k"));
    writes_->forget(again);
    CPPUNIT_ASSERT(writes_->is_again(again));
    writes_->forget(first);
    CPPUNIT_ASSERT(!writes_->is_again(again));
    const Lsn third = put("k");
    CPPUNIT_ASSERT(wrote_since(second, "k"));  // what is not told was kept, and goes on
    writes_->forget(second);
    CPPUNIT_ASSERT(wrote_since(second, "k"));
    writes_->forget(third);
    const Lsn fourth = put("k");
    CPPUNIT_ASSERT(wrote_since(third, "k"));
    CPPUNIT_ASSERT(!wrote_since(fourth, "k"));
  }

  void what_the_ring_lost_is_an_error() {
    const Lsn first = put("k");
    engine_->state().marks.window.store(first + 8);
    const auto lost = ask(first, "k");
    CPPUNIT_ASSERT(!lost && lost.error().code == Code::kNotFound);
  }

 private:
  Lsn tail() { return engine_->state().marks.tail.load(); }
  /// Its end.
  Lsn put(std::string_view key) {
    test::put(*store_, key, "value");
    return tail();
  }
  void write(std::string_view key, const store::Version& version) {
    store::Write record;
    record.key = key;
    record.value = "value";
    record.version = version;
    CPPUNIT_ASSERT(test::commit_one(*store_, record).outcome == store::WriteResult::Outcome::kDone);
  }
  void note(const std::string& name) {
    store::Write record;
    record.operation = store::Operation::kNote;
    record.key = name;
    test::commit_one(*store_, record);
  }
  void fill(std::uint64_t bytes) {
    for (std::uint64_t done = 0; done < bytes; done += 1 << 20)
      test::put(*store_, "fill", std::string(1 << 20, 'x'));
  }
  /// In a turn of its own.
  Result<Lsn> ask(Lsn end, std::string_view key) {
    return in_turn(*store_, [&] { return writes_->last_since(end, key); });
  }
  static bool is_not_now(const Result<Lsn>& answer) {
    return !answer && answer.error().code == Code::kUnavailable;
  }
  bool wrote_since(Lsn end, std::string_view key) {
    const Result<Lsn> last = ask(end, key);
    CPPUNIT_ASSERT_MESSAGE(last ? "" : last.error().message, last);
    return *last != 0;
  }

  static constexpr std::uint64_t kPiece = OwnWrites::kLookBytes;
  std::unique_ptr<Engine> engine_;
  std::optional<store::Store> store_;
  std::optional<OwnWrites> writes_;
  cluster::NodeId id_ = 0;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(OwnWritesTest, "own_writes_test");

}  // namespace
}  // namespace minivault::replicator
