#pragma once

#include <cstdint>
#include <string>

#include "common/config/config.h"
#include "common/store/store.h"

namespace minivault::worker {

/// The node's health as PROTOCOL.md's JSON, put together from shared memory and /proc. Every worker tells the
/// same: nothing in it is this worker's own. README.md says where each number comes from.
class HealthReport {
 public:
  struct Look {
    std::string json;
    bool able = false;  ///< the node can do its work; else HTTP says 503
  };

  HealthReport(const Config& config, store::Store& store) : config_(&config), store_(&store) {}

  /// At most kFreshMs old, so that a crowd of monitors costs no more than one. REQUIRES: in a turn.
  [[nodiscard]] const Look& look();

 private:
  static constexpr std::uint64_t kFreshMs = 100;

  const Config* config_;
  store::Store* store_;
  Look look_;
  std::uint64_t looked_ms_ = 0;
};

}  // namespace minivault::worker
