// Goal: keys are drawn as often as the named distribution says, and every key can be drawn.
// Method: many draws, counted, beside the exact probabilities; limits are five standard deviations.

#include "common/load/key_choice.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cmath>
#include <set>
#include <vector>

#include "tests/support/seed.h"

namespace minivault::load {
namespace {

constexpr std::uint64_t kDraws = 400'000;

std::vector<std::uint64_t> counts_of(KeyChoice& choice, std::uint64_t keys) {
  std::vector<std::uint64_t> counts(keys);
  for (std::uint64_t i = 0; i < kDraws; ++i) ++counts.at(choice.next());
  return counts;
}

void assert_count(const std::string& what, double probability, std::uint64_t count) {
  const double expected = probability * static_cast<double>(kDraws);
  const double slack = 5 * std::sqrt(expected) + 1;
  CPPUNIT_ASSERT_DOUBLES_EQUAL_MESSAGE(what, expected, static_cast<double>(count), slack);
}

}  // namespace

class KeyChoiceTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(KeyChoiceTest);
  CPPUNIT_TEST(uniform_draws_all_alike);
  CPPUNIT_TEST(zipf_draws_each_rank_by_its_weight);
  CPPUNIT_TEST(ranks_are_scattered_one_to_one);
  CPPUNIT_TEST(one_key_is_always_that_key);
  CPPUNIT_TEST(a_seed_repeats_itself);
  CPPUNIT_TEST_SUITE_END();

 public:
  void uniform_draws_all_alike() {
    constexpr std::uint64_t kKeys = 50;
    KeyChoice choice(Distribution::kUniform, kKeys, test::seed());
    for (const std::uint64_t count : counts_of(choice, kKeys)) assert_count("a key", 1.0 / kKeys, count);
  }

  void zipf_draws_each_rank_by_its_weight() {
    constexpr std::uint64_t kKeys = 1000;
    KeyChoice choice(Distribution::kZipf, kKeys, test::seed());
    const auto counts = counts_of(choice, kKeys);
    double sum = 0;
    for (std::uint64_t k = 1; k <= kKeys; ++k) sum += std::pow(k, -KeyChoice::kSkew);
    for (const std::uint64_t rank : {0U, 1U, 2U, 3U, 9U, 99U, 500U, 998U, 999U}) {
      const double probability = std::pow(static_cast<double>(rank + 1), -KeyChoice::kSkew) / sum;
      assert_count("rank " + std::to_string(rank), probability, counts[choice.key_at(rank)]);
    }
  }

  void ranks_are_scattered_one_to_one() {
    for (const std::uint64_t keys : {1U, 2U, 6U, 1000U, 99'991U}) {
      const KeyChoice choice(Distribution::kZipf, keys, 1);
      std::set<std::uint64_t> seen;
      for (std::uint64_t rank = 0; rank < keys; ++rank) seen.insert(choice.key_at(rank));
      CPPUNIT_ASSERT_EQUAL(static_cast<std::size_t>(keys), seen.size());
      CPPUNIT_ASSERT(*seen.rbegin() == keys - 1);
    }
    const KeyChoice choice(Distribution::kZipf, 1000, 1);
    CPPUNIT_ASSERT(choice.key_at(1) > choice.key_at(0) + 100);
  }

  void one_key_is_always_that_key() {
    for (const Distribution distribution : {Distribution::kUniform, Distribution::kZipf}) {
      KeyChoice choice(distribution, 1, 7);
      for (int i = 0; i < 100; ++i) CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, choice.next());
    }
  }

  void a_seed_repeats_itself() {
    KeyChoice one(Distribution::kZipf, 1'000'000, 42);
    KeyChoice same(Distribution::kZipf, 1'000'000, 42);
    KeyChoice other(Distribution::kZipf, 1'000'000, 43);
    bool differs = false;
    for (int i = 0; i < 100; ++i) {
      const std::uint64_t key = one.next();
      CPPUNIT_ASSERT_EQUAL(key, same.next());
      differs = differs || key != other.next();
    }
    CPPUNIT_ASSERT(differs);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(KeyChoiceTest, "key_choice_test");

}  // namespace minivault::load
