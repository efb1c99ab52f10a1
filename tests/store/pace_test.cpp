// Goal: writers feel the checkpointer's rate and no wall; the backlog stays within a quarter of the ring,
// however wrong the rate was guessed. Method: a writer that never rests and a checkpointer of some rate, on a
// clock of their own.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

#include "common/store/pace.h"

namespace minivault::test {
namespace {

using store::pause_ns;

constexpr std::uint64_t kRing = 512ULL << 20;
constexpr std::uint64_t kCommit = 64 * 168;
constexpr std::uint64_t kCommitNs = 25'000;  // as long as it takes
constexpr std::uint64_t kSecond = 1'000'000'000;

struct Course {
  std::uint64_t largest_backlog = 0;
  std::uint64_t longest_pause = 0;
  std::uint64_t written = 0;  // in all
  std::uint64_t before_first_pause = 0;
};

/// `told`: what the checkpointer says its rate was, while it is `rate`.
Course write_for(std::uint64_t seconds, std::uint64_t rate, std::uint64_t told) {
  shared::Drain drain{};
  drain.bytes_per_s = told;
  Course course;
  std::uint64_t backlog = 0;
  std::uint64_t covers = 0;  // of the checkpoint under way
  double left = 0;
  for (std::uint64_t now = 0; now < seconds * kSecond;) {
    backlog += kCommit;
    course.written += kCommit;
    if (covers == 0 && backlog > store::checkpoint_bytes(kRing)) {
      covers = store::checkpoint_bytes(kRing);
      left = static_cast<double>(covers);
    }
    drain.left = static_cast<std::uint64_t>(left);
    const std::uint64_t pause = pause_ns(drain, kRing, backlog, kCommit);
    if (pause == 0 && course.longest_pause == 0) course.before_first_pause = course.written;
    course.longest_pause = std::max(course.longest_pause, pause);
    course.largest_backlog = std::max(course.largest_backlog, backlog);
    now += kCommitNs + pause;
    if (covers == 0) continue;
    left -= static_cast<double>(rate) / 1e9 * static_cast<double>(kCommitNs + pause);
    if (left > 0) continue;
    backlog -= covers;
    covers = 0;
    left = 0;
    drain.in_a_row = backlog > store::checkpoint_bytes(kRing) / 2 ? 1 : 0;
  }
  return course;
}

}  // namespace

class PaceTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PaceTest);
  CPPUNIT_TEST(no_pause_without_a_checkpoint);
  CPPUNIT_TEST(a_burst_is_taken_up_to_three_sixteenths);
  CPPUNIT_TEST(the_longer_the_less_room);
  CPPUNIT_TEST(writers_settle_at_the_checkpointers_rate);
  CPPUNIT_TEST_SUITE_END();

 public:
  void no_pause_without_a_checkpoint() {
    shared::Drain drain{};
    drain.bytes_per_s = 1;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, pause_ns(drain, kRing, store::most_backlog(kRing) - 1, kCommit));
    CPPUNIT_ASSERT_EQUAL(store::kLongestPauseNs, pause_ns(drain, kRing, store::most_backlog(kRing), kCommit));
  }

  void a_burst_is_taken_up_to_three_sixteenths() {
    shared::Drain drain{};
    drain.bytes_per_s = 64 << 20;
    drain.left = 60 << 20;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, pause_ns(drain, kRing, kRing / 16 * 3 - 1, kCommit));
    CPPUNIT_ASSERT(pause_ns(drain, kRing, kRing / 16 * 3, kCommit) > 0);
    drain.in_a_row = 1;  // it has not caught up with the one before
    CPPUNIT_ASSERT(pause_ns(drain, kRing, kRing / 8, kCommit) > 0);
    CPPUNIT_ASSERT(write_for(10, 36 << 20, 64 << 20).before_first_pause >= kRing / 16 * 3 - kCommit);
  }

  void the_longer_the_less_room() {
    shared::Drain drain{};
    drain.bytes_per_s = 64 << 20;
    drain.left = 60 << 20;
    drain.in_a_row = 1;
    std::uint64_t before = 0;
    for (std::uint64_t backlog = kRing / 8; backlog < store::most_backlog(kRing); backlog += 8 << 20) {
      const std::uint64_t pause = pause_ns(drain, kRing, backlog, kCommit);
      CPPUNIT_ASSERT(pause > before);
      CPPUNIT_ASSERT(2 * pause <= pause_ns(drain, kRing, backlog, 2 * kCommit) + 1);
      before = pause;
    }
  }

  void writers_settle_at_the_checkpointers_rate() {
    constexpr std::uint64_t kSeconds = 60;
    for (const std::uint64_t rate : {8ULL << 20, 36ULL << 20, 128ULL << 20}) {
      for (const std::uint64_t told : {rate / 2, rate, 2 * rate}) {
        const Course course = write_for(kSeconds, rate, told);
        CPPUNIT_ASSERT_LESS(kRing / 4, course.largest_backlog);
        CPPUNIT_ASSERT_LESS(kSecond / 4, course.longest_pause);
        CPPUNIT_ASSERT(course.written > rate * kSeconds * 8 / 10);
        CPPUNIT_ASSERT(course.written < rate * kSeconds + kRing / 4);
      }
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PaceTest, "pace_test");

}  // namespace minivault::test
