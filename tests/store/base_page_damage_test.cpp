// Goal: damage to a page is told with its number and by what is wrong. Method: one base, a table of what can
// be done to it and of what must then be told; whole files put together for what a change of bytes does not
// make.

#include <filesystem>
#include <functional>
#include <vector>

#include "common/store/base_file.h"
#include "tests/store/base_account_support.h"
#include "tests/support/seed.h"

namespace minivault::store {
namespace {

using namespace base_account_support;

struct Damage {
  std::string told;
  std::function<void(BasePages&)> done;
};
using Damages = std::vector<Damage>;

std::string page(std::uint64_t number) {
  return "page " + std::to_string(number);
}

template <typename T>
std::function<void(BasePages&)> put(std::size_t at, T value) {
  return [at, value](BasePages& pages) { pages.put(at, value); };
}

template <typename T>
std::function<void(BasePages&)> exchange(std::size_t a, std::size_t b) {
  return [a, b](BasePages& pages) {
    const auto first = pages.at<T>(a);
    pages.put(a, pages.at<T>(b));
    pages.put(b, first);
  };
}

std::function<void(BasePages&)> set_bits(std::size_t at, unsigned bits) {
  return [at, bits](BasePages& pages) {
    pages.put(at, static_cast<std::uint16_t>(pages.at<std::uint16_t>(at) | bits));
  };
}

/// A sound base of more than two levels, and where things are in it.
struct Place {
  explicit Place(const BasePages& base) : sound(base), root(base.root("data")), parent(root) {
    CPPUNIT_ASSERT(!sound.is_leaf(root));
    while (!sound.is_leaf(sound.child(sound.nodes(parent)[0]))) parent = sound.child(sound.nodes(parent)[0]);
    branch = sound.nodes(parent);
    CPPUNIT_ASSERT(branch.size() > 2);
    leaf = sound.leaves(root)[2];
    free = sound.free_pages();
    CPPUNIT_ASSERT(free.size() > 10);
  }

  [[nodiscard]] std::uint16_t child(std::size_t i) const {
    return static_cast<std::uint16_t>(sound.child(branch[i]));
  }
  [[nodiscard]] static std::size_t start(std::uint64_t number) { return number * BasePages::kPage; }

