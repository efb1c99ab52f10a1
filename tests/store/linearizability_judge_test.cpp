// Goal: the judge of the linearizability tests knows right from wrong. Method: small histories of either
// kind; then thousands of random ones, judged a second time by trying every order.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "tests/support/linearizability.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

using Kind = RegisterCall::Kind;
using Outcome = RegisterCall::Outcome;
using Calls = std::vector<RegisterCall>;

RegisterCall read(std::uint64_t value, std::uint64_t begin, std::uint64_t end) {
  return {Kind::kRead, Outcome::kDone, value, 0, begin, end};
}
RegisterCall write(std::uint64_t value, std::uint64_t begin, std::uint64_t end) {
  return {Kind::kWrite, Outcome::kDone, value, 0, begin, end};
}
RegisterCall lost(std::uint64_t value, std::uint64_t begin) {
  return {Kind::kWrite, Outcome::kUnknown, value, 0, begin, RegisterCall::kNever};
}
RegisterCall replace(std::uint64_t expected, std::uint64_t value, std::uint64_t begin, std::uint64_t end,
                     Outcome outcome = Outcome::kDone) {
  return {Kind::kReplace, outcome, value, expected, begin, end};
}

void right(const Calls& calls) {
  CPPUNIT_ASSERT_MESSAGE(explain(calls), is_linearizable(calls));
}
void wrong(const Calls& calls) {
  CPPUNIT_ASSERT(!is_linearizable(calls));
  CPPUNIT_ASSERT(explain(calls) != "linearizable");
}

/// Every order that time allows, of every choice of the calls that need not have happened.
bool try_all(const Calls& calls, std::vector<bool>& happened, std::uint64_t state) {
  bool all = true;
  std::uint64_t first_end = RegisterCall::kNever;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (happened[i] || calls[i].outcome == Outcome::kUnknown) continue;
    all = false;
    first_end = std::min(first_end, calls[i].end);
  }
  if (all) return true;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const RegisterCall& call = calls[i];
    if (happened[i] || call.begin > first_end) continue;
    std::uint64_t next = state;
    if (call.kind == Kind::kRead) {
      if (call.outcome == Outcome::kDone && call.value != state) continue;
    } else if (call.kind == Kind::kWrite) {
      next = call.value;
    } else if (call.outcome == Outcome::kRefused) {
      if (state == call.expected) continue;
    } else {
      if (state != call.expected) continue;
      next = call.value;
    }
    happened[i] = true;
    if (try_all(calls, happened, next)) return true;
    happened[i] = false;
  }
  return false;
}

}  // namespace

class LinearizabilityJudgeTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LinearizabilityJudgeTest);
  CPPUNIT_TEST(one_after_the_other);
  CPPUNIT_TEST(of_two_at_once_either_comes_first);
  CPPUNIT_TEST(reads_do_not_go_back);
  CPPUNIT_TEST(a_delete_stays_done);
  CPPUNIT_TEST(unknown_outcomes);
  CPPUNIT_TEST(replacing);
  CPPUNIT_TEST(the_same_as_trying_every_order);
  CPPUNIT_TEST(long_histories);
  CPPUNIT_TEST_SUITE_END();

 public:
  void one_after_the_other() {
    right({});
    right({read(0, 1, 2)});
    wrong({read(5, 1, 2)});
    right({write(1, 1, 2), read(1, 3, 4)});
    wrong({write(1, 1, 2), read(0, 3, 4)});
    wrong({write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)});
    wrong({read(1, 1, 2), write(1, 3, 4)});
  }

  void of_two_at_once_either_comes_first() {
    for (const std::uint64_t last : {1U, 2U}) right({write(1, 1, 5), write(2, 2, 4), read(last, 6, 7)});
    wrong({write(1, 1, 5), write(2, 2, 4), read(0, 6, 7)});
    right({write(1, 1, 9), read(0, 2, 3), read(1, 4, 5)});
  }

  void reads_do_not_go_back() {
    wrong({write(1, 1, 9), read(1, 2, 3), read(0, 4, 5)});
    right({write(1, 1, 9), read(1, 2, 5), read(0, 3, 4)});  // at once
    wrong({write(1, 1, 9), write(2, 1, 9), read(1, 2, 3), read(2, 4, 5), read(1, 6, 7)});
  }

  void a_delete_stays_done() {
    right({write(1, 1, 2), write(0, 3, 4), read(0, 5, 6)});
    wrong({write(1, 1, 2), write(0, 3, 4), read(1, 5, 6)});
  }

  void unknown_outcomes() {
    right({write(1, 1, 2), lost(2, 3), read(1, 4, 5)});
    right({write(1, 1, 2), lost(2, 3), read(2, 4, 5)});
    right({write(1, 1, 2), lost(2, 3), read(1, 4, 5), read(2, 6, 7)});  // late
    wrong({write(1, 1, 2), lost(2, 3), read(2, 4, 5), read(1, 6, 7)});
    wrong({lost(2, 5), read(2, 1, 2)});  // before it was sent
    right({write(1, 1, 2), lost(0, 3), read(1, 4, 5), read(0, 6, 7)});
    wrong({write(1, 1, 2), lost(0, 3), read(0, 4, 5), read(1, 6, 7)});
    // A write that began when the unknown one had been seen, wins over it.
    wrong({lost(2, 1), read(2, 2, 3), write(3, 4, 5), read(2, 6, 7)});
  }

  void replacing() {
    right({replace(0, 1, 1, 2), replace(1, 2, 3, 4), read(2, 5, 6)});
    wrong({replace(0, 1, 1, 4), replace(0, 2, 2, 3)});  // two created it
    right({replace(0, 1, 1, 4), replace(0, 2, 2, 3, Outcome::kRefused), read(1, 5, 6)});
    wrong({replace(0, 2, 2, 3, Outcome::kRefused)});
    wrong({write(1, 1, 2), replace(1, 2, 3, 4), read(1, 5, 6)});
  }

  void the_same_as_trying_every_order() {
    std::mt19937_64 random(seed());
    unsigned right_ones = 0;
    constexpr unsigned kHistories = 20'000;
    for (unsigned n = 0; n < kHistories; ++n) {
      const Calls calls = some_calls(random);
      std::vector<bool> happened(calls.size());
      const bool expected = try_all(calls, happened, 0);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(explain(calls), expected, is_linearizable(calls));
      right_ones += expected ? 1 : 0;
    }
    std::cerr << right_ones << " of " << kHistories << " linearizable\n";
    CPPUNIT_ASSERT(right_ones > kHistories / 10 && right_ones < kHistories * 9 / 10);
  }

  /// What a sound register answers to six clients, then with one answer that is older than it may be.
  void long_histories() {
    std::mt19937_64 random(seed());
    std::vector<std::uint64_t> free_at(6, 0);
    Calls calls;
    std::uint64_t state = 0;
    for (std::uint64_t now = 10; calls.size() < 5'000; now += 10) {
      const std::size_t client = random() % free_at.size();
      if (free_at[client] > now) continue;
      RegisterCall call = random() % 2 == 0 ? read(state, 0, 0) : write(now, 0, 0);
      state = call.value;  // it happens now
      call.begin = std::max(free_at[client], now - random() % 10);
      call.end = free_at[client] = now + random() % 60;
      calls.push_back(call);
    }
    right(calls);
    RegisterCall stale = read(calls[1'000].value, calls[4'000].end + 1'000, calls[4'000].end + 1'001);
    calls.push_back(stale);
    wrong(calls);
  }

 private:
  static Calls some_calls(std::mt19937_64& random) {
    Calls calls;
    const std::size_t count = 1 + random() % 6;
    for (std::uint64_t i = 1; i <= count; ++i) {
      const std::uint64_t begin = random() % 10;
      const std::uint64_t end = begin + 1 + random() % 6;
      const std::uint64_t value = random() % 5 == 0 ? 0 : i;
      switch (random() % 5) {
        case 0:
        case 1:
          calls.push_back(read(random() % (count + 1), begin, end));
          break;
        case 2:
          calls.push_back(write(value, begin, end));
          break;
        case 3:
          calls.push_back(replace(random() % (count + 1), i, begin, end,
                                  random() % 3 == 0 ? Outcome::kRefused : Outcome::kDone));
          break;
        default:
          calls.push_back(lost(value, begin));
      }
    }
    return calls;
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LinearizabilityJudgeTest, "linearizability_judge_test");

}  // namespace minivault::test
