// Goal: a comparison loses nothing to what is written meanwhile, and ends, whatever a side answers.
// Method: sides in memory that are written to, or talk nonsense, at a chosen moment.

#include <cppunit/extensions/HelperMacros.h>

#include <random>
#include <utility>
#include <vector>

#include "tests/cluster/memory_side.h"
#include "tests/support/seed.h"

namespace minivault::cluster {
namespace {

/// Does as it is told once, before it answers, or answers something else.
class OddSide final : public MemorySide {
 public:
  using MemorySide::MemorySide;

  Result<RangesPage> split(const SplitRequest& request) override {
    return as_split ? as_split(request) : MemorySide::split(request);
  }
  Result<RangesPage> sums(const SumsRequest& request) override {
    return as_sums ? as_sums(request) : MemorySide::sums(request);
  }
  Result<ItemsPage> crowd(const PageRequest& request) override {
    if (before_crowd) std::exchange(before_crowd, nullptr)();
    Result<ItemsPage> page = MemorySide::crowd(request);
    if (page && leads_nowhere) page->next = request.from.empty() ? long_key_of(7, 600) : request.from;
    return page;
  }
  Result<RecordsPage> records(const PageRequest& request) override {
    Result<RecordsPage> page = MemorySide::records(request);
    if (page && leads_nowhere) page->next = request.from.empty() ? "k" : request.from;
    return page;
  }

  Ghosts take_refused() override { return std::exchange(refused, {}); }