  const BasePages& sound;
  std::uint64_t root;
  std::uint64_t parent;             ///< of leaves
  std::vector<std::size_t> branch;  ///< its entries
  std::uint64_t leaf = 0;
  std::vector<std::size_t> free;
};

Damages of_the_free_list(const Place& at) {
  const BasePages& sound = at.sound;
  const std::size_t first = at.free[0];
  const std::size_t length = first - 8;
  const auto second_page = sound.at<std::uint64_t>(at.free[1]);
  const std::uint64_t last_list = sound.leaves(sound.free_root()).back();
  return {
      {page(at.leaf) + " is on it and in use", put(first, at.leaf)},
      {page(at.root) + " is on it and in use", put(at.free.back(), at.root)},
      {page(second_page) + " is on it twice", put(first, second_page)},
      {"page 1 does not exist", put(first, std::uint64_t{1})},
      {page(sound.last_page() + 1) + " does not exist", put(first, sound.last_page() + 1)},
      {" is on it out of order", exchange<std::uint64_t>(first, at.free[1])},
      {"pages freed by transaction " + std::to_string(std::uint64_t{1} << 60U),
       put(sound.nodes(last_list).back() + 8, std::uint64_t{1} << 60U)},
      {"1 page is neither in use nor free", put(length, sound.at<std::uint64_t>(length) - 1)},
      {" pages in ", put(length, std::uint64_t{1} << 61U)},
      {"the free list", put(sound.meta() + 80, at.leaf)},
  };
}

Damages of_branches(const Place& at) {
  return {
      {page(at.child(1)) + ", to which " + page(at.parent) + " leads: " + page(at.child(1)) +
           " is in use twice",
       put(at.branch[2], at.child(1))},
      {page(at.root) + " is in use twice", put(at.branch[2], static_cast<std::uint16_t>(at.root))},
      {"it is none of pages 2 to ", put(at.branch[2] + 4, std::uint16_t{7})},
      {"it holds keys of another page's", exchange<std::uint16_t>(at.branch[1], at.branch[2])},
      {"it is no branch", put(Place::start(at.parent) + 10, std::uint16_t{2})},
  };
}

Damages of_leaves(const Place& at) {
  const std::size_t leaf = Place::start(at.leaf);
  const std::size_t flags = at.sound.nodes(at.leaf)[1] + 4;
  return {
      {page(at.leaf) + ", to which ", put(leaf, at.root)},
      {"it says that it is page 77777", put(leaf, std::uint64_t{77'777})},
      {"it is no leaf", put(leaf + 10, std::uint16_t{1})},
      {"its bounds are 9 and ", put(leaf + 12, std::uint16_t{9})},
      {"its entries are not side by side",
       put(leaf + 12, static_cast<std::uint16_t>(at.sound.at<std::uint16_t>(leaf + 12) - 2))},
      {"a table within a table", set_bits(flags, 2)},
      {page(at.leaf) + ": an entry of an unknown kind", set_bits(flags, 8)},
      {"its keys are out of order", exchange<std::uint16_t>(leaf + 16, leaf + 18)},
  };
}

Damages of_large_values(const Place& at) {
  const BasePages::Large large = at.sound.large_value("data");
  const std::size_t overflow = Place::start(at.sound.at<std::uint64_t>(large.page_number));
  return {
      {"it is no overflow page", put(large.page_number, at.leaf)},
      {"it is not in the file", put(large.page_number, std::uint64_t{1} << 50U)},
      {"a value of ", put(overflow + 12, std::uint32_t{1'000'000})},
      {" on 1 pages", put(overflow + 12, std::uint32_t{1})},
      {page(large.leaf) + ": an entry of an unknown kind", set_bits(large.node + 4, 8)},
  };
}

Damages of_tables(const Place& at) {
  const std::size_t tree = at.sound.tree("data");
  const std::size_t meta = at.sound.meta();
  return {
      {"table data: ", put(tree + 32, at.sound.at<std::uint64_t>(tree + 32) + 1)},
      {" leaves of ", put(tree + 16, std::uint64_t{1})},
      {" branches of ", put(tree + 8, std::uint64_t{99})},
      {" overflow pages of ", put(tree + 24, std::uint64_t{0})},
      {"pages deep", put(tree + 6, std::uint16_t{0})},
      {"whose order is not ours", put(tree + 4, std::uint16_t{4})},
      {"table notes, page", put(at.sound.tree("notes") + 40, at.root)},
      {"a tree whose order is not ours", set_bits(meta + 40 + 4, 4)},
      {"a tree whose order is not ours", set_bits(meta + 88 + 4, 4)},
  };
}

/// The number of either's commit; LMDB reads the page that the larger one belongs in. One that is off by two
/// may be right by the other, but not by its own free list.
Damages of_meta_pages(const Place& at) {
  constexpr std::size_t kNumber = 144;
  const std::size_t newest = at.sound.meta() + kNumber;
  const std::size_t older = BasePages::kPage - at.sound.meta() + kNumber;
  const auto number = at.sound.at<std::uint64_t>(newest);
  const std::string told = "which did not write them in turn";
  const auto other = [](std::uint64_t says, std::uint64_t is) {
    return "the meta page of transaction " + std::to_string(says) + ": its free list is one of transaction " +
           std::to_string(is);
  };
  return {
      {other(number - 2, number), put(newest, number - 2)},
      {other(number + 1, number - 1), put(older, number + 1)},
      {told, put(newest, number + 1)},
      {told, put(newest, number + 2)},
      {told, put(newest, number - 4)},
      {told, put(newest, number - 1)},
      {told, put(newest, std::uint64_t{0})},
      {told, put(older, number)},
      {told, put(older, number + 2)},
      {told, exchange<std::uint64_t>(newest, older)},
      {told, put(older, ~std::uint64_t{0})},
  };
}

class BasePageDamageTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BasePageDamageTest);
  CPPUNIT_TEST(test_named_damage);
  CPPUNIT_TEST(test_birth_and_first_commits);
  CPPUNIT_TEST(test_a_branch_of_one_entry);
  CPPUNIT_TEST(test_a_meta_page_that_knows_of_more_pages);
  CPPUNIT_TEST(test_a_short_file);
  CPPUNIT_TEST(test_enough_is_enough);
  CPPUNIT_TEST_SUITE_END();

  static void assert_told(const std::string& file, const std::string& what) {
    base::PageAccount drawn;
    const std::string told = account(file, &drawn);
    CPPUNIT_ASSERT_MESSAGE("wanted: " + what + "; told: " + told, told.find(what) != std::string::npos);
    CPPUNIT_ASSERT(!drawn.is_whole);
  }

  /// Makes a page that leads to the root alone the root.
  static void put_branch_above(BasePages& pages, std::size_t tree) {
    const std::uint64_t number = pages.append_page();
    const auto child = pages.at<std::uint64_t>(tree + 40);
    const std::size_t start = number * BasePages::kPage;
    constexpr std::uint16_t kEntry = BasePages::kPage - 8;  // of an empty key
    pages.put(start, number);
    pages.put(start + 10, BasePages::kBranch);
    pages.put(start + 12, std::uint16_t{18});
    pages.put(start + 14, kEntry);
    pages.put(start + 16, kEntry);
    pages.put(start + kEntry, child);
    pages.put(tree + 6, static_cast<std::uint16_t>(pages.at<std::uint16_t>(tree + 6) + 1));
    pages.put(tree + 8, pages.at<std::uint64_t>(tree + 8) + 1);
    pages.put(tree + 40, number);
  }

 public:
  void test_named_damage() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    (void)make_base(directory.path(), random, 60);
    const std::string file = base_file(directory);
    const BasePages sound(file);
    CPPUNIT_ASSERT_EQUAL(std::string(), account(file));
    const Place at(sound);
    for (const auto& of :
         {of_the_free_list, of_branches, of_leaves, of_large_values, of_tables, of_meta_pages}) {
      for (const Damage& damage : of(at)) {
        BasePages pages = sound;
        damage.done(pages);
        pages.store();
        assert_told(file, damage.told);
      }
    }
    sound.store();
    CPPUNIT_ASSERT_EQUAL(std::string(), account(file));
  }

  /// Both meta pages begin at 0; then each commit writes the other one.
  void test_birth_and_first_commits() {
    const TemporaryDirectory directory;
    const std::string file = base_file(directory);
    MDB_env* env = nullptr;
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_create(&env));
    CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_open(env, file.c_str(), MDB_NOSUBDIR, 0600));
    ::mdb_env_close(env);
    CPPUNIT_ASSERT_EQUAL(std::string(), account(file));
    for (const char* const key : {"a", "b", "c"}) {
      raw_put(file, nullptr, key, std::string(48, 'v'));
      CPPUNIT_ASSERT_EQUAL_MESSAGE(key, std::string::npos, account(file).find("in turn"));
    }
  }

