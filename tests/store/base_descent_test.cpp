// Goal: a record that is looked up in LMDB's pages without LMDB is the one that LMDB would find, alone and
// many at once, in each commit; a damaged page is told by its number, whatever is in it, and ends nobody.
// Method: random bases against a model; named damage; flips in a copy of the file in memory, whose end the
// sanitizer watches.

#include <random>
#include <vector>

#include "common/store/base_descent.h"
#include "tests/store/base_account_support.h"
#include "tests/support/seed.h"

namespace minivault::store {
namespace {

using namespace base_account_support;
using base::Descent;
using State = Descent::State;

class BaseDescentTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BaseDescentTest);
  CPPUNIT_TEST(finds_what_is_there_and_nothing_else);
  CPPUNIT_TEST(keys_that_begin_alike_and_short_ones);
  CPPUNIT_TEST(an_empty_base_has_nothing);
  CPPUNIT_TEST(each_snapshot_sees_its_commit);
  CPPUNIT_TEST(damage_is_told_by_its_page);
  CPPUNIT_TEST(one_damaged_page_fails_its_own_keys_alone);
  CPPUNIT_TEST(where_the_map_is_not_said_lmdb_is_asked);
  CPPUNIT_TEST(flips_are_told_or_do_no_harm);
  CPPUNIT_TEST_SUITE_END();

  using Answer = Base::Snapshot::Answer;

  static std::string shown(const Answer& answer) {
    if (!answer) return answer.error().message;
    if (!*answer) return "(nothing)";
    return (*answer)->operation == Operation::kDelete ? "(tombstone)" : std::string((*answer)->value);
  }

