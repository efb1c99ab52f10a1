#include <span>
#include <type_traits>

#include "bench/store_bench.h"
#include "bench/store_leveldb.h"
#include "bench/store_lmdb.h"
#include "bench/store_map.h"
#include "bench/store_meter.h"
#include "bench/store_minivault.h"
#include "bench/store_rocksdb.h"

namespace minivault::bench {
namespace {

constexpr std::size_t kGetsATurn = 64;
constexpr std::size_t kFillBatch = 1'000;

struct Data {
  std::uint64_t keys;
  std::size_t value_bytes;
  bool from_base;  ///< rows for the base alone too

  [[nodiscard]] std::string row(const char* what) const {
    return "GET " + std::string(what) + ", " + short_number(keys) + " keys, " + std::to_string(value_bytes) +
           " B";
  }
};

template <typename Engine>
void fill(Engine& engine, const Data& data) {
  const std::vector<Key> keys = all_keys(data.keys);
  const std::string value = noise(data.value_bytes);
  for (std::size_t at = 0; at < keys.size(); at += kFillBatch) {
    engine.put(std::span(keys).subspan(at, std::min(kFillBatch, keys.size() - at)), value);
  }
  engine.settle();
}

constexpr std::size_t kTogether = 16;

/// Goes on where the repetition before stopped: what that one left in caches is no better than it should be.
struct Walk {
  std::vector<Key> order;
  std::size_t at = 0;
};

/// One after the other, or where the engine can, several looked up together.
template <typename Engine, bool kIsTogether = false>
void get_loop(benchmark::State& state, Engine& engine, Walk& walk) {
  const std::vector<Key>& order = walk.order;
  std::size_t& at = walk.at;
  Meter meter(engine.process());
  std::size_t groups = 0;
  std::size_t absent = 0;
  meter.start();
  for (auto _ : state) {
    engine.begin();
    const std::span<const Key> turn = std::span(order).subspan(at, kGetsATurn);
    if constexpr (kIsTogether) {
      for (std::size_t i = 0; i < kGetsATurn; i += kTogether) {
        absent += kTogether - engine.get_together(turn.subspan(i, kTogether));
      }
    } else {
      for (const Key& key : turn) absent += engine.get(key.view()) == 0 ? 1 : 0;
    }
    engine.end();
    at += kGetsATurn;
    if (at == order.size()) at = 0;
    ++groups;
  }
  meter.stop(groups * kGetsATurn);
  meter.report(state);
  if (absent != 0) state.SkipWithError("keys are absent");
}

Walk walk_of(load::Distribution distribution, const Data& data) {
  const std::size_t steps = data.keys <= 10'000 ? 1U << 14 : data.keys <= 1'000'000 ? 1U << 21 : 1U << 23;
  return {draw_keys(distribution, data.keys, steps), 0};
}

/// So many GETs that what can be in a cache is there, and that the kernel has mapped what this process reads:
/// a first look at a page of the base or the log is a page fault. LMDB's table has written its pages through
/// its map, so it has had these faults.
template <typename Engine>
void warm(Engine& engine, Walk& walk) {
  const std::size_t steps = walk.order.size() / 4 * 3;
  for (; walk.at < steps; walk.at += kGetsATurn) {
    engine.begin();
    for (const Key& key : std::span(walk.order).subspan(walk.at, kGetsATurn)) engine.get(key.view());
    engine.end();
  }
}

template <typename Engine>
void measure_walk(Bench& bench, Engine& engine, const Data& data, const std::string& row, Walk walk) {
  warm(engine, walk);
  bench.loop(data.row(row.c_str()), Engine::kName,
             [&](benchmark::State& state) { get_loop(state, engine, walk); });
  bench.run();
  if constexpr (std::is_same_v<Engine, Minivault>) {
    bench.loop(data.row((row + ", 16 together").c_str()), Engine::kName,
               [&](benchmark::State& state) { get_loop<Engine, true>(state, engine, walk); });
    bench.run();
  }
}

template <typename Engine>
void measure(Bench& bench, Engine& engine, const Data& data, const std::string& suffix) {
  measure_walk(bench, engine, data, "uniform" + suffix, walk_of(load::Distribution::kUniform, data));
  measure_walk(bench, engine, data, "Zipf 0.99" + suffix, walk_of(load::Distribution::kZipf, data));
}

template <typename Engine>
void contend(Bench& bench, const Data& data) {
  Engine engine{Setting{}};
  fill(engine, data);
  measure(bench, engine, data, "");
}

constexpr const char* kFromBase = " from the base";
std::string cached(const Bench& bench) {
  return " from the base and a cache of " + std::to_string(bench.cache_mb()) + " MB";
}

/// The log's index first, then after a start, which leaves it empty: the base alone, and the base behind the
/// read cache as -cache has it by default.
void contend_minivault(Bench& bench, const Data& data) {
  Minivault engine{Setting{}};
  fill(engine, data);
  measure(bench, engine, data, "");
  if (!data.from_base) return;
  engine.restart(0);
  measure(bench, engine, data, kFromBase);
  engine.restart(bench.cache_mb() << 20);
  measure(bench, engine, data, cached(bench));
}

void contend_lmdb(Bench& bench, const Data& data) {
  Lmdb engine{Setting{}};
  fill(engine, data);
  measure(bench, engine, data, "");
  if (!data.from_base) return;
  measure(bench, engine, data, kFromBase);
  measure(bench, engine, data, cached(bench));
}

/// The least that a GET could cost if its value had to be copied: the bytes, from a random place, to one
/// place.
void contend_memcpy(Bench& bench, const Data& data) {
  const std::string values = noise(data.keys * data.value_bytes);
  std::vector<std::uint32_t> order;
  load::KeyChoice choice(load::Distribution::kUniform, data.keys, 1);
  for (std::size_t i = 0; i < (1U << 14); ++i) order.push_back(static_cast<std::uint32_t>(choice.next()));
  std::string to(data.value_bytes, '\0');
  bench.loop(data.row("uniform"), "memcpy", [&](benchmark::State& state) {
    Meter meter(0);
    std::size_t done = 0;
    meter.start();
    for (auto _ : state) {
      values.copy(to.data(), data.value_bytes, order[done % order.size()] * data.value_bytes);
      benchmark::DoNotOptimize(to.data());
      benchmark::ClobberMemory();
      ++done;
    }
    meter.stop(done);
    meter.report(state);
  });
  bench.run();
}

Group group(const Data& data, const char* target) {
  Group out{data.row("rows") + (data.from_base ? ", from the base too" : ""), target, {}};
  out.contenders.push_back({Minivault::kName, [data](Bench& bench) { contend_minivault(bench, data); }});
  out.contenders.push_back({Lmdb::kName, [data](Bench& bench) { contend_lmdb(bench, data); }});
  out.contenders.push_back({Rocks::kName, [data](Bench& bench) { contend<Rocks>(bench, data); }});
  out.contenders.push_back({Level::kName, [data](Bench& bench) { contend<Level>(bench, data); }});
  out.contenders.push_back({Map::kName, [data](Bench& bench) { contend<Map>(bench, data); }});
  if (data.keys <= 10'000)
    out.contenders.push_back({"memcpy", [data](Bench& bench) { contend_memcpy(bench, data); }});
  return out;
}

}  // namespace

std::vector<Group> get_groups(const Options& options) {
  std::vector<Group> groups;
  groups.push_back(group({1'000, 1'024, false}, "50 ns, 3 x LMDB"));
  groups.push_back(group({10'000, 100, false}, "the small end of: 10 M keys cost at most 3 x 10 k keys"));
  groups.push_back(group({1'000'000, 100, true}, "2 x LMDB; from the base 0.9 x LMDB"));
  if (!options.full) return groups;
  groups.push_back(group({100'000, 100, false}, "between"));
  groups.push_back(group({10'000'000, 100, true}, "at most 3 x 10 k keys; from the base 0.9 x LMDB"));
  groups.push_back(group({100'000, 1'024, false}, "-"));
  groups.push_back(group({10'000, 10'240, false}, "-"));
  groups.push_back(group({1'000, 102'400, false}, "-"));
  groups.push_back(group({100, 1 << 20, false}, "-"));
  return groups;
}

}  // namespace minivault::bench
