#include "bench/store_bench.h"
#include "bench/store_meter.h"
#include "bench/store_minivault.h"

namespace minivault::bench {
namespace {

constexpr std::size_t kBatch = 4'096;
constexpr std::uint64_t kBeside = 48 + 16 + 4;  // bytes of a record that are not its value

/// Starts the engine and measures until it takes writes.
void measure_start(benchmark::State& state, test::Engine& engine) {
  Meter meter(0);
  for (auto _ : state) {
    const Cost began = Cost::now(0);
    engine.start();
    Cost cost = Cost::now(0) - began;
    cost.all_cpu_ns = process_cpu_ns(engine.region().slot(test::Engine::kCheckpointerSlot).pid.load());
    meter.add(cost, 1);
    state.SetIterationTime(meter.last_seconds());
    char text[64];
    std::snprintf(text, sizeof text, "%.3f s", meter.last_seconds());
    state.SetLabel(text);
  }
  meter.report(state);
}

void first_start(Bench& bench) {
  test::Engine engine(512ULL << 20, {});
  bench.single("start", "the first, log of 512 MB",
               [&](benchmark::State& state) { measure_start(state, engine); });
  bench.run();
}

/// Every process dies with `backlog` bytes in the log that the base has not seen.
void recovery(Bench& bench, std::uint64_t backlog, std::size_t value_bytes) {
  Minivault minivault{Setting{}};
  minivault.warm();
  minivault.engine().kill_checkpointer();  // not stopped: it might stop inside the append lock
  const std::vector<Key> keys = draw_keys(load::Distribution::kUniform, 10'000'000,
                                          backlog / (kBeside + value_bytes) / kBatch * kBatch);
  const std::string value = noise(value_bytes);
  for (std::size_t at = 0; at < keys.size(); at += kBatch)
    minivault.put(std::span(keys).subspan(at, kBatch), value);
  minivault.close();
  minivault.engine().kill();
  bench.single("start",
               "after a crash, backlog of " + std::to_string(backlog >> 20) + " MB of " +
                   std::to_string(value_bytes) + " B",
               [&](benchmark::State& state) { measure_start(state, minivault.engine()); });
  bench.run();
}

}  // namespace

std::vector<Group> start_groups(const Options&) {
  return {
      {"start and recovery",
       "2 s; 1 s with 64 MB; 5 s with a full log",
       {{Minivault::kName, first_start},
        {Minivault::kName, [](Bench& bench) { recovery(bench, 64ULL << 20, 100); }},
        // With smaller values the index would be full before the log: without checkpoints nothing leaves it.
        {Minivault::kName, [](Bench& bench) { recovery(bench, 510ULL << 20, 300); }}}}};
}

}  // namespace minivault::bench