  Ghosts refused;
  std::function<RangesPage(const SplitRequest&)> as_split;
  std::function<RangesPage(const SumsRequest&)> as_sums;
  std::function<void()> before_crowd;
  bool leads_nowhere = false;
};

}  // namespace

class ReconcileFaultsTest final : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReconcileFaultsTest);
  CPPUNIT_TEST(an_older_record_that_comes_meanwhile_hides_nothing);
  CPPUNIT_TEST(random_writes_meanwhile_hide_nothing);
  CPPUNIT_TEST(pages_that_lead_nowhere_end_it);
  CPPUNIT_TEST(splits_that_are_none_end_it);
  CPPUNIT_TEST(ranges_that_become_no_smaller_end_it);
  CPPUNIT_TEST(many_refused_at_once_are_deleted_in_pushes_of_a_page);
  CPPUNIT_TEST_SUITE_END();

 public:
  // Only the second side has the key when the first is read; before the second is, a stream brings the first
  // what was overwritten, or deleted, long ago.
  void an_older_record_that_comes_meanwhile_hides_nothing() {
    unsigned number = 1'000;  // where the first side has something, too, or it would be moved unseen
    while (bucket_of(long_key_of(number, 600)) != bucket_of(long_key_of(0, 600))) ++number;
    const std::string key = long_key_of(number, 600);
    for (const Stored& newest : {set_at(50, "newest"), deleted_at(50)}) {
      for (const std::uint64_t floor : {0U, 5U}) {
        Content first = crowd();
        Content second = first;
        first[long_key_of(0, 600)] = set_at(20, "differs");
        second[key] = newest;
        OddSide a(first, false, 32'768);
        OddSide b(second, true, 32'768);
        b.before_crowd = [&] { first[key] = set_at(20, "older"); };
        Reconciliation task;
        task.cut_off_hlc = task.ghosts_of_first_up_to = task.ghosts_of_second_up_to = floor;
        CPPUNIT_ASSERT(reconcile(a, b, second.size(), task));
        CPPUNIT_ASSERT(!b.before_crowd);
        CPPUNIT_ASSERT(first[key] == newest);
        CPPUNIT_ASSERT(second[key] == newest);
        CPPUNIT_ASSERT(first == second);
      }
    }
  }

  // Between any two answers somebody writes to either side what is older or newer than what is there.
  void random_writes_meanwhile_hide_nothing() {
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 300; ++round) {
      std::vector<std::string> keys;
      for (std::uint64_t i = 0, count = 20 + random() % 300; i < count; ++i) keys.push_back(any_key(random));
      Content first;
      Content second;
      for (const std::string& key : keys) {
        if (random() % 4 != 0) first[key] = any_record(random);
        if (random() % 4 != 0)
          second[key] = first.contains(key) && random() % 4 != 0 ? first[key] : any_record(random);
      }
      const Content first_had = first;
      const Content second_had = second;
      const std::uint64_t page_bytes = 2'000 + random() % 30'000;
      MemorySide a(first, false, page_bytes);
      MemorySide b(second, true, page_bytes);
      a.before_answer = b.before_answer = [&] {
        Stored& held = (random() % 2 == 0 ? first : second)[keys[random() % keys.size()]];
        const Stored written = any_record(random);
        if (held.version < written.version) held = written;
      };
      Reconciliation task;
      CPPUNIT_ASSERT(reconcile(a, b, random() % 2 == 0 ? keys.size() : 100'000, task));
      for (const Content* had : {&first_had, &second_had}) {
        for (const auto& [key, record] : *had) {
          CPPUNIT_ASSERT(!(first[key].version < record.version));
          CPPUNIT_ASSERT(!(second[key].version < record.version));
        }
      }
    }
  }

  void pages_that_lead_nowhere_end_it() {
    Content full = crowd();
    Content other = full;
    other[long_key_of(0, 600)] = set_at(20);
    Content nothing;
    for (Content* second : {&other, &nothing}) {
      OddSide a(full, false, 32'768);
      OddSide b(*second, true, 32'768);
      a.leads_nowhere = true;
      expect_refused(a, b, "a page that leads nowhere");
    }
  }

  void splits_that_are_none_end_it() {
    for (const RangesPage& page :
         {RangesPage{}, RangesPage{{{"b", {}}}, {}}, RangesPage{{{"", {}}}, ""},
          RangesPage{{{"", {}}, {"c", {}}, {"b", {}}}, {}}, RangesPage{{{"", {}}, {"c", {}}}, "b"}}) {
      Content content;
      OddSide a(content, false);
      OddSide b(content, false);
      const bool is_one = page.ranges.size() == 1 && page.ranges.front().begin.empty();
      a.as_split = [&](const SplitRequest&) { return page; };
      if (!is_one) expect_refused(a, b, "a split that is none");
    }
    // The second page begins before the first.
    Content content;
    OddSide a(content, false);
    OddSide b(content, false);
    a.as_split = [&](const SplitRequest& request) {
      return RangesPage{{{request.span.begin, {}}}, request.span.begin.empty() ? "m" : "c"};
    };
    expect_refused(a, b, "a split that is none");
  }

  void ranges_that_become_no_smaller_end_it() {
    Content content;
    OddSide a(content, false);
    OddSide b(content, false);
    a.as_split = [](const SplitRequest& request) {
      return RangesPage{
          {{request.span.begin, {1, 1, 1'000'000'000}}, {request.span.begin + '\1', {1, 1, 1'000'000'000}}},
          {}};
    };
    b.as_sums = [](const SumsRequest& request) {
      RangesPage page;
      for (const std::string& begin : request.begins) page.ranges.push_back({begin, {1, 1, 1'000'000'000}});
      page.ranges.back().sum.low = 2;
      return page;
    };
    expect_refused(a, b, "ranges that become no smaller");
  }

 private:
  static std::string any_key(std::mt19937_64& random) {
    const std::string number = std::to_string(random() % 10'000);
    return random() % 3 == 0
               ? number
               : std::string(494 + random() % 2, 'p') + number + std::string(random() % 120, 'x');
  }
  /// Of few versions, so that a record has a good chance to be older; no two records have one.
  Stored any_record(std::mt19937_64& random) {
    Stored record = random() % 5 == 0 ? deleted_at(1 + random() % 100) : set_at(1 + random() % 100);
    record.version.origin = ++origin_;
    return record;
  }
  static Content crowd() {
    Content content;
    for (unsigned i = 0; i < 200; ++i) content[long_key_of(i, 600)] = set_at(10);
    return content;
  }
  static void expect_refused(Side& a, Side& b, const std::string& reason) {
    Reconciliation task;
    unsigned steps = 0;
    task.progress = [&](const Reconciliation::Figures&, std::string_view) { return ++steps < 10'000; };
    const Status done = reconcile(a, b, 1'000, task);
    CPPUNIT_ASSERT(!done);
    CPPUNIT_ASSERT_EQUAL(reason, done.error().message);
  }

  std::uint64_t origin_ = 0;

  // Several pages' answers may come together, of keys as short as can be: more than one message may have.
  void many_refused_at_once_are_deleted_in_pushes_of_a_page() {
    constexpr unsigned kGhosts = 400'000;
    Content first;
    Content second;
    for (unsigned i = 0; i < kGhosts; ++i) first["k" + std::to_string(i)] = set_at(20, "v");
    second = first;
    OddSide a(first, false);
    OddSide b(second, false);
    for (const auto& [key, held] : first) b.refused.emplace_back(key, held.version);
    b.refused.emplace_back("another", store::Version{20, 1});
    second["differs"] = set_at(30, "v");
    Reconciliation task;
    CPPUNIT_ASSERT(reconcile(a, b, second.size(), task));
    CPPUNIT_ASSERT(a.most_pushed > 1'000 && a.most_pushed <= kMostKeys);
    CPPUNIT_ASSERT(a.largest_push <= kMostBytesOfMany);
    CPPUNIT_ASSERT(first["k0"].operation == store::Operation::kDelete);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReconcileFaultsTest, "reconcile_faults_test");

}  // namespace minivault::cluster
