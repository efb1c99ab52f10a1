// Goal: every combination of what can be found at start has exactly one row in the table of
// common/store/README.md, and recovery decides as that row says. Method: the table is parsed from the README;
// the whole product of evidence is walked.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "common/store/recovery.h"
#include "tests/support/source_directory.h"

namespace minivault::test {
namespace {

using store::Decision;
using store::Evidence;

struct Row {
  std::vector<std::string> cells;  ///< letter, log, eleven facts, decision
  unsigned used = 0;
};

std::string trimmed(std::string text) {
  text.erase(0, text.find_first_not_of(" `"));
  text.erase(text.find_last_not_of(" `") + 1);
  return text;
}

/// The lines `| A | … |` of the README whose first cell is one letter.
std::vector<Row> table() {
  std::ifstream file(source_directory() / "common/store/README.md");
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    Row row;
    std::stringstream cells(line);
    std::string cell;
    std::getline(cells, cell, '|');
    while (std::getline(cells, cell, '|')) row.cells.push_back(trimmed(cell));
    if (row.cells.size() >= 14 && row.cells[0].size() == 1) rows.push_back(row);
  }
  return rows;
}

bool fits(const std::string& cell, bool fact) {
  return cell == "-" || cell == (fact ? "yes" : "no");
}

bool fits(const Row& row, const Evidence& e) {
  static const std::map<std::string, Evidence::Log> logs{{"absent", Evidence::Log::kAbsent},
                                                         {"unknown", Evidence::Log::kUnknownFormat},
                                                         {"damaged", Evidence::Log::kDamagedHeader},
                                                         {"present", Evidence::Log::kPresent}};
  if (logs.at(row.cells[1]) != e.log) return false;
  const std::array<bool, 11> facts{
      e.base_born,      e.log_ever_started, e.same_store, e.base_reaches_log,     e.same_age,
      e.log_is_younger, e.log_reaches_base, e.clean,      e.ends_where_it_should, e.acknowledged_damaged,
      e.accept_loss};
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (!fits(row.cells[2 + i], facts[i])) return false;
  }
  return true;
}

const char* name_of(Decision decision) {
  switch (decision) {
    case Decision::kBirth:
      return "birth";
    case Decision::kFinishBirth:
      return "finish birth";
    case Decision::kReplay:
      return "replay";
    case Decision::kSalvage:
      return "replay, new log";
    case Decision::kNewLog:
      return "new log";
    case Decision::kRefuse:
      return "refuse";
  }
  return "?";
}

}  // namespace

class RecoveryDecisionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RecoveryDecisionTest);
  CPPUNIT_TEST(every_combination_has_its_row);
  CPPUNIT_TEST(nothing_is_lost_without_consent);
  CPPUNIT_TEST_SUITE_END();

  template <typename Visit>
  static void walk(Visit&& visit) {
    for (const auto log : {Evidence::Log::kAbsent, Evidence::Log::kUnknownFormat,
                           Evidence::Log::kDamagedHeader, Evidence::Log::kPresent}) {
      for (unsigned bits = 0; bits < 2048; ++bits) {
        Evidence e;
        e.log = log;
        unsigned bit = 0;
        for (bool* fact : {&e.base_born, &e.log_ever_started, &e.same_store, &e.same_age, &e.log_is_younger,
                           &e.base_reaches_log, &e.log_reaches_base, &e.clean, &e.ends_where_it_should,
                           &e.acknowledged_damaged, &e.accept_loss}) {
          *fact = (bits >> bit++ & 1U) != 0;
        }
        visit(e);
      }
    }
  }

  void every_combination_has_its_row() {
    std::vector<Row> rows = table();
    CPPUNIT_ASSERT_MESSAGE("the README has no table", !rows.empty());
    walk([&](const Evidence& e) {
      const Row* found = nullptr;
      for (Row& row : rows) {
        if (!fits(row, e)) continue;
        CPPUNIT_ASSERT_MESSAGE("rows " + row.cells[0] + " and another both fit", found == nullptr);
        found = &row;
        ++row.used;
      }
      CPPUNIT_ASSERT_MESSAGE("a combination without a row", found != nullptr);
      const store::Verdict verdict = store::decide(e);
      CPPUNIT_ASSERT_EQUAL_MESSAGE("row " + found->cells[0], found->cells[13],
                                   std::string(name_of(verdict.decision)));
      CPPUNIT_ASSERT(*verdict.reason != '\0');
    });
    for (const Row& row : rows) CPPUNIT_ASSERT_MESSAGE("row " + row.cells[0] + " fits nothing", row.used > 0);
  }

  /// A new log over a born base loses what was in the old one, and so does a replay that stops at damage.
  void nothing_is_lost_without_consent() {
    walk([](const Evidence& e) {
      const Decision decision = store::decide(e).decision;
      if (e.accept_loss) return;
      CPPUNIT_ASSERT(decision != Decision::kNewLog && decision != Decision::kSalvage);
      CPPUNIT_ASSERT(decision != Decision::kReplay || (!e.acknowledged_damaged && e.log_reaches_base));
      CPPUNIT_ASSERT(decision != Decision::kBirth || (!e.base_born && e.log == Evidence::Log::kAbsent));
    });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RecoveryDecisionTest, "recovery_decision_test");

}  // namespace minivault::test
