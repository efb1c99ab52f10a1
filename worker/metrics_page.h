#pragma once

#include <cstdint>
#include <string>

#include "common/config/config.h"
#include "common/store/store.h"

namespace minivault::worker {

/// The node's metrics as Prometheus reads them, put together from shared memory and /proc. Every worker tells
/// the same: nothing in it is this worker's own.
class MetricsPage {
 public:
  MetricsPage(const Config& config, store::Store& store) : config_(&config), store_(&store) {}

  /// At most kFreshMs old, so that a crowd of monitors costs no more than one.
  [[nodiscard]] const std::string& look();

 private:
  static constexpr std::uint64_t kFreshMs = 100;

  const Config* config_;
  store::Store* store_;
  std::string text_;
  std::uint64_t looked_ms_ = 0;
};

}  // namespace minivault::worker
