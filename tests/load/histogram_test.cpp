// Goal: quantiles are those of the recorded times, to better than 1 %, over the whole range.
// Method: random times over many powers of two, sorted beside the histogram.

#include "common/load/histogram.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <cmath>

#include "tests/support/seed.h"

namespace minivault::load {

class HistogramTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HistogramTest);
  CPPUNIT_TEST(an_empty_one_answers_zero);
  CPPUNIT_TEST(short_times_are_exact);
  CPPUNIT_TEST(quantiles_are_within_one_percent);
  CPPUNIT_TEST(no_quantile_is_beyond_the_longest_time);
  CPPUNIT_TEST(merging_is_recording_both);
  CPPUNIT_TEST(endless_times_count_as_the_longest);
  CPPUNIT_TEST_SUITE_END();

 public:
  void an_empty_one_answers_zero() {
    const Histogram empty;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, empty.quantile_ns(0.99));
    CPPUNIT_ASSERT_EQUAL(0.0, empty.mean_ns());
  }

  void short_times_are_exact() {
    Histogram histogram;
    for (std::uint64_t time = 1; time <= 200; ++time) histogram.record(time);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, histogram.quantile_ns(0));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, histogram.quantile_ns(0.5));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{198}, histogram.quantile_ns(0.99));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{200}, histogram.quantile_ns(1));
    CPPUNIT_ASSERT_DOUBLES_EQUAL(100.5, histogram.mean_ns(), 1e-9);
  }

  void quantiles_are_within_one_percent() {
    std::mt19937_64 random(test::seed());
    std::uniform_real_distribution<double> powers(0, 39);
    std::vector<std::uint64_t> times(20'000);
    Histogram histogram;
    for (std::uint64_t& time : times) {
      time = static_cast<std::uint64_t>(std::exp2(powers(random)));
      histogram.record(time);
    }
    std::sort(times.begin(), times.end());
    for (const double fraction : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
      const auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(times.size())));
      const auto exact = static_cast<double>(times[rank - 1]);
      const auto seen = static_cast<double>(histogram.quantile_ns(fraction));
      CPPUNIT_ASSERT_MESSAGE("never below", seen >= exact);
      CPPUNIT_ASSERT_DOUBLES_EQUAL(exact, seen, exact * 0.01);
    }
  }

  void no_quantile_is_beyond_the_longest_time() {
    Histogram histogram;
    histogram.record(1'000'001, 10);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1'000'001}, histogram.quantile_ns(0.999));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1'000'001}, histogram.max_ns());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, histogram.count());
  }

  void merging_is_recording_both() {
    Histogram low;
    Histogram high;
    low.record(10, 99);
    high.record(5'000);
    low.merge(high);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, low.count());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, low.quantile_ns(0.99));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{5'000}, low.quantile_ns(0.995));
    CPPUNIT_ASSERT_DOUBLES_EQUAL(59.9, low.mean_ns(), 1e-9);
  }

  void endless_times_count_as_the_longest() {
    Histogram histogram;
    histogram.record(~std::uint64_t{0});
    CPPUNIT_ASSERT_EQUAL((std::uint64_t{1} << 40U) - 1, histogram.quantile_ns(0.5));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HistogramTest, "histogram_test");

}  // namespace minivault::load
