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

constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kFillBatch = 1'000;

std::string row(bool durable, std::uint64_t keys, std::size_t batch) {
  return "SET 100 B, " + short_number(keys) + " keys, " +
         (durable ? "durable, " + std::to_string(batch) + " in flight"
                  : "no sync, by " + std::to_string(batch));
}

template <typename Engine>
void put_all(Engine& engine, const std::vector<Key>& keys, std::size_t batch, const std::string& value) {
  for (std::size_t at = 0; at < keys.size(); at += batch) {
    engine.put(std::span(keys).subspan(at, std::min(batch, keys.size() - at)), value);
  }
}

/// The time of the puts alone; the CPU of everybody until the last of it has reached its place on disk.
template <typename Engine>
void set_once(benchmark::State& state, Engine& engine, const std::vector<Key>& order, std::size_t batch) {
  const std::string value = noise(kValueBytes);
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
void ready(Engine& engine, std::uint64_t keys) {
  put_all(engine, all_keys(keys), kFillBatch, noise(kValueBytes));
  engine.settle();
  if constexpr (std::is_same_v<Engine, Minivault>) engine.warm();
}

/// `as_asked`: the engine takes the row's batches. Else it gets `batch` in every row, and says so.
struct Way {
  bool as_asked = true;
  std::size_t batch = 0;
};

template <typename Engine>
void contend_unsynced(Bench& bench, std::uint64_t keys, const Way& way) {
  Engine engine{Setting{}};
  ready(engine, keys);
  const std::vector<Key> order =
      draw_keys(load::Distribution::kUniform, keys, bench.full() ? 1'000'000 : 200'000);
  for (const std::size_t asked : {64U, 16U, 1U}) {
    const std::size_t batch = way.as_asked ? asked : way.batch;
    const std::string name =
        Engine::kName + (way.as_asked ? std::string() : ", by " + std::to_string(way.batch));
    bench.once(row(false, keys, asked), name,
               [&, batch](benchmark::State& state) { set_once(state, engine, order, batch); });
  }
  bench.run();
}

template <typename Engine>
void contend_synced(Bench& bench, std::uint64_t keys, std::size_t in_flight) {
  Engine engine{Setting{true}};
  ready(engine, keys);
  const std::vector<Key> order = draw_keys(load::Distribution::kUniform, keys, in_flight * 400);
  bench.once(row(true, keys, in_flight), std::string(Engine::kName) + ", one batch",
             [&](benchmark::State& state) { set_once(state, engine, order, in_flight); });
  bench.run();
}

/// As many threads as writes in flight, each with one of its own: what group commit is made for.
void write_in_threads(Rocks& engine, const std::vector<Key>& order, std::size_t threads) {
  const std::string value = noise(kValueBytes);
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> writers;
  for (std::size_t i = 0; i < threads; ++i) {
    writers.emplace_back([&] {
      for (std::size_t at = 0; (at = next.fetch_add(1)) < order.size();)
        engine.put(std::span(order).subspan(at, 1), value);
    });
  }
}

void contend_rocks_group_commit(Bench& bench, std::uint64_t keys, std::size_t in_flight) {
  Rocks engine{Setting{true}};
  ready(engine, keys);
  const std::vector<Key> order = draw_keys(load::Distribution::kUniform, keys, in_flight * 100);
  bench.once(row(true, keys, in_flight), "RocksDB, 64 writers", [&](benchmark::State& state) {
    Meter meter(0);
    for (auto _ : state) {
      const Cost began = Cost::now(0);
      write_in_threads(engine, order, in_flight);
      Cost cost = Cost::now(0) - began;
      cost.cpu_ns = 0;  // not of this thread
      meter.add(cost, order.size());
      state.SetIterationTime(meter.last_seconds());
    }
    meter.report(state);
  });
  bench.run();
}

}  // namespace

std::vector<Group> set_groups(const Options&) {
  std::vector<Group> groups;
  for (const std::uint64_t keys : {100'000U, 1'000'000U}) {
    Group group{"SET 100 B, not waiting for the disk, " + short_number(keys) + " keys",
                "455 ns by 64; 3 x LMDB by 1,000; 3 x RocksDB",
                {}};
    group.contenders.push_back(
        {Minivault::kName, [keys](Bench& bench) { contend_unsynced<Minivault>(bench, keys, {}); }});
    group.contenders.push_back({Lmdb::kName, [keys](Bench& bench) {
                                  contend_unsynced<Lmdb>(bench, keys, {false, 1'000});
                                }});
    group.contenders.push_back(
        {Rocks::kName, [keys](Bench& bench) { contend_unsynced<Rocks>(bench, keys, {}); }});
    group.contenders.push_back(
        {Level::kName, [keys](Bench& bench) { contend_unsynced<Level>(bench, keys, {}); }});
    group.contenders.push_back(
        {Map::kName, [keys](Bench& bench) { contend_unsynced<Map>(bench, keys, {}); }});
    groups.push_back(std::move(group));
  }
  constexpr std::uint64_t kKeys = 100'000;
  constexpr std::size_t kInFlight = 64;
  Group durable{"SET 100 B, durable", "10 x LMDB in the same batches; 3 x RocksDB in its group commit", {}};
  durable.contenders.push_back(
      {Minivault::kName, [](Bench& bench) { contend_synced<Minivault>(bench, kKeys, kInFlight); }});
  durable.contenders.push_back(
      {Lmdb::kName, [](Bench& bench) { contend_synced<Lmdb>(bench, kKeys, kInFlight); }});
  durable.contenders.push_back(
      {Rocks::kName, [](Bench& bench) { contend_rocks_group_commit(bench, kKeys, kInFlight); }});
  durable.contenders.push_back(
      {Rocks::kName, [](Bench& bench) { contend_synced<Rocks>(bench, kKeys, kInFlight); }});
  durable.contenders.push_back(
      {Level::kName, [](Bench& bench) { contend_synced<Level>(bench, kKeys, kInFlight); }});
  groups.push_back(std::move(durable));
  return groups;
}

}  // namespace minivault::bench
