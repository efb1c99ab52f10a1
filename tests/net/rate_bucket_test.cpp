// Goal: over any stretch of time no more than the rate and one burst passes, however many share the word, and
// no less than the rate if enough is asked.

#include "common/net/rate_bucket.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <thread>
#include <vector>

namespace minivault::net {

class RateBucketTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RateBucketTest);
  CPPUNIT_TEST(no_rate_is_no_limit);
  CPPUNIT_TEST(lets_a_burst_through_and_then_the_rate);
  CPPUNIT_TEST(a_low_rate_lets_one_through_at_a_time);
  CPPUNIT_TEST(a_rest_earns_one_burst_only);
  CPPUNIT_TEST(a_burst_may_be_counted);
  CPPUNIT_TEST(tells_when_to_come_again);
  CPPUNIT_TEST(sharers_get_the_rate_together);
  CPPUNIT_TEST_SUITE_END();

 public:
  void no_rate_is_no_limit() { CPPUNIT_ASSERT(!RateBucket(due_, 0).limited()); }

  void lets_a_burst_through_and_then_the_rate() {
    const RateBucket bucket(due_, 1'000);
    CPPUNIT_ASSERT_EQUAL(100, taken(bucket, kStart, 1'000));  // 100 ms worth
    CPPUNIT_ASSERT_EQUAL(0, taken(bucket, kStart + kMs - 1, 10));
    CPPUNIT_ASSERT_EQUAL(1, taken(bucket, kStart + kMs, 10));
    CPPUNIT_ASSERT_EQUAL(9, taken(bucket, kStart + 10 * kMs, 100));
  }

  void a_low_rate_lets_one_through_at_a_time() {
    const RateBucket bucket(due_, 2);
    CPPUNIT_ASSERT_EQUAL(1, taken(bucket, kStart, 10));
    CPPUNIT_ASSERT_EQUAL(0, taken(bucket, kStart + 499 * kMs, 10));
    CPPUNIT_ASSERT_EQUAL(1, taken(bucket, kStart + 500 * kMs, 10));
  }

  void a_rest_earns_one_burst_only() {
    const RateBucket bucket(due_, 1'000);
    CPPUNIT_ASSERT_EQUAL(100, taken(bucket, kStart, 1'000));
    CPPUNIT_ASSERT_EQUAL(100, taken(bucket, kStart + 3'600'000 * kMs, 1'000));
  }

  void a_burst_may_be_counted() {
    const RateBucket bucket(due_, 5'000 * kMs, 20);
    CPPUNIT_ASSERT(bucket.has_room(kStart));
    CPPUNIT_ASSERT_EQUAL(20, taken(bucket, kStart, 100));
    CPPUNIT_ASSERT(!bucket.has_room(kStart + 5'000 * kMs - 1));
    CPPUNIT_ASSERT(bucket.has_room(kStart + 5'000 * kMs));
    CPPUNIT_ASSERT_EQUAL(1, taken(bucket, kStart + 5'000 * kMs, 100));
  }

  void tells_when_to_come_again() {
    const RateBucket slow(due_, 1);
    CPPUNIT_ASSERT(slow.take(kStart));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, slow.retry_after_seconds(kStart));
    CPPUNIT_ASSERT(!slow.take(kStart + 999 * kMs));
    CPPUNIT_ASSERT(slow.take(kStart + slow.retry_after_seconds(kStart) * 1'000 * kMs));
  }

  void sharers_get_the_rate_together() {
    std::atomic<int> passed = 0;
    {
      std::vector<std::jthread> sharers;
      for (int i = 0; i < 4; ++i) {
        sharers.emplace_back([&] { passed += taken(RateBucket(due_, 100'000), kStart, 100'000); });
      }
    }
    CPPUNIT_ASSERT_EQUAL(10'000, passed.load());
  }

 private:
  static constexpr std::uint64_t kMs = 1'000'000;
  static constexpr std::uint64_t kStart = 1'000'000 * kMs;

  static int taken(const RateBucket& bucket, std::uint64_t now_ns, int asked) {
    int count = 0;
    for (int i = 0; i < asked; ++i) count += bucket.take(now_ns) ? 1 : 0;
    return count;
  }

  std::atomic<std::uint64_t> due_ = 0;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RateBucketTest, "rate_bucket_test");

}  // namespace minivault::net
