#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/core/error.h"

namespace minivault::supervisor {

/// Reads the configuration again, from the same command line, environment and file as at the start.
using LoadConfig = std::function<Result<Config>()>;

struct Reloaded {
  Config config;                           ///< what new workers are started with
  std::vector<std::string> needs_restart;  ///< settings that were changed but stay as they are
};

/// What a running node can take over from `fresh`. Not the sockets it listens on, nor what the checkpointer,
/// who is not replaced, is built on.
[[nodiscard]] Reloaded merge(const Config& running, Config fresh);

}  // namespace minivault::supervisor
