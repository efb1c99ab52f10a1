#include <algorithm>
#include <atomic>
#include <thread>

#include "bench/store_bench.h"
#include "bench/store_leveldb.h"
#include "bench/store_lmdb.h"
#include "bench/store_map.h"
#include "bench/store_meter.h"
#include "bench/store_minivault.h"
#include "bench/store_rocksdb.h"

namespace minivault::bench {
namespace {

constexpr std::size_t kFillBytes = 1U << 20;
constexpr std::size_t kMostFilledAtOnce = 1'000;

/// What a group of rows writes: values of one size over so many keys.
struct Data {
  std::size_t value_bytes;
  std::uint64_t keys;
  std::vector<std::size_t> batches;  ///< a row each
  std::size_t lmdb_batch;            ///< the one that LMDB has in all of them: it is made for large ones
  std::size_t writes;                ///< a repetition: below what makes a checkpoint due

  [[nodiscard]] std::string what() const {
    return "SET " + (value_bytes < 1'024 ? std::to_string(value_bytes) + " B"
                                         : std::to_string(value_bytes >> 10) + " KB");
  }
  [[nodiscard]] std::string row(const std::string& how) const {
    return what() + ", " + short_number(keys) + " keys, " + how;
  }
};

std::string unsynced(std::size_t batch) {
  return "no sync, by " + std::to_string(batch);
}

std::string durable(std::size_t in_flight) {
  return "durable, " + std::to_string(in_flight) + " in flight";
}

template <typename Engine>
void put_all(Engine& engine, const std::vector<Key>& keys, std::size_t batch, const std::string& value) {
  for (std::size_t at = 0; at < keys.size(); at += batch) {
    engine.put(std::span(keys).subspan(at, std::min(batch, keys.size() - at)), value);
  }
}

/// The time of the puts alone; the CPU of everybody until the last of it has reached its place on disk.
template <typename Engine>
void set_once(benchmark::State& state, Engine& engine, const std::vector<Key>& order, std::size_t batch,
              const std::string& value) {
  Meter meter(engine.process());
  for (auto _ : state) {
    const Cost began = Cost::now(engine.process());
    put_all(engine, order, batch, value);
    Cost cost = Cost::now(engine.process()) - began;
    engine.settle();
    cost.all_cpu_ns = (Cost::now(engine.process()) - began).all_cpu_ns;
    meter.add(cost, order.size());
    state.SetIterationTime(meter.last_seconds());
  }
  meter.report(state);
}

template <typename Engine>
void ready(Engine& engine, const Data& data, const std::string& value) {
  const std::size_t batch = std::clamp<std::size_t>(kFillBytes / value.size(), 1, kMostFilledAtOnce);
  put_all(engine, all_keys(data.keys), batch, value);
  engine.settle();
  if constexpr (std::is_same_v<Engine, Minivault>) engine.warm();
}

/// `own_batch`: the engine gets it in every row, and says so; 0: the row's.
template <typename Engine>
void contend_unsynced(Bench& bench, const Data& data, std::size_t own_batch = 0) {
  Engine engine{Setting{}};
  const std::string value = noise(data.value_bytes);
  ready(engine, data, value);
  const std::vector<Key> order = draw_keys(load::Distribution::kUniform, data.keys, data.writes);
  for (const std::size_t asked : data.batches) {
    const std::size_t batch = own_batch == 0 ? asked : own_batch;
    const std::string name = Engine::kName + (own_batch == 0 ? "" : ", by " + std::to_string(own_batch));
    bench.once(data.row(unsynced(asked)), name,
               [&, batch](benchmark::State& state) { set_once(state, engine, order, batch, value); });
  }
  bench.run();
}

template <typename Engine>
void contend_synced(Bench& bench, const Data& data, std::size_t in_flight) {
  Engine engine{Setting{true}};
  const std::string value = noise(data.value_bytes);
  ready(engine, data, value);
  const std::vector<Key> order = draw_keys(load::Distribution::kUniform, data.keys, data.writes);
  bench.once(data.row(durable(in_flight)), std::string(Engine::kName) + ", one batch",
             [&](benchmark::State& state) { set_once(state, engine, order, in_flight, value); });
  bench.run();
}

/// As many threads as writes in flight, each with one of its own: what group commit is made for.
void write_in_threads(Rocks& engine, const std::vector<Key>& order, std::size_t threads,
                      const std::string& value) {
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> writers;
  for (std::size_t i = 0; i < threads; ++i) {
    writers.emplace_back([&] {
      for (std::size_t at = 0; (at = next.fetch_add(1)) < order.size();)
        engine.put(std::span(order).subspan(at, 1), value);
    });
  }
}

void contend_rocks_group_commit(Bench& bench, const Data& data, std::size_t in_flight) {
  Rocks engine{Setting{true}};
  const std::string value = noise(data.value_bytes);
  ready(engine, data, value);
  const std::vector<Key> order = draw_keys(load::Distribution::kUniform, data.keys, data.writes / 4);
  bench.once(data.row(durable(in_flight)), std::string(Rocks::kName) + ", a writer each",
             [&](benchmark::State& state) {
               Meter meter(0);
               for (auto _ : state) {
                 const Cost began = Cost::now(0);
                 write_in_threads(engine, order, in_flight, value);
                 Cost cost = Cost::now(0) - began;
                 cost.cpu_ns = 0;  // not of this thread
                 meter.add(cost, order.size());
                 state.SetIterationTime(meter.last_seconds());
               }
               meter.report(state);
             });
  bench.run();
}

Group unsynced_group(const Data& data, const char* target) {
  Group group{data.row("not waiting for the disk"), target, {}};
  const auto add = [&](const char* name, auto contend) { group.contenders.push_back({name, contend}); };
  add(Minivault::kName, [data](Bench& bench) { contend_unsynced<Minivault>(bench, data); });
  add(Lmdb::kName, [data](Bench& bench) { contend_unsynced<Lmdb>(bench, data, data.lmdb_batch); });
  add(Rocks::kName, [data](Bench& bench) { contend_unsynced<Rocks>(bench, data); });
  add(Level::kName, [data](Bench& bench) { contend_unsynced<Level>(bench, data); });
  add(Map::kName, [data](Bench& bench) { contend_unsynced<Map>(bench, data); });
  return group;
}

Group durable_group(const Data& data, std::size_t in_flight, const char* target) {
  Group group{data.row("durable"), target, {}};
  const auto add = [&](const char* name, auto contend) { group.contenders.push_back({name, contend}); };
  add(Minivault::kName, [=](Bench& bench) { contend_synced<Minivault>(bench, data, in_flight); });
  add(Lmdb::kName, [=](Bench& bench) { contend_synced<Lmdb>(bench, data, in_flight); });
  add(Rocks::kName, [=](Bench& bench) { contend_rocks_group_commit(bench, data, in_flight); });
  add(Rocks::kName, [=](Bench& bench) { contend_synced<Rocks>(bench, data, in_flight); });
  add(Level::kName, [=](Bench& bench) { contend_synced<Level>(bench, data, in_flight); });
  return group;
}

}  // namespace

std::vector<Group> set_groups(const Options& options) {
  constexpr const char* kUnsynced = "455 ns by 64; 3 x LMDB by 1,000; 3 x RocksDB";
  const std::size_t writes = options.full ? 1'000'000 : 200'000;
  std::vector<Group> groups;
  groups.push_back(unsynced_group({100, 100'000, {64, 16, 1}, 1'000, writes}, kUnsynced));
  groups.push_back(unsynced_group({100, 1'000'000, {64, 16, 1}, 1'000, writes}, kUnsynced));
  groups.push_back(durable_group({100, 100'000, {}, 0, 25'600}, 64,
                                 "10 x LMDB in the same batches; 3 x RocksDB in its group commit"));
  groups.push_back(unsynced_group({1'024, 100'000, {64, 1}, 1'000, 32'000}, "-"));
  groups.push_back(durable_group({1'024, 100'000, {}, 0, 12'800}, 64, "-"));
  groups.push_back(unsynced_group({10 << 10, 10'000, {16, 1}, 100, 3'200}, "-"));
  groups.push_back(durable_group({10 << 10, 10'000, {}, 0, 3'200}, 64, "-"));
  groups.push_back(unsynced_group({100 << 10, 1'000, {4, 1}, 16, 320}, "-"));
  groups.push_back(durable_group({100 << 10, 1'000, {}, 0, 320}, 16, "-"));
  return groups;
}

}  // namespace minivault::bench
