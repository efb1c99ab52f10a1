// Goal: a process that dies at any instruction of an append leaves nothing that the next one cannot mend;
// nothing acknowledged is lost, no key goes back. Method: a writer dies at each named stop point of an
// append, and the one that mends dies too; then writers, the checkpointer and whole nodes are killed at
// random under load, and what was acknowledged is looked for. Seeded.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <regex>
#include <set>
#include <thread>

#include "common/core/fault_point.h"
#include "tests/store/recovery_support.h"
#include "tests/support/seed.h"
#include "tests/support/source_directory.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr unsigned kKeys = 5;

std::string key_of(unsigned n) {
  return "key " + std::to_string(n);
}

void put_all(store::Store& store, std::uint64_t number) {
  store::Batch batch;
  std::vector<std::string> keys;
  for (unsigned i = 0; i < kKeys; ++i) keys.push_back(key_of(i));
  const std::string value = stamped(number, 500);
  for (const std::string& key : keys) {
    store::Write write;
    write.key = key;
    write.value = value;
    batch.add(write);
  }
  commit_all(store, batch);
}

/// Every record from `from` to the tail, one after the other: a hole would be an error. The checkpointer may
/// be mending the lock meanwhile, so the tail may move.
std::map<std::string, std::uint64_t> replayed(store::Store& store, store::Lsn from) {
  return in_turn(store, [&] {
    std::map<std::string, std::uint64_t> newest;
    const auto visit = [&](const store::Change& change) {
      newest[std::string(change.key)] = number_of(change.value);
      return true;
    };
    for (store::Lsn at = from; at != store.region().state().marks.tail.load();) {
      const Result<store::Lsn> end = store.read_changes(at, shared::kNoLsn, visit);
      CPPUNIT_ASSERT_MESSAGE(end ? "" : end.error().message, end.has_value());
      CPPUNIT_ASSERT_MESSAGE("stops before the tail", *end > at);
      at = *end;
    }
    return newest;
  });
}

void assert_all(store::Store& store, std::uint64_t expected) {
  for (unsigned i = 0; i < kKeys; ++i) {
    CPPUNIT_ASSERT_EQUAL_MESSAGE(key_of(i), expected, number_of(value_of(store, key_of(i)).value()));
  }
}

/// What `pattern` captures in the sources of a folder.
std::set<std::string> found_in(const char* folder, const std::regex& pattern) {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(source_directory() / folder)) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator at(text.begin(), text.end(), pattern); at != std::sregex_iterator(); ++at) {
      found.insert((*at)[1]);
    }
  }
  return found;
}

bool died_by_kill(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/// What writers attempted and what they were told is stored.
struct Ledger {
  static constexpr unsigned kWriters = 3;
  static constexpr unsigned kKeysEach = 20;
  std::array<std::array<std::atomic<std::uint64_t>, kKeysEach>, kWriters> attempted;
  std::array<std::array<std::atomic<std::uint64_t>, kKeysEach>, kWriters> acknowledged;
};

std::string key_of(unsigned writer, unsigned n) {
  return "w" + std::to_string(writer) + "-" + std::to_string(n);
}

/// Writes batches for ever; a write is acknowledged once it is durable.
int write_for_ever(store::Store& store, Ledger& ledger, unsigned writer, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  while (true) {
    store::Batch batch;
    std::vector<std::pair<unsigned, std::uint64_t>> written;
    std::vector<std::string> kept;
    const unsigned count = 1 + random() % 12;
    kept.reserve(2 * count);
    for (unsigned i = 0; i < count; ++i) {
      const unsigned n = random() % Ledger::kKeysEach;
      const std::uint64_t number = ledger.attempted[writer][n].fetch_add(1) + 1;
      const std::size_t size = random() % 50 == 0 ? 400'000 : random() % 3'000;
      written.emplace_back(n, number);
      store::Write write;
      write.key = kept.emplace_back(key_of(writer, n));
      write.value = kept.emplace_back(stamped(number, size));
      batch.add(write);
    }
    commit_all(store, batch);
    const store::Lsn end = batch.result(batch.size() - 1).end;
    while (store.durable() < end) std::this_thread::yield();
    for (const auto& [n, number] : written) ledger.acknowledged[writer][n].store(number);
  }
}

}  // namespace

class KillTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(KillTest);
  CPPUNIT_TEST(every_point_is_walked);
  CPPUNIT_TEST(writer_dies_at_each_point);
  CPPUNIT_TEST(last_writer_dies_and_its_records_become_durable);
  CPPUNIT_TEST(replicator_is_woken_for_a_dead_writer);
  CPPUNIT_TEST(writer_dies_with_a_judgement);
  CPPUNIT_TEST(mender_dies_too);
  CPPUNIT_TEST(what_is_torn_is_not_mended);
  CPPUNIT_TEST(last_writer_dies_before_an_orderly_stop);
  CPPUNIT_TEST(checkpointer_dies_at_each_point);
  CPPUNIT_TEST(random_kills_under_load);
  CPPUNIT_TEST_SUITE_END();

  struct Point {
    const char* name;
    std::int64_t count;
    bool takes_effect;  ///< the whole batch, or nothing of it
  };
  static constexpr std::array<Point, 8> kAppend{{{"append.locked", 1, false},
                                                 {"append.before_bytes", 1, false},
                                                 {"append.before_slots", 1, true},
                                                 {"append.between_slots", 1, true},
                                                 {"append.between_slots", kKeys, true},
                                                 {"append.before_tail", 1, true},
                                                 {"append.after_tail", 1, true},
                                                 {"append.before_wake", 1, true}}};

  static constexpr std::array<Point, 3> kMend{{{"mend.between_slot_and_tail", 1, true},
                                               {"mend.between_slot_and_tail", 3, true},
                                               {"mend.before_consistent", 1, true}}};
  static constexpr std::array<const char*, 4> kCheckpointer{
      {"checkpoint.before_commit", "checkpoint.after_commit", "checkpoint.published",
       "syncer.before_durable"}};

  static void die_at(Engine& engine, const char* point, std::int64_t count,
                     const std::function<void(store::Store&)>& work) {
    fault_plan().arm(point, FaultPlan::Action::kKill, count);
    const pid_t writer = engine.spawn(2, [&work](store::Store& store) {
      work(store);
      return 0;
    });
    CPPUNIT_ASSERT_MESSAGE(point, died_by_kill(engine.reap(writer)));
    fault_plan().disarm();
  }

  static void write_and_die(Engine& engine, const char* point, std::int64_t count, std::uint64_t number) {
    die_at(engine, point, count, [number](store::Store& store) { put_all(store, number); });
  }

 public:
  void tearDown() override { fault_plan().disarm(); }

  /// Those of an append and of its mending here, the others somewhere; and the document knows them all.
  void every_point_is_walked() {
    const std::set<std::string> points =
        found_in("common/store", std::regex(R"re(MV_FAULT_(?:POINT|FAILS)\("([a-z_.]+)"\))re"));
    const std::set<std::string> walked = found_in("tests/store", std::regex(R"re("([a-z]+\.[a-z_]+)")re"));
    std::ifstream file(source_directory() / "common/store/README.md");
    const std::string document{std::istreambuf_iterator<char>(file), {}};
    const auto is_in = [](const auto& list, const std::string& point) {
      return std::any_of(list.begin(), list.end(), [&](const Point& each) { return each.name == point; });
    };
    CPPUNIT_ASSERT(points.size() > 20);
    for (const std::string& point : points) {
      CPPUNIT_ASSERT_MESSAGE(point, document.find('`' + point + '`') != std::string::npos);
      CPPUNIT_ASSERT_MESSAGE(point, walked.contains(point));
      const bool here = point == "append.judged" || is_in(kAppend, point) || is_in(kMend, point);
      CPPUNIT_ASSERT_MESSAGE(point, here == (point.starts_with("append.") || point.starts_with("mend.")));
    }
  }

  void writer_dies_at_each_point() {
    Engine engine;
    engine.start();
    const store::Lsn born = engine.state().marks.tail.load();
    std::uint64_t expected = 1;
    std::uint64_t number = 1;
    {
      store::Store store = engine.open_store();
      put_all(store, number);
    }
    for (const Point& point : kAppend) {
      write_and_die(engine, point.name, point.count, ++number);
      if (point.takes_effect) expected = number;
      store::Store store = engine.open_store();
      // The checkpointer, rung after a death, mends; so does whoever appends next.
      if (point.takes_effect)
        eventually("mended", [&] { return replayed(store, born).at(key_of(0)) == expected; });
      put(store, "other", stamped(number));
      assert_all(store, expected);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(point.name, expected, replayed(store, born).at(key_of(kKeys - 1)));
      CPPUNIT_ASSERT_EQUAL(number, replayed(store, born).at("other"));
    }
    engine.kill();
    engine.start();
    store::Store store = engine.open_store();
    assert_all(store, expected);
    CPPUNIT_ASSERT_EQUAL(number, number_of(value_of(store, "other").value()));
  }

  /// The syncer sleeps until it is rung, and nobody comes after the dead one who would.
  void last_writer_dies_and_its_records_become_durable() {
    constexpr store::Lsn kBatch = kKeys * store::record_bytes(5, 500);
    Engine engine;
    engine.start();
    std::uint64_t number = 0;
    for (const Point& point : kAppend) {
      if (!point.takes_effect) continue;
      eventually("the syncer sleeps", [&] { return engine.state().bell.asleep.load() == 1; });
      const store::Lsn before = engine.state().marks.tail.load();
      write_and_die(engine, point.name, point.count, ++number);
      eventually(std::string("durable after ") + point.name,
                 [&] { return engine.state().marks.durable.load() == before + kBatch; });
      store::Store store = engine.open_store();
      assert_all(store, number);
      CPPUNIT_ASSERT_EQUAL(store::Lsn{0},
                           in_turn(store, [&] { return store.get(key_of(0)).value().answer_after; }));
    }
  }

  /// The bells at a death ring before its records are mended: the replicator finds nothing, and sleeps on.
  void replicator_is_woken_for_a_dead_writer() {
    constexpr unsigned kReplicatorSlot = 3;
    Engine engine;
    engine.start();
    engine.suspend_checkpointer();
    write_and_die(engine, "append.before_slots", 1, 1);
    engine.region().silence(kReplicatorSlot);
    engine.state().cluster.replicator_asleep.store(kReplicatorSlot + 1);
    engine.resume_checkpointer();
    CPPUNIT_ASSERT(rings(engine, kReplicatorSlot));
  }

  /// Before it takes the lock: nobody has to mend anything, and its place among those who wait is free.
  void writer_dies_with_a_judgement() {
    Engine engine;
    engine.start();
    const store::Lsn tail = engine.state().marks.tail.load();
    const auto create = [](store::Store& store) {
      store::Write write;
      write.key = "new";
      write.condition = store::Condition::kAbsent;
      return commit_one(store, write).outcome;
    };
    die_at(engine, "append.judged", 1, create);
    CPPUNIT_ASSERT_EQUAL(tail, engine.state().marks.tail.load());
    store::Store store = engine.open_store();
    CPPUNIT_ASSERT(!value_of(store, "new").has_value());
    CPPUNIT_ASSERT(create(store) == store::WriteResult::Outcome::kDone);
  }

  void mender_dies_too() {
    Engine engine;
    engine.start();
    const store::Lsn born = engine.state().marks.tail.load();
    engine.suspend_checkpointer();  // else it mends before a test can
    std::uint64_t number = 0;
    for (const Point& point : kMend) {
      write_and_die(engine, "append.before_slots", 1, ++number);
      write_and_die(engine, point.name, point.count, 1'000'000);  // dies before it comes to its own append
      store::Store store = engine.open_store();
      put(store, "other", stamped(number));
      assert_all(store, number);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(point.name, number, replayed(store, born).at(key_of(0)));
    }
    engine.resume_checkpointer();
  }

  /// The writer died within its write of the bytes: the records before the torn one count, no other does.
  void what_is_torn_is_not_mended() {
    constexpr store::Lsn kRecord = store::record_bytes(5, 500);
    for (const std::uint64_t torn : {0U, 2U}) {
      Engine engine;
      engine.start();
      {
        store::Store store = engine.open_store();
        put_all(store, 1);
      }
      const store::Lsn tail = engine.state().marks.tail.load();
      engine.suspend_checkpointer();  // it would mend before the record is torn
      write_and_die(engine, "append.before_slots", 1, 2);
      recovery_support::flip_bit(
          recovery_support::log_of(engine),
          recovery_support::offset_of(tail + torn * kRecord + kRecord / 2, engine.config.log_bytes));
      engine.resume_checkpointer();
      store::Store store = engine.open_store();
      put(store, "another", "key");
      CPPUNIT_ASSERT_EQUAL(tail + torn * kRecord + store::record_bytes(7, 3),
                           engine.state().marks.tail.load());
      for (unsigned i = 0; i < kKeys; ++i) {
        const std::uint64_t expected = i < torn ? 2 : 1;
        CPPUNIT_ASSERT_EQUAL_MESSAGE(key_of(i), expected, number_of(value_of(store, key_of(i)).value()));
      }
      CPPUNIT_ASSERT(value_of(store, "another") == "key");
    }
  }

  void last_writer_dies_before_an_orderly_stop() {
    Engine engine;
    engine.start();
    for (const char* point : {"append.before_slots", "append.before_tail"}) {
      engine.suspend_checkpointer();
      write_and_die(engine, point, 1, 7);
      engine.terminate_checkpointer();  // before it can look for deaths
      engine.resume_checkpointer();
      engine.stop();
      CPPUNIT_ASSERT_EQUAL(0, engine.exit_status());
      engine.start();
      store::Store store = engine.open_store();
      assert_all(store, 7);
    }
  }

  void checkpointer_dies_at_each_point() {
    Engine engine;
    engine.start();
    std::uint64_t number = 0;
    for (const char* point : kCheckpointer) {
      fault_plan().arm(point, FaultPlan::Action::kKill);
      store::Store store = engine.open_store();
      put_all(store, ++number);
      engine.reap_checkpointer();
      fault_plan().disarm();
      assert_all(store, number);
      put_all(store, ++number);
      engine.restart_checkpointer();
      engine.wait_checkpoint(engine.state().marks.tail.load());
      assert_all(store, number);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{kKeys}, engine.state().totals.keys.load());
    }
  }

  void random_kills_under_load() {
    const std::uint64_t first = seed();
    std::mt19937_64 random(first);
    SharedObject<Ledger> ledger;
    Engine engine;
    engine.start();
    std::array<pid_t, Ledger::kWriters> writers{};
    const auto respawn = [&](unsigned w) {
      writers[w] = engine.spawn(w + 2, [&ledger, w, seed = random()](store::Store& store) {
        return write_for_ever(store, *ledger, w, seed);
      });
    };
    for (unsigned w = 0; w < Ledger::kWriters; ++w) respawn(w);
    const std::uint64_t rounds = environment_number("MINIVAULT_ROUNDS", 60);
    for (std::uint64_t round = 0; round < rounds; ++round) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
      const std::uint64_t what = random() % 20;
      if (what == 0) {
        engine.kill();
        engine.start();
        check(engine, *ledger);
        for (unsigned w = 0; w < Ledger::kWriters; ++w) respawn(w);
      } else if (what < 4) {
        engine.kill_checkpointer();
        engine.restart_checkpointer();
      } else if (what < 12) {
        const unsigned w = random() % Ledger::kWriters;
        const Point& point = kAppend[random() % kAppend.size()];
        fault_plan().arm(point.name, FaultPlan::Action::kKill, 1 + static_cast<std::int64_t>(random() % 8),
                         writers[w]);
        CPPUNIT_ASSERT(died_by_kill(engine.reap(writers[w])));
        check(engine, *ledger);
        respawn(w);
      } else {
        const unsigned w = random() % Ledger::kWriters;
        engine.kill(writers[w]);
        check(engine, *ledger);
        respawn(w);
      }
    }
    engine.stop();
    CPPUNIT_ASSERT_EQUAL(0, engine.exit_status());
    engine.start();
    check(engine, *ledger);
  }

 private:
  static void check(Engine& engine, Ledger& ledger) {
    store::Store store = engine.open_store();
    std::uint64_t total = 0;
    for (unsigned w = 0; w < Ledger::kWriters; ++w) {
      for (unsigned n = 0; n < Ledger::kKeysEach; ++n) {
        const std::uint64_t acknowledged = ledger.acknowledged[w][n].load();
        const std::optional<std::string> held = value_of(store, key_of(w, n));
        const std::uint64_t number = held ? number_of(*held) : 0;
        CPPUNIT_ASSERT_MESSAGE(key_of(w, n) + " holds " + std::to_string(number) + ", acknowledged was " +
                                   std::to_string(acknowledged),
                               number >= acknowledged);
        CPPUNIT_ASSERT(number <= ledger.attempted[w][n].load());
        total += acknowledged;
      }
    }
    CPPUNIT_ASSERT(total == 0 || engine.state().marks.tail.load() > 0);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(KillTest, "kill_test");

}  // namespace minivault::test
