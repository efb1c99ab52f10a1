// Goal: whatever is written through the store is what is read, through every way a key can take: index, ring
// around its end, base, restart, crash. Method: random operations against a std::map; the ring is a small
// fraction of the data, so everything moves.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <map>
#include <random>
#include <vector>

#include "common/store/index.h"
#include "tests/store/engine.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

using Model = std::map<std::string, std::string>;

std::string some_key(std::mt19937_64& random, unsigned keys) {
  const std::uint64_t n = random() % keys;
  std::string key = "key-" + std::to_string(n);
  if (n % 50 == 0) key += std::string(n % 3 == 0 ? 600 : 5'000, 'k');  // longer than LMDB takes
  if (n == 7) key += std::string(65'535 - key.size(), 'x');
  return key;
}

std::string some_value(std::mt19937_64& random) {
  const std::uint64_t kind = random() % 100;
  const std::size_t size = kind < 5    ? 0
                           : kind < 90 ? random() % 300
                           : kind < 99 ? random() % 20'000
                                       : random() % 500'000;
  return std::string(size, static_cast<char>('a' + random() % 26)) + std::to_string(random());
}

class Run {
 public:
  Run(Engine& engine, std::uint64_t seed, unsigned keys) : engine_(engine), random_(seed), keys_(keys) {}

  void operations(unsigned count) {
    store::Store store = engine_.open_store();
    for (unsigned i = 0; i < count; ++i) {
      if (random_() % 3 == 0) {
        check(store, some_key(random_, keys_));
        check_many(store);
      } else {
        write_batch(store);
      }
    }
    engine_.wait_durable(last_end_);
  }

  void check_all() {
    store::Store store = engine_.open_store();
    for (unsigned i = 0; i < keys_ * 3; ++i) check(store, some_key(random_, keys_));
    for (unsigned i = 0; i < keys_ / 8; ++i) check_many(store);
    for (const auto& [key, value] : model_) check(store, key);
  }

 private:
  void write_batch(store::Store& store) {
    store::Batch batch;
    std::vector<std::pair<std::string, std::string>> kept(1 + random_() % 20);
    for (auto& [key, value] : kept) {
      key = some_key(random_, keys_);
      store::Write write;
      write.key = key;
      if (random_() % 4 == 0) {
        write.operation = store::Operation::kDelete;
        model_.erase(key);
      } else {
        value = some_value(random_);
        write.value = value;
        model_[key] = value;
      }
      batch.add(write);
    }
    commit_all(store, batch);
    last_end_ = batch.result(batch.size() - 1).end;
  }

  void check(store::Store& store, const std::string& key) {
    const auto expected = model_.find(key);
    const std::optional<std::string> found = value_of(store, key);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(key, expected != model_.end(), found.has_value());
    if (found) CPPUNIT_ASSERT_MESSAGE(key, *found == expected->second);
  }

  void check_many(store::Store& store) {
    std::vector<std::string> names(random_() % (store::Store::kMostAtOnce + 1));
    for (std::string& name : names) name = some_key(random_, keys_);
    const std::vector<std::string_view> keys(names.begin(), names.end());
    std::vector<store::Found> found(keys.size());
    store.begin_turn();
    CPPUNIT_ASSERT_EQUAL(keys.size(), store.get_many(keys, found));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto expected = model_.find(names[i]);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(names[i], expected != model_.end(), found[i].present);
      if (found[i].present) CPPUNIT_ASSERT_MESSAGE(names[i], found[i].value == expected->second);
    }
    store.end_turn();
  }

  Engine& engine_;
  std::mt19937_64 random_;
  unsigned keys_;
  Model model_;
  store::Lsn last_end_ = 0;
};

}  // namespace

class StoreModelTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(StoreModelTest);
  CPPUNIT_TEST(many_laps_of_the_ring);
  CPPUNIT_TEST(orderly_restarts);
  CPPUNIT_TEST(crashes);
  CPPUNIT_TEST(checkpointer_killed_again_and_again);
  CPPUNIT_TEST(keys_of_one_group_and_tag);
  CPPUNIT_TEST(another_ring_size);
  CPPUNIT_TEST_SUITE_END();

  /// The key decides between two whose words in the index look alike: one pair in many thousands.
  void keys_of_one_group_and_tag() {
    Engine engine;
    engine.index_words = 64;
    engine.start();
    const store::Index index(engine.region().index_words(), engine.state().limits.index_seed.load());
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> seen;
    std::array<std::string, 2> names;
    for (unsigned n = 0; names[0].empty(); ++n) {
      const std::string key = "key " + std::to_string(n);
      const std::uint64_t hash = index.hash(key, false);
      const auto [at, is_new] = seen.try_emplace({index.group(hash), hash >> 52U}, key);
      if (!is_new) names = {at->second, key};
    }
    store::Store store = engine.open_store();
    const std::array<std::string_view, 2> keys{names[0], names[1]};
    std::array<store::Found, 2> found;
    put(store, keys[0], "first");
    for (const bool both : {false, true}) {
      if (both) put(store, keys[1], "second");
      in_turn(store, [&] {
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, store.get_many(keys, found));
        CPPUNIT_ASSERT(found[0].value == "first");
        CPPUNIT_ASSERT(found[1].present == both && found[1].value == (both ? "second" : ""));
        CPPUNIT_ASSERT(store.get(keys[1]).value().present == both);
      });
    }
  }

  void many_laps_of_the_ring() {
    Engine engine;
    engine.start();
    Run run(engine, seed(), 2'000);
    run.operations(3'000);
    run.check_all();
  }

  void orderly_restarts() {
    Engine engine;
    const std::uint64_t first = seed();
    Run run(engine, first, 500);
    for (int i = 0; i < 5; ++i) {
      engine.start();
      run.operations(200);
      run.check_all();
      engine.stop();
      CPPUNIT_ASSERT_EQUAL(0, engine.exit_status());
    }
  }

  void crashes() {
    Engine engine;
    Run run(engine, seed(), 500);
    for (int i = 0; i < 8; ++i) {
      engine.start();
      run.check_all();
      run.operations(200);
      engine.kill();
    }
  }

  void checkpointer_killed_again_and_again() {
    Engine engine;
    engine.start();
    Run run(engine, seed(), 500);
    for (int i = 0; i < 10; ++i) {
      run.operations(100);
      engine.kill_checkpointer();
      engine.restart_checkpointer();
      run.check_all();
    }
  }

  void another_ring_size() {
    Engine engine;
    Run run(engine, seed(), 500);
    for (const unsigned log_mb : {16U, 32U, 16U, 64U}) {
      engine.config.log_bytes = std::uint64_t{log_mb} << 20;
      engine.start();
      run.check_all();
      CPPUNIT_ASSERT_EQUAL(engine.config.log_bytes, engine.state().limits.ring_bytes.load());
      run.operations(150);
      log_mb == 32 ? engine.kill() : engine.stop();
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(StoreModelTest, "store_model_test");

}  // namespace minivault::test
