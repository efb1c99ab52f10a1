// Goal: each page of a base is found exactly once or told by its number; nothing that LMDB wrote is told, and
// no page, whatever is in it, ends the process. Method: bases of every shape; named damage; random flips, and
// where nothing is told, all the data must be there and stay there when the base is written to.

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>

#include "common/store/base_page_account.h"
#include "tests/store/base_support.h"
#include "tests/support/base_pages.h"
#include "tests/support/bytes.h"
#include "tests/support/seed.h"

namespace minivault::store {
namespace {

using namespace base_support;
using test::BasePages;

class BasePagesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BasePagesTest);
  CPPUNIT_TEST(test_whatever_was_written_is_sound);
  CPPUNIT_TEST(test_named_damage);
  CPPUNIT_TEST(test_a_meta_page_that_knows_of_more_pages);
  CPPUNIT_TEST(test_enough_is_enough);
  CPPUNIT_TEST(test_flips_are_told_or_do_no_harm);
  CPPUNIT_TEST_SUITE_END();

  using Model = std::map<std::string, std::string>;

  static std::string account(const std::string& file, base::PageAccount* drawn = nullptr) {
    std::string told;
    const auto result = base::account_for_pages(file, {[&](const std::string& what) {
                                                         told += what + "\n";
                                                         return true;
                                                       },
                                                       {}});
    if (result && drawn != nullptr) *drawn = *result;
    return result ? told : result.error().message;
  }

