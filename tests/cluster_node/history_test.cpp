// Goal: the judge of every cluster test knows right from wrong. Method: histories of a line or two, each with
// a content that is right and one that is not.

#include "tests/support/history.h"

#include <cppunit/extensions/HelperMacros.h>

namespace minivault::test {

class HistoryTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HistoryTest);
  CPPUNIT_TEST(an_acknowledged_write_is_there);
  CPPUNIT_TEST(a_later_write_wins);
  CPPUNIT_TEST(of_two_at_once_either_wins);
  CPPUNIT_TEST(a_delete_stays_done);
  CPPUNIT_TEST(an_unknown_outcome_may_be_either);
  CPPUNIT_TEST(an_unknown_write_does_not_come_back);
  CPPUNIT_TEST(an_unknown_write_may_come_back_where_clocks_are_wrong);
  CPPUNIT_TEST(a_refused_write_never_happened);
  CPPUNIT_TEST(nothing_comes_out_of_nowhere);
  CPPUNIT_TEST_SUITE_END();

 public:
  void an_acknowledged_write_is_there() {
    write("1");
    right({{"k", "1"}});
    wrong({});
    wrong({{"k", "2"}});
  }

  void a_later_write_wins() {
    write("1");
    write("2");
    right({{"k", "2"}});
    wrong({{"k", "1"}});
    wrong({});
  }

  void of_two_at_once_either_wins() {
    write("0");
    const auto first = history_.begin("k", "1");
    const auto second = history_.begin("k", "2");
    history_.end(second, Outcome::kDone);
    history_.end(first, Outcome::kDone);
    right({{"k", "1"}});
    right({{"k", "2"}});
    wrong({{"k", "0"}});
  }

  void a_delete_stays_done() {
    write("1");
    write(std::nullopt);
    right({});
    wrong({{"k", "1"}});
    write("2");
    wrong({});
  }

  void an_unknown_outcome_may_be_either() {
    write("1");
    write("2", Outcome::kUnknown);
    right({{"k", "1"}});
    right({{"k", "2"}});
    wrong({});
    write(std::nullopt, Outcome::kUnknown);
    right({});
  }

  void an_unknown_write_does_not_come_back() {
    write("1", Outcome::kUnknown);
    std::this_thread::sleep_for(milliseconds(30));
    write("2");
    right({{"k", "2"}});
    wrong({{"k", "1"}});
  }

  void an_unknown_write_may_come_back_where_clocks_are_wrong() {
    History history(History::Unknowns::kStayUndecided);
    history.end(history.begin("k", "0"), Outcome::kDone);
    history.end(history.begin("k", "1"), Outcome::kUnknown);
    std::this_thread::sleep_for(milliseconds(30));
    history.end(history.begin("k", "2"), Outcome::kDone);
    CPPUNIT_ASSERT(history.violations({{"k", "1"}}).empty());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, history.violations({{"k", "0"}}).size());
  }

  void a_refused_write_never_happened() {
    write("1", Outcome::kRefused);
    right({});
    wrong({{"k", "1"}});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, history_.counts().refused);
  }

  void nothing_comes_out_of_nowhere() {
    write("1");
    wrong({{"k", "1"}, {"stranger", "1"}});
    CPPUNIT_ASSERT(history_.was_written("k", "1"));
    CPPUNIT_ASSERT(history_.was_written("k", std::nullopt));
    CPPUNIT_ASSERT(!history_.was_written("k", "2"));
  }

 private:
  void write(const History::State& state, Outcome outcome = Outcome::kDone) {
    history_.end(history_.begin("k", state), outcome);
  }
  void right(const Content& content) { CPPUNIT_ASSERT(history_.violations(content).empty()); }
  void wrong(const Content& content) {
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, history_.violations(content).size());
  }

  History history_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HistoryTest, "history_test");

}  // namespace minivault::test
