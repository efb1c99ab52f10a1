// Goal: each key is a register for all processes, whatever dies: every history of reads, writes, deletes,
// creations and replacements has an order that explains it. Method: processes write down each call's begin
// and end in shared memory; processes, checkpointers and whole engines are killed meanwhile (an unfinished
// call may have happened or not); the histories go to the judge of tests/support/linearizability.h, and once
// more with a stale read in them, which it must find.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <poll.h>

#include <array>
#include <iostream>
#include <random>
#include <thread>

#include "common/core/clock.h"
#include "tests/store/engine.h"
#include "tests/store/shared_object.h"
#include "tests/support/linearizability.h"
#include "tests/support/seed.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr unsigned kClients = 4;
constexpr unsigned kKeys = 3;
constexpr std::uint64_t kRingBytes = 256 << 10;

using Kind = RegisterCall::Kind;
using Outcome = store::WriteResult::Outcome;

/// What one client did; its next process writes on.
struct Journal {
  static constexpr std::size_t kMost = 20'000;
  std::atomic<std::size_t> count{0};
  std::array<unsigned, kMost> keys;
  std::array<RegisterCall, kMost> calls;
};
struct Journals {
  std::array<Journal, kClients> of;
};

std::string key_of(unsigned n) {
  return "register " + std::to_string(n);
}

class Client {
 public:
  Client(store::Store& store, unsigned slot, Journal& journal, std::uint64_t seed)
      : store_(store), slot_(slot), journal_(journal), random_(seed) {}

  void run() {
    while (journal_.count.load() < Journal::kMost) {
      const unsigned n = random_() % kKeys;
      switch (random_() % 8) {
        case 0:
        case 1:
          write(n, fresh_value());
          break;
        case 2:
          write(n, 0);
          break;
        case 3:
          replace(n);
          break;
        default:
          read(n);
      }
    }
  }

 private:
  /// Where the call is written down, before anything happens.
  RegisterCall& begin(unsigned key, Kind kind, std::uint64_t value, std::uint64_t expected = 0) {
    const std::size_t at = journal_.count.load();
    journal_.keys[at] = key;
    journal_.calls[at] = {
        kind, RegisterCall::Outcome::kUnknown, value, expected, monotonic_ns(), RegisterCall::kNever};
    journal_.count.store(at + 1, std::memory_order_release);
    return journal_.calls[at];
  }