  static std::string random_key(std::mt19937_64& random) {
    std::string key = "key " + std::to_string(random() % 3'000);
    if (random() % 10 == 0) key = std::string(480 + random() % 200, 'k') + key;
    return key;
  }

  static std::string random_value(std::mt19937_64& random) {
    static constexpr std::array<std::size_t, 6> kSizes{0, 20, 200, 2'500, 9'000, 300'000};
    const auto kind = random() % 40;
    return std::string(kSizes[kind == 0 ? 5 : kind % 5] + random() % 100,
                       static_cast<char>('a' + random() % 26));
  }

  /// A commit of anything; `model` is what the base then holds.
  static void write(Base& base, std::mt19937_64& random, std::uint64_t hlc, Model& model) {
    auto transaction = must(base.begin());
    const auto changes = random() % 200;
    for (std::size_t i = 0; i < changes; ++i) {
      const std::string key = random_key(random);
      if (random() % 3 != 0) {
        const std::string value = random_value(random);
        must(transaction.apply(key, set(hlc, value), true));
        model[key] = value;
      } else {
        must(transaction.apply(key, tombstone(hlc), random() % 2 == 0));
        model.erase(key);
      }
    }
    if (random() % 4 == 0) (void)must(transaction.sweep("", 5'000, hlc - 1));
    const std::string text = std::to_string(hlc);
    BaseRecord note = set(hlc, text);
    note.operation = Operation::kNote;
    must(transaction.apply_note("note", note));
    must(transaction.commit());
  }

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

  static Model make_base(const std::string& directory, std::mt19937_64& random, unsigned commits) {
    Model model;
    auto base = must(Base::open_writer(directory, kMapBytes));
    for (unsigned i = 0; i < commits; ++i) write(base, random, i + 2, model);
    return model;
  }

  static void assert_told(const BasePages& pages, const std::string& file, const std::string& what) {
    pages.store();
    const std::string told = account(file);
    CPPUNIT_ASSERT_MESSAGE("wanted: " + what + "; told: " + told, told.find(what) != std::string::npos);
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
    for (std::uint64_t commit = 2; commit < 150; ++commit) {
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

  void test_named_damage() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    (void)make_base(directory.path(), random, 60);
    const std::string file = base_file(directory);
    const BasePages sound(file);
    CPPUNIT_ASSERT_EQUAL(std::string(), account(file));
    const std::uint64_t root = sound.root("data");
    CPPUNIT_ASSERT(!sound.is_leaf(root));
    std::uint64_t parent = root;
    while (!sound.is_leaf(sound.child(sound.nodes(parent)[0]))) parent = sound.child(sound.nodes(parent)[0]);
    const auto branch = sound.nodes(parent);
    CPPUNIT_ASSERT(branch.size() > 2);
    const std::uint64_t leaf = sound.leaves(root)[2];
    const auto free = sound.free_pages();
    CPPUNIT_ASSERT(free.size() > 10);
    const std::uint64_t last_list = sound.leaves(sound.free_root()).back();
    const auto with = [&](const std::string& what, const auto& damage) {
      BasePages pages = sound;
      damage(pages);
      assert_told(pages, file, what);
    };
    const auto page = [](std::uint64_t number) { return "page " + std::to_string(number); };
    const std::string first_free = page(sound.at<std::uint64_t>(free[0]));

    with(page(leaf) + " is on it and in use", [&](auto& pages) { pages.put(free[0], leaf); });
    with(page(root) + " is on it and in use", [&](auto& pages) { pages.put(free.back(), root); });
    with(page(sound.at<std::uint64_t>(free[1])) + " is on it twice",
         [&](auto& pages) { pages.put(free[0], sound.at<std::uint64_t>(free[1])); });
    with("page 1 does not exist", [&](auto& pages) { pages.put(free[0], std::uint64_t{1}); });
    with(page(sound.last_page() + 1) + " does not exist",
         [&](auto& pages) { pages.put(free[0], sound.last_page() + 1); });
    with(" is on it out of order", [&](auto& pages) {
      pages.put(free[0], sound.at<std::uint64_t>(free[1]));
      pages.put(free[1], sound.at<std::uint64_t>(free[0]));
    });
    with("pages freed by transaction " + std::to_string(std::uint64_t{1} << 60U),
         [&](auto& pages) { pages.put(sound.nodes(last_list).back() + 8, std::uint64_t{1} << 60U); });
    with("1 page is neither in use nor free", [&](auto& pages) {
      const std::size_t length = free[0] - 8;
      pages.put(length, sound.at<std::uint64_t>(length) - 1);
    });
    with(" pages in ", [&](auto& pages) { pages.put(free[0] - 8, std::uint64_t{1} << 61U); });

    const auto child = static_cast<std::uint16_t>(sound.child(branch[1]));
    with(page(child) + ", to which " + page(parent) + " leads: page " + std::to_string(child) +
             " is in use twice",
         [&](auto& pages) { pages.put(branch[2], child); });
    with("page " + std::to_string(root) + " is in use twice",
         [&](auto& pages) { pages.put(branch[2], static_cast<std::uint16_t>(root)); });
    with("it is none of pages 2 to ", [&](auto& pages) { pages.put(branch[2] + 4, std::uint16_t{7}); });
    with("it holds keys of another page's", [&](auto& pages) {
      pages.put(branch[1], static_cast<std::uint16_t>(sound.child(branch[2])));
      pages.put(branch[2], child);
    });
    with(page(leaf) + ", to which ", [&](auto& pages) { pages.put(leaf * 4'096, root); });
    with("it says that it is page 77777",
         [&](auto& pages) { pages.put(leaf * 4'096, std::uint64_t{77'777}); });
    with("it is no leaf", [&](auto& pages) { pages.put(leaf * 4'096 + 10, std::uint16_t{1}); });
    with("it is no branch", [&](auto& pages) { pages.put(parent * 4'096 + 10, std::uint16_t{2}); });
    with("its bounds are 9 and ", [&](auto& pages) { pages.put(leaf * 4'096 + 12, std::uint16_t{9}); });
    with("its entries are not side by side", [&](auto& pages) {
      const auto lower = sound.at<std::uint16_t>(leaf * 4'096 + 12);
      pages.put(leaf * 4'096 + 12, static_cast<std::uint16_t>(lower - 2));
    });
    with("a table within a table", [&](auto& pages) {
      const std::size_t flags = sound.nodes(leaf)[1] + 4;
      pages.put(flags, static_cast<std::uint16_t>(sound.at<std::uint16_t>(flags) | 2U));
    });
    with("an entry of an unknown kind", [&](auto& pages) {
      const std::size_t flags = sound.nodes(leaf)[1] + 4;
      pages.put(flags, static_cast<std::uint16_t>(sound.at<std::uint16_t>(flags) | 8U));
    });
    with("its keys are out of order", [&](auto& pages) {
      const auto first = sound.at<std::uint16_t>(leaf * 4'096 + 16);
      pages.put(leaf * 4'096 + 16, sound.at<std::uint16_t>(leaf * 4'096 + 18));
      pages.put(leaf * 4'096 + 18, first);
    });

    const std::size_t large = sound.large_value("data");
    const auto overflow = sound.at<std::uint64_t>(large) * 4'096;
    with("it is no overflow page", [&](auto& pages) { pages.put(large, leaf); });
    with("it is not in the file", [&](auto& pages) { pages.put(large, std::uint64_t{1} << 50U); });
    with("a value of ", [&](auto& pages) { pages.put(overflow + 12, std::uint32_t{1'000'000}); });
    with(" on 1 pages", [&](auto& pages) { pages.put(overflow + 12, std::uint32_t{1}); });

    const std::size_t tree = sound.tree("data");
    with("table data: ", [&](auto& pages) { pages.put(tree + 32, sound.at<std::uint64_t>(tree + 32) + 1); });
    with(" leaves of ", [&](auto& pages) { pages.put(tree + 16, std::uint64_t{1}); });
    with(" branches of ", [&](auto& pages) { pages.put(tree + 8, std::uint64_t{99}); });
    with(" overflow pages of ", [&](auto& pages) { pages.put(tree + 24, std::uint64_t{0}); });
    with("pages deep", [&](auto& pages) { pages.put(tree + 6, std::uint16_t{0}); });
    with("whose order is not ours", [&](auto& pages) { pages.put(tree + 4, std::uint16_t{4}); });
    with("table notes, page", [&](auto& pages) { pages.put(sound.tree("notes") + 40, root); });
    for (const std::size_t flags : {sound.meta() + 40 + 4, sound.meta() + 88 + 4}) {
      with("a tree whose order is not ours", [&](auto& pages) {
        pages.put(flags, static_cast<std::uint16_t>(sound.at<std::uint16_t>(flags) | 4U));
      });
    }
    with("the free list", [&](auto& pages) { pages.put(sound.meta() + 40 + 40, leaf); });
    sound.store();
    CPPUNIT_ASSERT_EQUAL(std::string(), account(file));
  }

  void test_a_meta_page_that_knows_of_more_pages() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    (void)make_base(directory.path(), random, 5);
    BasePages pages(base_file(directory));
    const std::uint64_t last = pages.last_page();
    pages.put(pages.meta() + 136, last + 2);
    pages.store();
    CPPUNIT_ASSERT(account(base_file(directory)).find("truncated") != std::string::npos);
    std::filesystem::resize_file(base_file(directory), (last + 3) * 4'096);
    CPPUNIT_ASSERT_EQUAL(
        "2 pages are neither in use nor free, the first is page " + std::to_string(last + 1) + "\n",
        account(base_file(directory)));
  }

  void test_enough_is_enough() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    (void)make_base(directory.path(), random, 20);
    BasePages pages(base_file(directory));
    for (const std::uint64_t leaf : pages.leaves(pages.root("data")))
      pages.put(leaf * 4'096, std::uint64_t{0});
    pages.store();
    unsigned told = 0;
    must(base::account_for_pages(base_file(directory), {[&](const std::string&) { return ++told < 3; }, {}}));
    CPPUNIT_ASSERT_EQUAL(3U, told);
  }

  /// Where the structure is: LMDB's headers, the places and headers of entries, lists of free pages, meta
  /// page.
  static void flip(BasePages& pages, std::mt19937_64& random) {
    const auto bit = [&](std::size_t at) {
      pages.put(at, static_cast<char>(pages.at<char>(at) ^ static_cast<char>(1U << random() % 8)));
    };
    const auto free = pages.free_pages();
    const std::uint64_t page = 2 + random() % (pages.pages() - 2);
    switch (random() % 5) {
      case 0:
        return bit(page * BasePages::kPage + random() % 64);
      case 1:
        return bit(page * BasePages::kPage + random() % BasePages::kPage);
      case 2:
        return bit(free[random() % free.size()] + random() % 3);
      case 3:
        return bit(pages.meta() + 40 + random() % 104);
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
    for (unsigned i = 0; i < 300; ++i) {
      BasePages pages = sound;
      flip(pages, random);
      pages.store();
      const std::string about = "seed " + std::to_string(seed) + ", flip " + std::to_string(i) + ": ";
      const std::string what = account(file);
      told += what.empty() ? 0 : 1;
      if (!what.empty()) continue;
      Model now = model;
      auto base = must(Base::open_writer(directory.path(), kMapBytes), about.c_str());
      if (!holds(base, now, about)) continue;
      ++harmless;
      for (std::uint64_t commit = 100; commit < 104; ++commit) write(base, random, commit, now);
      CPPUNIT_ASSERT_MESSAGE(about, holds(base, now, about));
      CPPUNIT_ASSERT_EQUAL_MESSAGE(about, std::string(), account(file));
    }
    CPPUNIT_ASSERT_MESSAGE(std::to_string(told) + " and " + std::to_string(harmless),
                           told > 60 && harmless > 3);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BasePagesTest, "base_pages_test");

}  // namespace
}  // namespace minivault::store
