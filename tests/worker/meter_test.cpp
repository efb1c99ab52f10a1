// Goal: each request is timed once in every stage that it went through, with the time of its batch or commit.
// Method: a meter with a clock of the test's own, and what it left in its set of counters.

#include "worker/meter.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>

namespace minivault::worker {

namespace {

using shared::Op;
using shared::Proto;
using shared::Stage;
using shared::TimeHistogram;
using shared::Told;

std::uint64_t times_in(const TimeHistogram& histogram) {
  std::uint64_t times = 0;
  for (const auto& bucket : histogram.buckets) times += bucket.load();
  return times;
}

}  // namespace

class MeterTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MeterTest);
  CPPUNIT_TEST(buckets_are_powers_of_two);
  CPPUNIT_TEST(counts_into_its_own_cell);
  CPPUNIT_TEST(a_batch_of_reads_has_one_time);
  CPPUNIT_TEST(a_commit_waits_for_disk_and_quorum);
  CPPUNIT_TEST(alone_nobody_waits_for_a_quorum);
  CPPUNIT_TEST(a_quorum_that_is_not_reached_took_its_time);
  CPPUNIT_TEST(the_disk_has_no_part_in_the_wait_for_others);
  CPPUNIT_TEST(commits_are_settled_in_their_order);
  CPPUNIT_TEST(waits_are_bounded);
  CPPUNIT_TEST_SUITE_END();

 public:
  void buckets_are_powers_of_two() {
    TimeHistogram& histogram = set_->time(Op::kGet, Stage::kStore);
    for (const std::uint64_t ns : {0ULL, 256ULL, 257ULL, 512ULL, 513ULL, 1ULL << 34U, (1ULL << 34U) + 1}) {
      histogram.record(ns);
    }
    histogram.record(1'000, 5);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, histogram.buckets[0].load());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, histogram.buckets[1].load());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, histogram.buckets[2].load());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, histogram.buckets[TimeHistogram::kBuckets - 2].load());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, histogram.buckets[TimeHistogram::kBuckets - 1].load());
    CPPUNIT_ASSERT_EQUAL((2ULL << 34U) + 1 + 256 + 257 + 512 + 513 + 5'000, histogram.sum_ns.load() + 0ULL);
    for (std::size_t i = 0; i + 1 < TimeHistogram::kBuckets; ++i) {
      CPPUNIT_ASSERT_EQUAL(i, TimeHistogram::bucket_of(TimeHistogram::upper_ns(i)));
      CPPUNIT_ASSERT_EQUAL(i + 1, TimeHistogram::bucket_of(TimeHistogram::upper_ns(i) + 1));
    }
  }

  void counts_into_its_own_cell() {
    Meter meter(*set_, {});
    meter.count(Proto::kHttp, Op::kDelete, Told::kUnknown, 3);
    std::uint64_t sum = 0;
    for (const auto& proto : set_->requests) {
      for (const auto& op : proto) {
        for (const auto& told : op) sum += told.load();
      }
    }
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, sum);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, set_->request(Proto::kHttp, Op::kDelete, Told::kUnknown).load());
  }

  void a_batch_of_reads_has_one_time() {
    Meter meter(*set_, {});
    meter.begin_turn(1'000);
    meter.looked_up(
        {.proto = Proto::kBinary, .op = Op::kGet, .asked_ns = 1'400, .found_ns = 2'000, .times = 32});
    assert_timed(Op::kGet, Stage::kParse, 32, 32 * 400);
    assert_timed(Op::kGet, Stage::kStore, 32, 32 * 600);
    assert_timed(Op::kGet, Stage::kWhole, 0, 0);
    meter.end_turn();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{32}, times_in(set_->time(Op::kGet, Stage::kWhole)));
    meter.end_turn();  // nothing was read in this one
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{32}, times_in(set_->time(Op::kGet, Stage::kWhole)));
  }

  void a_commit_waits_for_disk_and_quorum() {
    Meter meter(*set_, {});
    meter.committed(commit(100, 4, 1));
    assert_timed(Op::kSet, Stage::kParse, 4, 4 * 1'000);
    assert_timed(Op::kSet, Stage::kStore, 4, 4 * 2'000);
    assert_timed(Op::kDelete, Stage::kStore, 1, 2'000);
    meter.settle(99, 99, 10'000);
    assert_timed(Op::kSet, Stage::kDurable, 0, 0);
    meter.settle(100, 99, 13'000);
    assert_timed(Op::kSet, Stage::kDurable, 4, 4 * 9'000);
    assert_timed(Op::kSet, Stage::kWhole, 0, 0);
    CPPUNIT_ASSERT(meter.waits());
    meter.settle(100, 100, 20'000);
    assert_timed(Op::kSet, Stage::kQuorum, 4, 4 * 16'000);
    assert_timed(Op::kSet, Stage::kWhole, 4, 4 * 19'000);
    assert_timed(Op::kDelete, Stage::kWhole, 1, 19'000);
    CPPUNIT_ASSERT(!meter.waits());
  }

  void alone_nobody_waits_for_a_quorum() {
    Meter meter(*set_, {});
    meter.committed(commit(100, 1, 0));
    meter.settle(100, shared::kNoLsn, 10'000);
    assert_timed(Op::kSet, Stage::kQuorum, 0, 0);
    assert_timed(Op::kSet, Stage::kWhole, 1, 9'000);
    Meter::Commit unsynced = commit(200, 1, 0);
    unsynced.durable_at = 0;  // -sync none
    meter.committed(unsynced);
    meter.settle(100, shared::kNoLsn, 10'000);
    assert_timed(Op::kSet, Stage::kDurable, 1, 6'000);  // that of the first
    assert_timed(Op::kSet, Stage::kWhole, 2, 18'000);
  }

  void a_quorum_that_is_not_reached_took_its_time() {
    Config config;
    config.write_timeout = std::chrono::milliseconds(1);
    Meter meter(*set_, config);
    meter.committed(commit(100, 1, 0));
    meter.settle(100, 0, 1'000'999);
    CPPUNIT_ASSERT(meter.waits());
    meter.settle(100, 0, 1'001'000);
    CPPUNIT_ASSERT(!meter.waits());
    assert_timed(Op::kSet, Stage::kQuorum, 1, 997'000);
    assert_timed(Op::kSet, Stage::kWhole, 1, 1'000'000);
  }

  /// A worker whose answers wait for other nodes is not woken by the disk.
  void the_disk_has_no_part_in_the_wait_for_others() {
    Meter meter(*set_, {});
    meter.committed(commit(100, 1, 0));
    meter.settle(100, 100, 900'000, 9'000);
    assert_timed(Op::kSet, Stage::kDurable, 1, 5'000);
    assert_timed(Op::kSet, Stage::kQuorum, 1, 896'000);
  }

  void commits_are_settled_in_their_order() {
    Meter meter(*set_, {});
    for (const shared::Lsn end : {100, 200, 300}) meter.committed(commit(end, 1, 0));
    meter.settle(250, 120, 10'000);
    assert_timed(Op::kSet, Stage::kDurable, 2, 12'000);
    assert_timed(Op::kSet, Stage::kQuorum, 1, 6'000);
    assert_timed(Op::kSet, Stage::kWhole, 1, 9'000);
    meter.settle(300, 300, 20'000);
    assert_timed(Op::kSet, Stage::kDurable, 3, 12'000 + 16'000);
    assert_timed(Op::kSet, Stage::kQuorum, 3, 6'000 + 2 * 16'000);
    assert_timed(Op::kSet, Stage::kWhole, 3, 9'000 + 2 * 19'000);
  }

  void waits_are_bounded() {
    Meter meter(*set_, {});
    for (int i = 0; i < 20'000; ++i) meter.committed(commit(100, 1, 0));
    meter.settle(100, 100, 10'000);
    CPPUNIT_ASSERT(!meter.waits());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20'000}, times_in(set_->time(Op::kSet, Stage::kStore)));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10'000}, times_in(set_->time(Op::kSet, Stage::kWhole)));
  }

 private:
  /// Begun at 1 us, asked at 2 us, stored at 4 us.
  static Meter::Commit commit(shared::Lsn end, std::uint64_t sets, std::uint64_t deletes) {
    Meter::Commit commit;
    commit.sets = sets;
    commit.deletes = deletes;
    commit.begun_ns = 1'000;
    commit.asked_ns = 2'000;
    commit.stored_ns = 4'000;
    commit.durable_at = end;
    commit.quorum_at = end;
    return commit;
  }

  void assert_timed(Op op, Stage stage, std::uint64_t times, std::uint64_t sum_ns) {
    CPPUNIT_ASSERT_EQUAL(times, times_in(set_->time(op, stage)));
    CPPUNIT_ASSERT_EQUAL(sum_ns, set_->time(op, stage).sum_ns.load());
  }

  std::unique_ptr<shared::ProcessMetrics> set_ = std::make_unique<shared::ProcessMetrics>();
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MeterTest, "meter_test");

}  // namespace minivault::worker
