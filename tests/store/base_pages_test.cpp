// Goal: each page of a base is found exactly once or told by its number; nothing that LMDB wrote is told, and
// no page, whatever is in it, ends the process. Method: bases of every shape; random flips, and where nothing
// is told, all the data must be there and stay there when the base is written to. Named damage:
// base_page_damage_test. BASE_PAGES_COMMITS and BASE_PAGES_FLIPS: how much of both.

#include <random>

#include "tests/store/base_account_support.h"
#include "tests/support/seed.h"

namespace minivault::store {
namespace {

using namespace base_account_support;

class BasePagesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BasePagesTest);
  CPPUNIT_TEST(test_whatever_was_written_is_sound);
  CPPUNIT_TEST(test_flips_are_told_or_do_no_harm);
  CPPUNIT_TEST_SUITE_END();

  /// Nothing but records that are whole. False: some are not, and that is told.
  static bool holds(const Base& base, const Model& model, const std::string& about) {
    const auto snapshot = must(base.snapshot());
    Model found;
    const auto see = [&](std::string_view key, const BaseRecord& record) {
      if (record.operation == Operation::kSet) found.emplace(key, record.value);
      return true;
    };
    if (!snapshot.scan("", see) || !snapshot.scan_notes([](auto, const auto&) { return true; })) return false;
    CPPUNIT_ASSERT_MESSAGE(about, found == model);
    for (const auto& [key, value] : model) {
      const auto record = must(snapshot.get(key), about.c_str());
      CPPUNIT_ASSERT_MESSAGE(about + key, record && record->value == value);
    }
    return true;
  }

 public:
  void test_whatever_was_written_is_sound() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    Model model;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    CPPUNIT_ASSERT_EQUAL(std::string(), account(base_file(directory)));
    std::optional<Base::Snapshot> held;  // what it looks at is not written over
    base::PageAccount drawn;
    const std::uint64_t commits = test::environment_number("BASE_PAGES_COMMITS", 150);
    for (std::uint64_t commit = 2; commit < commits; ++commit) {
      if (random() % 8 == 0) held.reset();
      if (random() % 8 == 0) held.emplace(must(base.snapshot()));
      write(base, random, commit, model);
      CPPUNIT_ASSERT_EQUAL(std::string(), account(base_file(directory), &drawn));
    }
    CPPUNIT_ASSERT(holds(base, model, ""));
    const BasePages pages(base_file(directory));
    CPPUNIT_ASSERT_EQUAL(pages.last_page() - 1, drawn.used + drawn.free);
    CPPUNIT_ASSERT(drawn.used > 100 && drawn.free > 100);
  }

  /// Where the structure is: LMDB's headers, the places and headers of entries, lists of free pages, meta
  /// page; and the meta record, of which pages know nothing.
  static void flip(BasePages& pages, std::mt19937_64& random) {
    const auto bit = [&](std::size_t at) {
      pages.put(at, static_cast<char>(pages.at<char>(at) ^ static_cast<char>(1U << random() % 8)));
    };
    const auto free = pages.free_pages();
    const std::uint64_t page = 2 + random() % (pages.pages() - 2);
    switch (random() % 6) {
      case 0:
        return bit(page * BasePages::kPage + random() % 64);
      case 1:
        return bit(page * BasePages::kPage + random() % BasePages::kPage);
      case 2:
        return bit(free[random() % free.size()] + random() % 3);
      case 3:
        return bit(pages.meta() + 40 + random() % 112);
      case 4:
        return bit(pages.nodes(pages.root("meta"))[0] + 8 + random() % 60);
      default: {
        const auto leaves = pages.leaves(pages.root("data"));
        const auto nodes = pages.nodes(leaves[random() % leaves.size()]);
        return bit(nodes[random() % nodes.size()] + random() % 16);
      }
    }
  }

  void test_flips_are_told_or_do_no_harm() {
    const std::uint64_t seed = test::seed();
    std::mt19937_64 random(seed);
    const TemporaryDirectory directory;
    const Model model = make_base(directory.path(), random, 12);
    const std::string file = base_file(directory);
    const BasePages sound(file);
    unsigned told = 0;
    unsigned harmless = 0;
    unsigned refused = 0;
    const std::uint64_t flips = test::environment_number("BASE_PAGES_FLIPS", 300);
    // More than that until each of the outcomes came up.
    for (std::uint64_t i = 0; i < flips || ((harmless < 2 || refused < 2) && i < 100 * flips); ++i) {
      BasePages pages = sound;
      flip(pages, random);
      pages.store();
      const std::string about = "seed " + std::to_string(seed) + ", flip " + std::to_string(i) + ": ";
      const std::string what = account(file);
      told += what.empty() ? 0 : 1;
      if (!what.empty()) continue;
      CPPUNIT_ASSERT_EQUAL_MESSAGE(about, sound.meta(), BasePages(file).meta());
      Model now = model;
      auto opened = Base::open_writer(directory.path(), kMapBytes);
      if (!opened) {  // of the meta record the account knows nothing
        CPPUNIT_ASSERT_EQUAL_MESSAGE(about + opened.error().message, Code::kCorrupt, opened.error().code);
        ++refused;
        continue;
      }
      Base base = std::move(*opened);
      if (!holds(base, now, about)) continue;
      ++harmless;
      for (std::uint64_t commit = 100; commit < 104; ++commit) write(base, random, commit, now);
      CPPUNIT_ASSERT_MESSAGE(about, holds(base, now, about));
      CPPUNIT_ASSERT_EQUAL_MESSAGE(about, std::string(), account(file));
    }
    const std::string seen =
        std::to_string(told) + " and " + std::to_string(harmless) + " and " + std::to_string(refused);
    CPPUNIT_ASSERT_MESSAGE(seen, told > flips / 5 && harmless >= 2 && refused >= 2);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BasePagesTest, "base_pages_test");

}  // namespace
}  // namespace minivault::store
