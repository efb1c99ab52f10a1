#include <unistd.h>

#include <cstdio>
#include <map>

#include "bench/store_bench.h"
#include "bench/store_lmdb.h"
#include "bench/store_minivault.h"

namespace minivault::bench {
namespace {

constexpr std::uint64_t kKeys = 10'000;
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kGetsATurn = 64;

template <typename Engine>
void put_all(Engine& engine, const std::vector<Key>& keys, std::size_t batch) {
  const std::string value = noise(kValueBytes);
  for (std::size_t at = 0; at < keys.size(); at += batch) {
    engine.put(std::span(keys).subspan(at, std::min(batch, keys.size() - at)), value);
  }
}

/// One round over the keys; how many rounds is what two runs differ in.
struct Rounds {
  std::vector<Key> keys;
  std::size_t count;
};

template <typename Engine>
void get_all(Engine& engine, const std::vector<Key>& keys) {
  for (std::size_t at = 0; at < keys.size(); at += kGetsATurn) {
    engine.begin();
    for (const Key& key : std::span(keys).subspan(at, std::min(kGetsATurn, keys.size() - at))) {
      benchmark::DoNotOptimize(engine.get(key.view()));
    }
    engine.end();
  }
}

template <typename Engine>
void gets(const Rounds& rounds) {
  Engine engine{Setting{}};
  put_all(engine, all_keys(kKeys), 1'000);
  for (std::size_t i = 0; i < rounds.count; ++i) get_all(engine, rounds.keys);
}

void gets_together(const Rounds& rounds) {
  Minivault engine{Setting{}};
  put_all(engine, all_keys(kKeys), 1'000);
  constexpr std::size_t kTogether = 16;
  static_assert(kKeys % kTogether == 0);
  for (std::size_t i = 0; i < rounds.count; ++i) {
    for (std::size_t at = 0; at < kKeys; at += kTogether) {
      if (at % kGetsATurn == 0) engine.begin();
      benchmark::DoNotOptimize(engine.get_together(std::span(rounds.keys).subspan(at, kTogether)));
      if ((at + kTogether) % kGetsATurn == 0 || at + kTogether == kKeys) engine.end();
    }
  }
}

void gets_from_base(const Rounds& rounds, std::uint64_t cache_bytes) {
  Minivault engine{Setting{}};
  put_all(engine, all_keys(kKeys), 1'000);
  engine.restart(cache_bytes);
  for (std::size_t i = 0; i < rounds.count; ++i) get_all(engine, rounds.keys);
}

void sets(const Rounds& rounds, std::size_t batch) {
  Minivault engine{Setting{}};
  for (std::size_t i = 0; i < rounds.count; ++i) put_all(engine, rounds.keys, batch);
}

}  // namespace

int count(const std::string& what, std::size_t rounds) {
  const std::map<std::string, std::function<void(const Rounds&)>> known = {
      {"get", gets<Minivault>},
      {"get-by-16", gets_together},
      {"get-base", [](const Rounds& rounds) { gets_from_base(rounds, 0); }},
      {"get-cached", [](const Rounds& rounds) { gets_from_base(rounds, 64ULL << 20); }},
      {"get-lmdb", gets<Lmdb>},
      {"set-by-64", [](const Rounds& rounds) { sets(rounds, 64); }},
      {"set-by-16", [](const Rounds& rounds) { sets(rounds, 16); }},
      {"set-by-1", [](const Rounds& rounds) { sets(rounds, 1); }},
  };
  const auto found = known.find(what);
  if (found == known.end()) return 2;
  std::printf("%d\n", ::getpid());
  std::fflush(stdout);
  found->second({draw_keys(load::Distribution::kUniform, kKeys, kKeys), rounds});
  return 0;
}

}  // namespace minivault::bench
