#pragma once

#include <cstdint>

#include "common/core/clock.h"
#include "common/store/node_clock.h"
#include "tests/store/engine.h"

/// What the tests of the node's clock share.
namespace minivault::test::clock_support {

inline constexpr std::int64_t kHourMs = 3'600'000;

inline store::Version stamp(store::Store& store) {
  store::Write write;
  write.key = "key";
  return commit_one(store, write).version;
}

inline store::Version stamp(Engine& engine) {
  store::Store store = engine.open_store();
  return stamp(store);
}

/// As a replicator says it: the wall clock, or `ms` beside it.
inline void set_clock(Engine& engine, std::int64_t ms) {
  engine.state().append.clock_offset.store(store::hlc_of_us(wall_minus_boot_us() + ms * 1'000));
}

inline std::int64_t ms_ahead(std::uint64_t hlc) {
  return static_cast<std::int64_t>(hlc >> store::kHlcCounterBits) - static_cast<std::int64_t>(wall_ms());
}

}  // namespace minivault::test::clock_support