  void test_a_branch_of_one_entry() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    (void)make_base(directory.path(), random, 20);
    const std::string file = base_file(directory);
    const BasePages sound(file);
    BasePages pages = sound;
    put_branch_above(pages, pages.meta() + 40);
    pages.store();
    CPPUNIT_ASSERT_EQUAL(std::string(), account(file));  // LMDB leaves such in the free list
    pages = sound;
    put_branch_above(pages, pages.tree("data"));
    pages.store();
    assert_told(file,
                "table data, " + page(sound.last_page() + 1) + ": a branch that leads to a single page");
  }

  void test_a_meta_page_that_knows_of_more_pages() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    (void)make_base(directory.path(), random, 5);
    BasePages pages(base_file(directory));
    const std::uint64_t last = pages.last_page();
    pages.put(pages.meta() + 136, last + 2);
    pages.store();
    const std::string lost =
        "2 pages are neither in use nor free, the first is page " + std::to_string(last + 1) + "\n";
    CPPUNIT_ASSERT_EQUAL(lost, account(base_file(directory)));
    const auto state = base::check_file(base_file(directory));
    CPPUNIT_ASSERT(!state);
    CPPUNIT_ASSERT_MESSAGE(
        state.error().message,
        state.error().message.ends_with(" are there, and the free list has 0 of the 2 missing pages"));
    std::filesystem::resize_file(base_file(directory), (last + 3) * 4'096);
    CPPUNIT_ASSERT_EQUAL(lost, account(base_file(directory)));
  }

  /// The last page is free and not in the file.
  void test_a_short_file() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    (void)make_base(directory.path(), random, 20);
    const std::string file = base_file(directory);
    BasePages pages(file);
    const std::uint64_t beyond = pages.last_page() + 1;
    const std::size_t list = pages.free_pages()[0];
    const auto named = pages.at<std::uint64_t>(list);
    pages.put(pages.meta() + 136, beyond);
    pages.put(list, beyond);
    pages.store();
    CPPUNIT_ASSERT(base::check_file(file));
    assert_told(file, "1 page is neither in use nor free, the first is page " + std::to_string(named));
    pages.put(list - 8, std::uint64_t{1} << 61U);
    pages.store();
    const std::string wrong = ": a list of 2305843009213693952 pages in ";
    assert_told(file, wrong);
    const auto state = base::check_file(file);
    CPPUNIT_ASSERT(!state && state.error().code == Code::kCorrupt);
    const std::string& message = state.error().message;
    CPPUNIT_ASSERT_MESSAGE(message,
                           message.find("truncated: ") != std::string::npos &&
                               message.find(" are there, and the free list, page ") != std::string::npos &&
                               message.find(wrong) != std::string::npos);
    pages.put(pages.meta() + 136, std::uint64_t{1} << 28U);  // 64 MB of bits
    pages.store();
    CPPUNIT_ASSERT(account(file).find("truncated: ") != std::string::npos);
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
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BasePageDamageTest, "base_page_damage_test");

}  // namespace
}  // namespace minivault::store
