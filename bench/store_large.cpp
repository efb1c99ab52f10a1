#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "bench/store_bench.h"
#include "bench/store_lmdb.h"
#include "bench/store_meter.h"
#include "bench/store_minivault.h"
#include "bench/store_rocksdb.h"
#include "common/core/mapping.h"
#include "common/core/unique_fd.h"

namespace minivault::bench {
namespace {

constexpr std::size_t kValueBytes = 1 << 20;
constexpr std::uint64_t kKeys = 64;
constexpr std::size_t kWrites = 24;  // a repetition; below what makes a checkpoint due
constexpr std::size_t kInFlight = 8;
constexpr std::uint64_t kFileBytes = 256ULL << 20;

std::string row(bool durable) {
  return durable ? "SET 1 MB, durable, 8 in flight" : "SET 1 MB, no sync, by 1";
}

template <typename Engine>
void contend(Bench& bench, bool durable) {
  Engine engine{Setting{durable}};
  const std::string value = noise(kValueBytes);
  const std::vector<Key> keys = all_keys(kKeys);
  engine.put(keys, value);
  engine.settle();
  if constexpr (std::is_same_v<Engine, Minivault>) engine.warm();
  const std::vector<Key> order = draw_keys(load::Distribution::kUniform, kKeys, kWrites);
  const std::size_t batch = durable ? kInFlight : 1;
  bench.once(row(durable), Engine::kName, [&](benchmark::State& state) {
    Meter meter(engine.process());
    for (auto _ : state) {
      meter.start();
      for (std::size_t at = 0; at < kWrites; at += batch)
        engine.put(std::span(order).subspan(at, batch), value);
      meter.stop(kWrites);
      state.SetIterationTime(meter.last_seconds());
      engine.settle();
    }
    meter.report(state);
  });
  bench.run();
}

/// A file whose pages all were written once, as a ring's after its first lap.
struct WrittenFile {
  test::TemporaryDirectory directory;
  UniqueFd file;

  WrittenFile() : file(::open(directory.file("flat").c_str(), O_RDWR | O_CREAT, 0600)) {
    const std::string piece = noise(kValueBytes);
    for (std::uint64_t at = 0; at < kFileBytes; at += piece.size()) write_at(at, piece);
    if (::fsync(file.get()) != 0) throw std::runtime_error("fsync");
  }
  void write_at(std::uint64_t offset, const std::string& bytes) const {
    if (::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("pwrite");
    }
  }
};

/// `write(offset)` puts a value there; `sync()` follows each batch.
template <typename Write, typename Sync>
void measure_flat(Bench& bench, bool durable, const std::string& name, Write&& write, Sync&& sync) {
  std::uint64_t offset = 0;
  bench.once(row(durable), name, [&](benchmark::State& state) {
    Meter meter(0);
    for (auto _ : state) {
      meter.start();
      for (std::size_t i = 1; i <= kWrites; ++i) {
        write(offset);
        offset = (offset + kValueBytes) % kFileBytes;
        if (durable && i % kInFlight == 0) sync();
      }
      meter.stop(kWrites);
      state.SetIterationTime(meter.last_seconds());
    }
    meter.report(state);
  });
  bench.run();
}

void contend_memcpy(Bench& bench) {
  const WrittenFile flat;
  const std::string value = noise(kValueBytes);
  void* address = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, flat.file.get(), 0);
  if (address == MAP_FAILED) throw std::runtime_error("mmap");
  const Mapping mapping(address, kFileBytes);
  const auto copy = [&](std::uint64_t offset) {
    std::memcpy(mapping.data() + offset, value.data(), value.size());
  };
  for (std::uint64_t at = 0; at < kFileBytes; at += kValueBytes)
    copy(at);  // its page faults are not the question
  measure_flat(bench, false, "memcpy into a mapped file", copy, [] {});
}

void contend_pwrite(Bench& bench, bool durable) {
  const WrittenFile flat;
  const std::string value = noise(kValueBytes);
  measure_flat(
      bench, durable, durable ? "pwrite + fdatasync" : "pwrite",
      [&](std::uint64_t offset) { flat.write_at(offset, value); },
      [&] {
        if (::fdatasync(flat.file.get()) != 0) throw std::runtime_error("fdatasync");
      });
}

}  // namespace

std::vector<Group> large_groups(const Options&) {
  Group group{"SET 1 MB", "0.7 x memcpy without sync; 0.8 x pwrite + fdatasync with it", {}};
  for (const bool durable : {false, true}) {
    group.contenders.push_back(
        {Minivault::kName, [durable](Bench& bench) { contend<Minivault>(bench, durable); }});
    if (!durable) group.contenders.push_back({"memcpy", contend_memcpy});
    group.contenders.push_back({"pwrite", [durable](Bench& bench) { contend_pwrite(bench, durable); }});
    group.contenders.push_back({Lmdb::kName, [durable](Bench& bench) { contend<Lmdb>(bench, durable); }});
    group.contenders.push_back({Rocks::kName, [durable](Bench& bench) { contend<Rocks>(bench, durable); }});
  }
  return {group};
}

}  // namespace minivault::bench