  /// One by one and in groups of every size.
  static void compare(const Base::Snapshot& snapshot, const Model& model,
                      const std::vector<std::string>& keys) {
    std::vector<std::string_view> group;
    std::size_t size = 1;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto held = model.find(keys[i]);
      const std::string found = shown(snapshot.get(keys[i]));
      const bool absent = found == "(nothing)" || found == "(tombstone)";
      CPPUNIT_ASSERT_MESSAGE(keys[i] + ": " + found.substr(0, 100),
                             held == model.end() ? absent : found == held->second);
      group.push_back(keys[i]);
      if (group.size() < size && i + 1 < keys.size()) continue;
      std::vector<Answer> answers(group.size());
      snapshot.get_many(group, answers);
      for (std::size_t at = 0; at < group.size(); ++at)
        CPPUNIT_ASSERT_EQUAL(shown(snapshot.get(group[at])), shown(answers[at]));
      group.clear();
      size = size % Base::Snapshot::kMostAtOnce + 1;
    }
  }

  /// Those of the model, and as many that are not in it.
  static std::vector<std::string> asked(const Model& model, std::mt19937_64& random) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : model) {
      keys.push_back(key);
      std::string other = key;
      other[random() % other.size()] = static_cast<char>(random());
      keys.push_back(random() % 2 == 0 ? other : key + '\0');
      if (key.size() > 1) keys.push_back(key.substr(0, key.size() - 1));
    }
    std::shuffle(keys.begin(), keys.end(), random);
    return keys;
  }

 public:
  void finds_what_is_there_and_nothing_else() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    Model model;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    auto snapshot = must(base.snapshot());
    for (unsigned commit = 2; commit < 60; ++commit) {
      write(base, random, commit, model);
      if (commit % 6 != 0) continue;
      must(snapshot.renew());
      compare(snapshot, model, asked(model, random));
    }
  }

  void keys_that_begin_alike_and_short_ones() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    Model model;
    auto transaction = must(base.begin());
    for (unsigned i = 0; i < 20'000; ++i) {
      std::string key(1 + random() % 18, '\0');
      for (char& byte : key) byte = std::string_view("\0\1\x7f\x80\xff", 5)[random() % 5];
      if (random() % 50 == 0) key.resize(460 + random() % 34, '\xff');
      model[key] = std::to_string(i);
      must(transaction.apply(key, set(i + 1, model[key]), true));
    }
    must(transaction.commit());
    compare(must(base.snapshot()), model, asked(model, random));
  }

  void an_empty_base_has_nothing() {
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    auto snapshot = must(base.snapshot());
    const std::vector<std::string> keys{"a", "", std::string(600, 'k'), std::string(70'000, 'k')};
    compare(snapshot, {}, keys);
    Model model{{"a", "1"}, {keys[2], "2"}};
    auto transaction = must(base.begin());
    for (const auto& [key, value] : model) must(transaction.apply(key, set(1, value), true));
    must(transaction.commit());
    must(snapshot.renew());
    compare(snapshot, model, keys);
    transaction = must(base.begin());
    for (const auto& [key, value] : model) must(transaction.apply(key, tombstone(2), false));
    must(transaction.commit());
    must(snapshot.renew());
    compare(snapshot, {}, keys);
  }

  void each_snapshot_sees_its_commit() {
    std::mt19937_64 random(test::seed());
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    std::vector<std::pair<Base::Snapshot, Model>> seen;
    Model model;
    for (unsigned commit = 2; commit < 12; ++commit) {
      write(base, random, commit, model);
      seen.emplace_back(must(base.snapshot()), model);
    }
    for (const auto& [snapshot, then] : seen) compare(snapshot, then, asked(model, random));
  }

  /// A base of two levels, one of its pages changed by `change`; what a GET of each key says then.
  static std::map<std::string, unsigned> answers_after(const std::function<void(BasePages&)>& change) {
    const TemporaryDirectory directory;
    {
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      fill(base, 2'000);
      auto transaction = must(base.begin());
      must(transaction.apply("large", set(1, std::string(10'000, 'l')), true));
      must(transaction.commit());
    }
    BasePages pages(base_file(directory));
    change(pages);
    pages.store();
    const auto base = must(Base::open_reader(directory.path(), kMapBytes));
    const auto snapshot = must(base.snapshot());
    std::map<std::string, unsigned> said;
    const auto count = [&](const std::string& key) {
      const Answer answer = snapshot.get(key);
      if (!answer) CPPUNIT_ASSERT_EQUAL(Code::kCorrupt, answer.error().code);
      std::string what = answer ? "found" : answer.error().message;
      if (answer && !*answer) what = "nothing";
      ++said[what.substr(what.find(": ") == std::string::npos ? 0 : what.find(": ") + 2)];
    };
    for (unsigned i = 0; i < 2'000; ++i) count("key " + std::to_string(i));
    count("large");
    return said;
  }

  static std::string told(std::uint64_t page, const std::string& what) {
    return "reading a record: page " + std::to_string(page) + ": " + what;
  }

  void damage_is_told_by_its_page() {
    constexpr std::size_t kNumber = 0;
    constexpr std::size_t kFlags = 10;
    constexpr std::size_t kLower = 12;
    constexpr std::size_t kFirstOffset = 16;
    const auto expect = [](const std::string& what, const std::function<std::uint64_t(BasePages&)>& change) {
      std::uint64_t page = 0;
      const auto said = answers_after([&](BasePages& pages) { page = change(pages); });
      CPPUNIT_ASSERT_MESSAGE(what + ", of page " + std::to_string(page), said.contains(told(page, what)));
    };
    const auto root_changed = [](std::size_t at, auto value) {
      return [=](BasePages& pages) {
        const std::uint64_t root = pages.root("data");
        pages.put(root * BasePages::kPage + at, value);
        return root;
      };
    };
    expect("it says that it is another page", root_changed(kNumber, std::uint64_t{3}));
    expect("it is of another kind", root_changed(kFlags, BasePages::kLeaf));
    expect("its bounds are wrong", root_changed(kLower, std::uint16_t{16}));
    expect("its bounds are wrong", root_changed(kLower, std::uint16_t{4'098}));
    // Each offset of the root, so that one of them is asked for.
    expect("an entry is not within it", [](BasePages& pages) {
      const std::uint64_t root = pages.root("data");
      for (std::size_t i = 0; i < pages.nodes(root).size(); ++i)
        pages.put(root * BasePages::kPage + kFirstOffset + 2 * i, std::uint16_t{4'090});
      return root;
    });
    // Beyond the file: LMDB would read there, and the process end by SIGBUS.
    expect("it is not in the file", [](BasePages& pages) {
      const std::size_t node = pages.nodes(pages.root("data"))[1];
      const std::uint64_t beyond = pages.pages() + 1'000;
      pages.put(node, static_cast<std::uint32_t>(beyond));
      return beyond;
    });
    expect("it is not in the file", [](BasePages& pages) {
      const std::uint64_t beyond = pages.pages();
      pages.put(pages.large_value("data").page_number, beyond);
      return beyond;
    });
    expect("it is not in the file", [](BasePages& pages) {
      const auto large = pages.large_value("data");
      pages.put(large.node, std::uint32_t{0x7fff'ffff});  // its size
      return pages.at<std::uint64_t>(large.page_number);
    });
    expect("it is of another kind", [](BasePages& pages) {
      const std::uint64_t leaf = pages.leaves(pages.root("data"))[0];
      pages.put(pages.large_value("data").page_number, leaf);
      return leaf;
    });
  }

  void one_damaged_page_fails_its_own_keys_alone() {
    std::size_t keys = 0;
    const auto said = answers_after([&](BasePages& pages) {
      const std::uint64_t leaf = pages.leaves(pages.root("data"))[3];
      keys = pages.nodes(leaf).size();
      pages.put(leaf * BasePages::kPage, std::uint64_t{1});
    });
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, said.size());
    CPPUNIT_ASSERT_EQUAL(2'001 - static_cast<unsigned>(keys), said.at("found"));
  }

  /// LMDB does not look at the number that the table of tables' page says.
  void where_the_map_is_not_said_lmdb_is_asked() {
    for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{1} << 40U}) {
      const auto said = answers_after([&](BasePages& pages) {
        const auto main = pages.at<std::uint64_t>(pages.meta() + 128);
        pages.put(main * BasePages::kPage, number);
      });
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, said.size());
      CPPUNIT_ASSERT_EQUAL(2'001U, said.at("found"));
    }
  }

  void flips_are_told_or_do_no_harm() {
    const std::uint64_t seed = test::seed();
    std::mt19937_64 random(seed);
    const TemporaryDirectory directory;
    const Model model = make_base(directory.path(), random, 12);
    const BasePages sound(base_file(directory));
    const std::uint64_t depth = sound.at<std::uint16_t>(sound.tree("data") + 6);
    std::vector<std::uint64_t> targets = sound.leaves(sound.root("data"));
    targets.insert(targets.end(), targets.size() / 4 + 1, sound.root("data"));
    unsigned found = 0;
    unsigned absent = 0;
    unsigned told = 0;
    for (unsigned flip = 0; flip < 2'000; ++flip) {
      // A buffer of the file's size: whoever reads behind it is seen.
      const std::string& whole = sound.bytes();
      std::vector<char> bytes(whole.begin(), whole.end());
      const std::uint64_t page = targets[random() % targets.size()];
      const std::size_t within = random() % 2 == 0 ? random() % 64 : random() % BasePages::kPage;
      bytes[page * BasePages::kPage + within] ^= static_cast<char>(1U << random() % 8);
      const base::PageMap map{bytes.data(), BasePages::kPage, sound.pages()};
      for (unsigned i = 0; i < 20; ++i) {
        const auto& [key, value] = *std::next(model.begin(), static_cast<long>(random() % model.size()));
        if (key.size() > 494) continue;
        Descent descent(map, sound.root("data"), static_cast<unsigned>(depth), key);
        unsigned steps = 0;
        while (!descent.is_over() && descent.step()) CPPUNIT_ASSERT(++steps < 1'000);
        Descent alone(map, sound.root("data"), static_cast<unsigned>(depth), key);
        alone.finish();
        CPPUNIT_ASSERT(alone.state() == descent.state() && alone.value() == descent.value());
        if (descent.state() == State::kFound) {
          const std::string_view inside = descent.value();
          CPPUNIT_ASSERT(inside.data() >= bytes.data() &&
                         inside.data() + inside.size() <= bytes.data() + bytes.size());
        }
        found += descent.state() == State::kFound ? 1 : 0;
        absent += descent.state() == State::kAbsent ? 1 : 0;
        told += descent.state() == State::kDamaged ? 1 : 0;
      }
    }
    const std::string seen =
        std::to_string(found) + " and " + std::to_string(absent) + " and " + std::to_string(told);
    CPPUNIT_ASSERT_MESSAGE(seen, found > 10'000 && told > 100);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BaseDescentTest, "base_descent_test");

}  // namespace
}  // namespace minivault::store
