// Goal: every key is one register for all processes: once a write was acknowledged or a version seen, no read
// that begins later, in any process, gives an older one; and every value is whole. Method: writers and
// readers on few keys through a ring so small that index, window and base change all the time. A floor for
// each key in shared memory, raised by every acknowledgement and every sight, is read before each read.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <random>
#include <thread>

#include "tests/store/engine.h"
#include "tests/store/shared_object.h"
#include "tests/support/seed.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr unsigned kKeys = 12;
constexpr unsigned kColdKeys = 4;  ///< of these; seldom written, so mostly read from the base

struct Register {
  std::atomic<std::uint64_t> floor{0};  ///< HLC value below which no read may fall
};

struct Table {
  std::array<Register, kKeys> keys;
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> from_base{0};
  std::atomic<bool> stop{false};
};

std::string key_of(unsigned n) {
  return "key " + std::to_string(n);
}

/// A whole value that says its key.
std::string value_for(unsigned n, std::mt19937_64& random) {
  const std::size_t size = random() % 20 == 0 ? 200'000 : random() % 8'000;
  return stamped((random() >> 16) * 100 + n, size);
}

int write_until_stopped(store::Store& store, Table& table, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  while (!table.stop.load()) {
    store::Batch batch;
    std::vector<unsigned> numbers;
    std::vector<std::string> kept;
    kept.reserve(16);
    for (std::uint64_t i = 1 + random() % 8; i > 0; --i) {
      const bool cold = random() % 200 == 0;
      const unsigned n = cold ? random() % kColdKeys : kColdKeys + random() % (kKeys - kColdKeys);
      numbers.push_back(n);
      store::Write write;
      write.key = kept.emplace_back(key_of(n));
      write.value = kept.emplace_back(value_for(n, random));
      batch.add(write);
    }
    commit_all(store, batch);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      shared::raise(table.keys[numbers[i]].floor, batch.result(i).version.hlc);
    }
    table.writes.fetch_add(numbers.size());
  }
  return 0;
}

/// Several reads a turn, so that a turn sees the window move and needs more than one snapshot of the base.
int read_until_stopped(store::Store& store, Table& table, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  while (!table.stop.load()) {
    in_turn(store, [&] {
      for (std::uint64_t i = random() % 12; i > 0; --i) {
        const unsigned n = random() % kKeys;
        const std::uint64_t floor = table.keys[n].floor.load();
        const store::Found found = store.get(key_of(n)).value();
        if (!found.present) {
          if (floor != 0) throw std::runtime_error(key_of(n) + " vanished");
          continue;
        }
        if (found.version.hlc < floor) throw std::runtime_error(key_of(n) + " went back");
        if (number_of(found.value) % 100 != n)
          throw std::runtime_error(key_of(n) + " has another key's value");
        shared::raise(table.keys[n].floor, found.version.hlc);
        if (found.answer_after == 0 && n < kColdKeys) table.from_base.fetch_add(1);
        table.reads.fetch_add(1);
      }
    });
  }
  return 0;
}

}  // namespace

class ConcurrencyTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ConcurrencyTest);
  CPPUNIT_TEST(registers);
  CPPUNIT_TEST(registers_while_the_checkpointer_dies);
  CPPUNIT_TEST(stream_has_no_holes);
  CPPUNIT_TEST_SUITE_END();

  static void run(Engine& engine, milliseconds duration, bool kill_checkpointers) {
    SharedObject<Table> table;
    std::mt19937_64 random(seed());
    std::vector<pid_t> processes;
    unsigned slot = 2;
    for (int i = 0; i < 2; ++i) {
      processes.push_back(
          engine.spawn(slot++, [&, s = random()](auto& st) { return write_until_stopped(st, *table, s); }));
    }
    for (int i = 0; i < 2; ++i) {
      processes.push_back(
          engine.spawn(slot++, [&, s = random()](auto& st) { return read_until_stopped(st, *table, s); }));
    }
    const auto end = std::chrono::steady_clock::now() + duration;
    const auto laps = [&] { return engine.state().marks.tail.load() / engine.config.log_bytes; };
    while (std::chrono::steady_clock::now() < end ||
           (laps() < 3 && std::chrono::steady_clock::now() < end + kPatience)) {
      std::this_thread::sleep_for(milliseconds(50 + random() % 200));
      if (!kill_checkpointers) continue;
      engine.kill_checkpointer();
      engine.restart_checkpointer();
    }
    table->stop.store(true);
    for (const pid_t pid : processes) CPPUNIT_ASSERT_EQUAL(0, engine.reap(pid));
    std::cerr << table->writes << " writes, " << table->reads << " reads, " << table->from_base
              << " of cold keys, tail at " << laps() << " laps\n";
    CPPUNIT_ASSERT(laps() >= 3);
    CPPUNIT_ASSERT(table->from_base > 0);
  }

 public:
  void registers() {
    Engine engine;
    engine.start();
    run(engine, milliseconds(3'000), false);
  }

  void registers_while_the_checkpointer_dies() {
    Engine engine(std::uint64_t{16} << 20, SyncMode{SyncMode::Kind::kNone, milliseconds(0)});
    engine.start();
    run(engine, milliseconds(3'000), true);
  }

  /// A follower of the stream sees every record once, in order, as long as the ring holds it.
  void stream_has_no_holes() {
    SharedObject<Table> table;
    Engine engine;
    engine.start();
    std::vector<pid_t> writers;
    for (unsigned w = 0; w < 2; ++w) {
      writers.push_back(engine.spawn(w + 2, [&, w](store::Store& store) {
        for (std::uint64_t i = 1; i <= 600; ++i) {
          put(store, "writer " + std::to_string(w), stamped(i, 2'000));
          table->writes.fetch_add(1);
        }
        return 0;
      }));
    }
    store::Store store = engine.open_store();
    store::Lsn at = store::Lsn{4096};
    std::array<std::uint64_t, 2> seen{};
    eventually("the stream ends", [&] {
      at = in_turn(store, [&] {
        return store
            .read_changes(at, 100'000,
                          [&](const store::Change& change) {
                            const unsigned w = change.key.back() == '1' ? 1 : 0;
                            CPPUNIT_ASSERT_EQUAL(++seen[w], number_of(change.value));
                            return true;
                          })
            .value();
      });
      return seen[0] == 600 && seen[1] == 600;
    });
    for (const pid_t pid : writers) CPPUNIT_ASSERT_EQUAL(0, engine.reap(pid));
    CPPUNIT_ASSERT_EQUAL(engine.state().marks.tail.load(), at);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ConcurrencyTest, "concurrency_test");

}  // namespace minivault::test
