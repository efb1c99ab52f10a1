#include <algorithm>
#include <cstdio>

#include "bench/store_bench.h"
#include "bench/store_leveldb.h"
#include "bench/store_lmdb.h"
#include "bench/store_meter.h"
#include "bench/store_minivault.h"
#include "bench/store_rocksdb.h"

namespace minivault::bench {
namespace {

constexpr std::uint64_t kKeys = 10'000'000;
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kFillBatch = 1'000;
static_assert(kKeys % kFillBatch == 0);

/// What one long run was like beyond its mean.
struct Course {
  std::vector<double> window_rates;  ///< thousands a second
  double worst_ns = 0;               ///< the longest that one batch took
  std::uint64_t largest_backlog = 0;
  std::uint64_t operations = 0;
};

template <typename Engine>
std::uint64_t backlog_of(Engine& engine) {
  if constexpr (std::is_same_v<Engine, Minivault>) return engine.backlog_bytes();
  return 0;
}

template <typename Engine>
Course write_for(Engine& engine, std::size_t batch, double seconds, double window_seconds) {
  load::KeyChoice choice(load::Distribution::kUniform, kKeys, 1);
  const std::string value = noise(kValueBytes);
  std::vector<Key> keys(batch);
  Course course;
  const double began = Cost::now(0).wall_ns;
  double window_began = began;
  double now = began;
  std::uint64_t in_window = 0;
  const auto close_window = [&] {
    course.window_rates.push_back(static_cast<double>(in_window) * 1e6 / (now - window_began));
    window_began = now;
    in_window = 0;
  };
  while (now - began < seconds * 1e9) {
    for (Key& key : keys) key = Key(choice.next());
    const double before = Cost::now(0).wall_ns;
    engine.put(keys, value);
    now = Cost::now(0).wall_ns;
    course.worst_ns = std::max(course.worst_ns, now - before);
    course.largest_backlog = std::max(course.largest_backlog, backlog_of(engine));
    course.operations += batch;
    in_window += batch;
    if (now - window_began >= window_seconds * 1e9) close_window();
  }
  // Each ends a batch late, so the last one is a little short.
  if (now - window_began >= window_seconds * 1e9 / 2) close_window();
  return course;
}

std::string remark(const Course& course, std::uint64_t written, std::uint64_t used) {
  const double user_bytes = static_cast<double>(course.operations * (kValueBytes + kKeyBytes));
  std::string text = "k/s:";
  for (const double rate : course.window_rates)
    text.append(1, ' ').append(std::to_string(static_cast<int>(rate)));
  char rest[160];
  std::snprintf(rest, sizeof rest, "; worst batch %.0f ms; disk writes %.1f x, files %.1f x the data",
                course.worst_ns / 1e6, static_cast<double>(written) / user_bytes,
                static_cast<double>(used) / user_bytes);
  text += rest;
  if (course.largest_backlog != 0)
    text += "; backlog at most " + std::to_string(course.largest_backlog >> 20) + " MB";
  return text;
}

/// `filled`: the base holds all keys before the first write counts.
template <typename Engine>
void contend(Bench& bench, std::size_t batch, bool filled) {
  Engine engine{Setting{}};
  if (filled) {
    const std::vector<Key> keys = all_keys(kKeys);
    const std::string value = noise(kValueBytes);
    for (std::size_t at = 0; at < keys.size(); at += kFillBatch) {
      engine.put(std::span(keys).subspan(at, kFillBatch), value);
    }
    engine.settle();
  }
  if constexpr (std::is_same_v<Engine, Minivault>) engine.warm();
  const double seconds = bench.full() ? 60 : 10;
  const double window_seconds = bench.full() ? 10 : 2;
  bench.single("SET 100 B, sustained", Engine::kName + (", by " + std::to_string(batch)),
               [&](benchmark::State& state) {
                 Meter meter(engine.process());
                 for (auto _ : state) {
                   const std::uint64_t written = disk_bytes_written(engine.directory());
                   meter.start();
                   const Course course = write_for(engine, batch, seconds, window_seconds);
                   meter.stop(course.operations);
                   state.SetIterationTime(meter.last_seconds());
                   engine.settle();
                   state.SetLabel(remark(course, disk_bytes_written(engine.directory()) - written,
                                         disk_bytes_used(engine.directory())));
                 }
                 meter.report(state);
               });
  bench.run();
}

}  // namespace

std::vector<Group> sustained_groups(const Options& options) {
  std::vector<Group> groups;
  for (const bool filled : {false, true}) {
    if (filled && !options.full) continue;
    groups.push_back({std::string("SET 100 B, sustained over 10 M keys") + (filled ? " that are there" : "") +
                          " for " + (options.full ? "60 s" : "10 s"),
                      "no batch above 250 ms, median window at least half the first, backlog at most 128 MB",
                      {{Minivault::kName, [filled](Bench& bench) { contend<Minivault>(bench, 64, filled); }},
                       {Lmdb::kName, [filled](Bench& bench) { contend<Lmdb>(bench, 1'000, filled); }},
                       {Rocks::kName, [filled](Bench& bench) { contend<Rocks>(bench, 64, filled); }},
                       {Level::kName, [filled](Bench& bench) { contend<Level>(bench, 64, filled); }}}});
  }
  return groups;
}

}  // namespace minivault::bench
