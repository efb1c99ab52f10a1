// Goal: the read cache never says what is no longer true, stays within its memory, keeps what is used, and
// what it gives stays put for a turn. Method: alone against a model; then behind a store whose window is
// pushed on; then with other processes writing and checkpointing all the time, where a floor for each key,
// raised by every acknowledgement, is read before each read.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <csignal>
#include <deque>
#include <map>
#include <random>
#include <thread>

#include "common/core/fault_point.h"
#include "common/store/read_cache.h"
#include "tests/store/engine.h"
#include "tests/store/shared_object.h"
#include "tests/support/processes.h"
#include "tests/support/seed.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

using store::BaseRecord;
using store::Lsn;
using store::ReadCache;

constexpr std::uint64_t kMegabyte = 1ULL << 20;

std::uint64_t hash_of(std::string_view key) {
  return std::hash<std::string_view>{}(key)*0x9E3779B97F4A7C15ULL;
}

BaseRecord record(std::string_view value, std::uint64_t hlc) {
  return {store::Operation::kSet, store::kFlagJson, {hlc, 7}, value};
}

/// One turn in which the base said this.
void fill(ReadCache& cache, std::string_view key, Lsn tail, const std::optional<BaseRecord>& said) {
  cache.offer(key, hash_of(key), tail, said);
  cache.take_in();
}

/// The value, "absent", or nullopt on a miss.
std::optional<std::string> look(ReadCache& cache, std::string_view key, Lsn window) {
  std::optional<BaseRecord> found;
  if (!cache.find(key, hash_of(key), window, found)) return std::nullopt;
  return found ? std::string(found->value) : "absent";
}

constexpr unsigned kKeys = 400;

struct Table {
  std::array<std::atomic<std::uint64_t>, kKeys> floors{};  ///< HLC values below which no read may fall
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> rounds{0};  ///< that the window was pushed on
  std::atomic<bool> stop{false};
};

std::string key_of(std::uint64_t n) {
  return "key " + std::to_string(n);
}

int write_until_stopped(store::Store& store, Table& table, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  while (!table.stop.load()) {
    const std::uint64_t n = random() % kKeys;
    const std::string key = key_of(n);
    const std::string value = stamped((random() >> 20) * kKeys + n, random() % 300);
    store::Write write;
    write.key = key;
    write.value = value;
    if (random() % 8 == 0) write.operation = store::Operation::kDelete;
    shared::raise(table.floors[n], commit_one(store, write).version.hlc);
    if (random() % 16 == 0) std::this_thread::sleep_for(milliseconds(1));
  }
  return 0;
}

void check(const Table& table, std::uint64_t n, const store::Found& found, std::uint64_t floor) {
  if (!found.known && floor != 0 && !table.stop.load()) throw std::runtime_error(key_of(n) + " vanished");
  if (found.known && found.version.hlc < floor) throw std::runtime_error(key_of(n) + " went back");
  if (found.present && number_of(found.value) % kKeys != n) throw std::runtime_error("another key's value");
}

/// One by one and many at once; values are looked at when the turn ends.
int read_until_stopped(store::Store& store, Table& table, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  while (!table.stop.load()) {
    in_turn(store, [&] {
      constexpr std::size_t kMany = 24;
      std::array<std::uint64_t, kMany> numbers{};
      std::array<std::uint64_t, kMany> floors{};
      std::array<std::string, kMany> names;
      std::array<std::string_view, kMany> keys;
      std::array<store::Found, kMany> found;
      for (std::size_t i = 0; i < kMany; ++i) {
        numbers[i] = random() % kKeys;
        floors[i] = table.floors[numbers[i]].load();
        keys[i] = names[i] = key_of(numbers[i]);
      }
      if (random() % 2 == 0) {
        if (store.get_many(keys, found) != kMany) throw std::runtime_error("get_many");
      } else {
        for (std::size_t i = 0; i < kMany; ++i) found[i] = store.get(keys[i]).value();
      }
      for (std::size_t i = 0; i < kMany; ++i) check(table, numbers[i], found[i], floors[i]);
    });
    table.reads.fetch_add(1);
  }
  return 0;
}

}  // namespace

class ReadCacheTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReadCacheTest);
  CPPUNIT_TEST(is_valid_until_the_window_passes);
  CPPUNIT_TEST(the_newest_filling_counts);
  CPPUNIT_TEST(another_value_under_one_version_is_another_record);
  CPPUNIT_TEST(remembers_that_a_key_is_absent);
  CPPUNIT_TEST(model_in_little_memory);
  CPPUNIT_TEST(a_scan_drops_nothing);
  CPPUNIT_TEST(too_little_memory_is_none);
  CPPUNIT_TEST(tells_the_memory_that_is_used);
  CPPUNIT_TEST(a_store_counts_its_hits);
  CPPUNIT_TEST(no_stale_value_behind_a_store);
  CPPUNIT_TEST(what_was_read_before_a_write_is_not_newer_than_it);
  CPPUNIT_TEST(no_stale_condition);
  CPPUNIT_TEST(no_stale_value_while_others_write);
  CPPUNIT_TEST_SUITE_END();

 public:
  void tearDown() override { fault_plan().disarm(); }

  void is_valid_until_the_window_passes() {
    ReadCache cache(kMegabyte);
    cache.offer("k", hash_of("k"), 1'000, record("value", 1));
    CPPUNIT_ASSERT(!look(cache, "k", 0));  // not yet: the turn goes on
    cache.take_in();
    CPPUNIT_ASSERT(look(cache, "k", 1'000) == "value");
    CPPUNIT_ASSERT(!look(cache, "k", 1'001));
    CPPUNIT_ASSERT(!look(cache, "other", 0));
    fill(cache, "k", 2'000, record("value", 1));  // asked again, the base said the same
    CPPUNIT_ASSERT(look(cache, "k", 2'000) == "value");
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, cache.counts().items);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, cache.counts().hits);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, cache.counts().misses);
  }

  void the_newest_filling_counts() {
    ReadCache cache(kMegabyte);
    fill(cache, "k", 1'000, record("old", 1));
    fill(cache, "k", 2'000, record("new", 2));
    CPPUNIT_ASSERT(look(cache, "k", 1'500) == "new");
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, cache.counts().items);
    // Twice in a turn, around a write: the older one is void wherever the newer one was seen.
    cache.offer("k2", hash_of("k2"), 1'000, record("old", 1));
    cache.offer("k2", hash_of("k2"), 2'000, record("new", 2));
    cache.take_in();
    CPPUNIT_ASSERT(look(cache, "k2", 1'500) == "new");
    // And once more from before: what was known since stays known.
    fill(cache, "k2", 1'000, record("new", 2));
    CPPUNIT_ASSERT(look(cache, "k2", 1'500) == "new");
  }

  /// A repair settles which of two values one version has (REPLICATION.md rule 4).
  void another_value_under_one_version_is_another_record() {
    ReadCache cache(kMegabyte);
    fill(cache, "k", 1'000, record("lost", 1));
    fill(cache, "k", 2'000, record("kept", 1));
    CPPUNIT_ASSERT(look(cache, "k", 1'500) == "kept");
    BaseRecord deleted = record("", 1);
    fill(cache, "k2", 1'000, deleted);
    deleted.operation = store::Operation::kDelete;
    fill(cache, "k2", 2'000, deleted);
    std::optional<BaseRecord> found;
    CPPUNIT_ASSERT(cache.find("k2", hash_of("k2"), 1'500, found));
    CPPUNIT_ASSERT(found && found->operation == store::Operation::kDelete);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, cache.counts().items);
  }
  void remembers_that_a_key_is_absent() {
    ReadCache cache(kMegabyte);
    fill(cache, "k", 1'000, std::nullopt);
    CPPUNIT_ASSERT(look(cache, "k", 1'000) == "absent");
    fill(cache, "k", 2'000, record("there", 1));
    CPPUNIT_ASSERT(look(cache, "k", 2'000) == "there");
    std::optional<BaseRecord> found;
    CPPUNIT_ASSERT(cache.find("k", hash_of("k"), 0, found) && found);
    CPPUNIT_ASSERT(found->version == (store::Version{1, 7}));
    CPPUNIT_ASSERT_EQUAL(store::kFlagJson, found->flags);
  }

  /// A hundred times what fits. What it says is what it was told last; what it gave stays put for the turn.
  void model_in_little_memory() {
    const std::uint64_t first = seed();
    std::mt19937_64 random(first);
    ReadCache cache(kMegabyte);
    std::deque<std::string> values;  // what was offered stays where it is, as it does in the base
    std::map<std::string, std::string_view, std::less<>> told;
    std::uint64_t hits = 0;
    for (Lsn tail = 1; tail < 100'000; tail += 40) {
      std::vector<std::pair<std::string, std::string_view>> given;
      for (int i = 0; i < 40; ++i) {
        const std::string key = "key " + std::to_string(random() % (random() % 4 == 0 ? 20'000 : 500));
        std::optional<BaseRecord> found;
        const auto known = told.find(key);
        if (cache.find(key, hash_of(key), 0, found)) {
          CPPUNIT_ASSERT_MESSAGE(key, known != told.end() && found && found->value == known->second);
          given.emplace_back(key, found->value);
        } else if (random() % 8 != 0 && known != told.end()) {
          cache.offer(key, hash_of(key), tail, record(known->second, known->second.size()));
        } else {
          const std::size_t size = random() % 100 == 0 ? 5'000 : random() % 600;
          const std::string_view value = values.emplace_back(stamped(random() % 1'000, size));
          told.insert_or_assign(key, value);
          cache.offer(key, hash_of(key), tail, record(value, value.size()));
        }
      }
      for (const auto& [key, view] : given) CPPUNIT_ASSERT_MESSAGE(key, view == told.find(key)->second);
      hits += given.size();
      cache.take_in();
      CPPUNIT_ASSERT(cache.counts().bytes <= kMegabyte);
    }
    std::cerr << hits << " hits, " << cache.counts().items << " items at the end\n";
    CPPUNIT_ASSERT(hits > 10'000);
    CPPUNIT_ASSERT(cache.counts().items > 500);
  }

  void a_scan_drops_nothing() {
    ReadCache cache(kMegabyte);
    const std::string value(100, 'v');
    const auto ask = [&](const std::string& key) {
      if (look(cache, key, 0)) return true;
      fill(cache, key, 1, record(value, 1));
      return false;
    };
    constexpr int kHot = 2'000;
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < kHot; ++i) ask("hot " + std::to_string(i));
    }
    for (int i = 0; i < 50'000; ++i) ask("scanned " + std::to_string(i));
    int hits = 0;
    for (int i = 0; i < kHot; ++i) hits += ask("hot " + std::to_string(i)) ? 1 : 0;
    std::cerr << hits << " of " << kHot << " hot keys are there after a scan\n";
    CPPUNIT_ASSERT(hits > kHot * 95 / 100);
  }

  /// Grows from nothing with what was taken in, up to what may be used.
  void tells_the_memory_that_is_used() {
    constexpr std::uint64_t kMost = 64 * kMegabyte;
    ReadCache cache(kMost);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, cache.counts().bytes);
    CPPUNIT_ASSERT(!look(cache, "absent", 0));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, cache.counts().bytes);
    const std::string value(100, 'v');
    for (std::uint64_t i = 0; i < 20; ++i) fill(cache, key_of(i), 1'000, record(value, 1));
    CPPUNIT_ASSERT(cache.counts().bytes > 20 * value.size());
    CPPUNIT_ASSERT_LESS(kMegabyte / 4, cache.counts().bytes);
    for (std::uint64_t i = 0; i < 1'000'000; ++i) fill(cache, key_of(i), 1'000, record(value, 1));
    CPPUNIT_ASSERT(cache.counts().bytes <= kMost);
    CPPUNIT_ASSERT(cache.counts().bytes > kMost / 10 * 9);
  }

  void too_little_memory_is_none() {
    ReadCache cache(ReadCache::kLeastBytes - 1);
    fill(cache, "k", 1, record("value", 1));
    CPPUNIT_ASSERT(!look(cache, "k", 0));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, cache.counts().bytes);
  }

  void a_store_counts_its_hits() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    put(store, "k", "value");
    engine.move_to_base();
    const shared::CacheCounters& counters = engine.region().slot(1).cache;
    for (int i = 0; i < 5; ++i) CPPUNIT_ASSERT(value_of(store, "k") == "value");
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, counters.hits.load());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, counters.misses.load());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, counters.items.load());
    CPPUNIT_ASSERT(counters.bytes.load() > 0 && counters.bytes.load() <= engine.config.cache_bytes);
    engine.region().clear_slot(1);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, counters.bytes.load());
  }

  void no_stale_value_behind_a_store() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    const shared::CacheCounters& counters = engine.region().slot(1).cache;
    for (std::uint64_t i = 1; i < 10; ++i) {
      put(store, "k", stamped(i));
      put(store, "other " + std::to_string(i), "x");
      engine.move_to_base();
      for (int again = 0; again < 3; ++again) {
        CPPUNIT_ASSERT_EQUAL(i, number_of(value_of(store, "k").value()));
        CPPUNIT_ASSERT(!value_of(store, "absent"));
      }
    }
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{9 * 2 * 2}, counters.hits.load());
    remove(store, "k");
    put(store, "absent", "not any more");
    engine.move_to_base();
    CPPUNIT_ASSERT(!value_of(store, "k"));
    CPPUNIT_ASSERT(value_of(store, "absent") == "not any more");
  }

  /// A write, a checkpoint and a move of the window between what the base said and its way into the cache.
  void what_was_read_before_a_write_is_not_newer_than_it() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    put(store, "k", "older");
    engine.move_to_base();
    fault_plan().arm("reader.asked_base", FaultPlan::Action::kStop);
    const pid_t reader = engine.spawn(2, [](store::Store& other) {
      if (value_of(other, "k") != "older") return 1;
      return value_of(other, "k") == "newer" ? 0 : 2;
    });
    eventually("it has asked the base and stands still", [&] { return is_stopped(reader); });
    put(store, "k", "newer");
    engine.move_to_base();
    ::kill(reader, SIGCONT);
    CPPUNIT_ASSERT_EQUAL(0, engine.reap(reader));
  }

  void no_stale_condition() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    const auto create = [&] {
      store::Write write;
      write.key = "k";
      write.value = "created";
      write.condition = store::Condition::kAbsent;
      return commit_one(store, write).outcome;
    };
    CPPUNIT_ASSERT(!value_of(store, "k"));
    for (int i = 0; i < 3; ++i) {
      CPPUNIT_ASSERT(create() == store::WriteResult::Outcome::kDone);
      engine.move_to_base();
      for (int again = 0; again < 2; ++again) {
        CPPUNIT_ASSERT(create() == store::WriteResult::Outcome::kRefused);
      }
      remove(store, "k");
      engine.move_to_base();
      CPPUNIT_ASSERT(!value_of(store, "k"));
    }
    CPPUNIT_ASSERT(engine.region().slot(1).cache.hits.load() > 0);
  }

  void no_stale_value_while_others_write() {
    SharedObject<Table> table;
    Engine engine;
    engine.config.cluster_nodes = {"elsewhere:1"};  // so tombstones stay, and deletes have a version
    engine.config.cache_bytes = 2 * ReadCache::kLeastBytes;
    engine.start();
    std::mt19937_64 random(seed());
    std::vector<pid_t> processes;
    for (unsigned slot = 2; slot < 6; ++slot) {
      const auto work = slot < 4 ? write_until_stopped : read_until_stopped;
      processes.push_back(
          engine.spawn(slot, [&, work, s = random()](auto& store) { return work(store, *table, s); }));
    }
    const auto hits = [&] {
      return engine.region().slot(4).cache.hits.load() + engine.region().slot(5).cache.hits.load();
    };
    constexpr std::uint64_t kRounds = 60;
    constexpr std::uint64_t kHits = 20'000;
    while (table->rounds < kRounds || hits() < kHits) {
      engine.move_to_base();
      table->rounds.fetch_add(1);
      const std::uint64_t reads = table->reads.load();
      eventually("they read on", [&] { return table->reads.load() > reads + 4; });
    }
    table->stop.store(true);
    for (const pid_t pid : processes) CPPUNIT_ASSERT_EQUAL(0, engine.reap(pid));
    std::cerr << table->reads << " turns of reads, " << hits() << " hits\n";
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReadCacheTest, "read_cache_test");

}  // namespace minivault::test