  void end(RegisterCall& call, store::Lsn answer_after, bool refused = false) {
    while (store_.durable() < answer_after) {
      if (!store_.ring_when_durable(answer_after)) break;
      pollfd bell{store_.region().bell(slot_), POLLIN, 0};
      if (::poll(&bell, 1, 1'000) > 0) store_.region().silence(slot_);
    }
    call.end = monotonic_ns();
    call.outcome = refused ? RegisterCall::Outcome::kRefused : RegisterCall::Outcome::kDone;
  }

  std::uint64_t fresh_value() { return journal_.count.load() * 100 + slot_; }

  void read(unsigned n) {
    RegisterCall& call = begin(n, Kind::kRead, 0);
    const store::Lsn answer_after = in_turn(store_, [&] {
      const store::Found found = store_.get(key_of(n)).value();
      seen_[n] = {};
      if (found.present) seen_[n] = {number_of(found.value), found.version};
      return found.answer_after;
    });
    call.value = seen_[n].value;
    end(call, answer_after);
  }

  void write(unsigned n, std::uint64_t value) {
    RegisterCall& call = begin(n, Kind::kWrite, value);
    end(call, commit(n, value, store::Condition::kNone).answer_after);
  }

  /// Of what this client saw last: creates where there was nothing.
  void replace(unsigned n) {
    const std::uint64_t value = fresh_value();
    const Seen expected = seen_[n];
    RegisterCall& call = begin(n, Kind::kReplace, value, expected.value);
    const bool create = expected.value == 0;
    const store::WriteResult result =
        commit(n, value, create ? store::Condition::kAbsent : store::Condition::kVersionIs, expected.version);
    end(call, result.answer_after, result.outcome == Outcome::kRefused);
  }

  store::WriteResult commit(unsigned n, std::uint64_t value, store::Condition condition,
                            store::Version expected = {}) {
    const std::string key = key_of(n);
    const std::string bytes = stamped(value, random_() % 8 == 0 ? random_() % 12'000 : random_() % 1'500);
    store::Write write;
    write.key = key;
    write.condition = condition;
    write.expected = expected;
    write.operation = value == 0 ? store::Operation::kDelete : store::Operation::kSet;
    if (value != 0) write.value = bytes;
    return commit_one(store_, write);
  }

  struct Seen {
    std::uint64_t value = 0;
    store::Version version;
  };

  store::Store& store_;
  unsigned slot_;
  Journal& journal_;
  std::mt19937_64 random_;
  std::array<Seen, kKeys> seen_{};
};

}  // namespace

class LinearizabilityTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LinearizabilityTest);
  CPPUNIT_TEST(nobody_dies);
  CPPUNIT_TEST(clients_and_checkpointers_die);
  CPPUNIT_TEST(everything_dies);
  CPPUNIT_TEST(everything_dies_without_sync);
  CPPUNIT_TEST_SUITE_END();

 public:
  void nobody_dies() { run({}, {}); }
  void clients_and_checkpointers_die() { run({}, {Victim::kClient, Victim::kClient, Victim::kCheckpointer}); }
  void everything_dies() { run({}, {Victim::kClient, Victim::kCheckpointer, Victim::kEngine}); }
  void everything_dies_without_sync() {
    run({SyncMode::Kind::kNone, milliseconds(0)}, {Victim::kClient, Victim::kCheckpointer, Victim::kEngine});
  }

 private:
  enum class Victim { kClient, kCheckpointer, kEngine };

  static void run(const SyncMode& sync, const std::vector<Victim>& victims) {
    std::mt19937_64 random(seed());
    SharedObject<Journals> journals;
    Engine engine(kRingBytes, sync);
    engine.start();
    std::array<pid_t, kClients> clients{};
    const auto spawn = [&](unsigned c) {
      clients[c] = engine.spawn(c + 1, [&, c, s = random()](store::Store& store) {
        Client(store, c + 1, journals->of[c], s).run();
        return 0;
      });
    };
    for (unsigned c = 0; c < kClients; ++c) spawn(c);
    const auto end =
        std::chrono::steady_clock::now() + milliseconds(environment_number("MINIVAULT_MILLISECONDS", 1'500));
    unsigned deaths = 0;
    std::uint64_t laps = 0;
    // A busy machine gets the time that it needs.
    const auto goes_on = [&] {
      const auto now = std::chrono::steady_clock::now();
      return now < end || (laps + engine.state().marks.tail.load() / kRingBytes < 3 && now < end + kPatience);
    };
    for (; goes_on(); ++deaths) {
      std::this_thread::sleep_for(milliseconds(random() % 60));
      if (victims.empty()) continue;
      switch (victims[random() % victims.size()]) {
        case Victim::kClient: {
          const unsigned c = random() % kClients;
          engine.kill(clients[c]);
          spawn(c);
          break;
        }
        case Victim::kCheckpointer:
          engine.kill_checkpointer();
          engine.restart_checkpointer();
          break;
        case Victim::kEngine:
          laps += engine.state().marks.tail.load() / kRingBytes;
          engine.kill();
          engine.start();
          for (unsigned c = 0; c < kClients; ++c) spawn(c);
      }
    }
    laps += engine.state().marks.tail.load() / kRingBytes;
    for (const pid_t client : clients) engine.kill(client);
    std::cerr << laps << " laps, " << deaths << " deaths; ";
    judge(*journals);
    CPPUNIT_ASSERT(laps >= 3);
  }

  /// A read that is answered with a value that had surely been replaced before it began: what the engine must
  /// never do. False: the history has no place for one.
  static bool plant_stale_read(std::vector<RegisterCall>& calls) {
    const auto is_write = [](const RegisterCall& call) {
      return call.kind == Kind::kWrite && call.outcome == RegisterCall::Outcome::kDone && call.value != 0;
    };
    for (const RegisterCall& first : calls) {
      if (!is_write(first)) continue;
      for (const RegisterCall& second : calls) {
        if (!is_write(second) || second.begin <= first.end) continue;
        for (RegisterCall& read : calls) {
          if (read.kind != Kind::kRead || read.outcome != RegisterCall::Outcome::kDone) continue;
          if (read.begin <= second.end || read.value == first.value) continue;
          read.value = first.value;
          return true;
        }
      }
    }
    return false;
  }

  static void judge(const Journals& journals) {
    std::array<unsigned, 3> outcomes{};
    std::array<std::vector<RegisterCall>, kKeys> histories;
    for (const Journal& journal : journals.of) {
      for (std::size_t i = 0; i < journal.count.load(); ++i) {
        histories[journal.keys[i]].push_back(journal.calls[i]);
        ++outcomes[static_cast<std::size_t>(journal.calls[i].outcome)];
      }
    }
    std::cerr << outcomes[0] << " calls, " << outcomes[1] << " refused, " << outcomes[2] << " unfinished\n";
    for (unsigned n = 0; n < kKeys; ++n) {
      if (!is_linearizable(histories[n])) CPPUNIT_FAIL(key_of(n) + ": " + explain(histories[n]));
      CPPUNIT_ASSERT(plant_stale_read(histories[n]));
      CPPUNIT_ASSERT_MESSAGE("the judge overlooks a stale read", !is_linearizable(histories[n]));
    }
    CPPUNIT_ASSERT(outcomes[0] > 200 && outcomes[1] > 0);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LinearizabilityTest, "linearizability_test");

}  // namespace minivault::test
