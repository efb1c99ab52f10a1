#pragma once

#include "common/config/config.h"
#include "common/core/error.h"
#include "common/shared/region.h"
#include "supervisor/data_directory.h"
#include "supervisor/listeners.h"
#include "supervisor/signals.h"

namespace minivault::supervisor {

/// What a node owns before its first child: made in this order, given back in reverse.
struct Estate {
  DataDirectory directory;
  Listeners listeners;
  shared::Region region;
  Signals signals;

  /// Ports and files first; then this process becomes `-user`, where one is named, for good. Errors name what
  /// could not be had; exit_code_of() is what they mean to whoever waits. Nothing is left behind but the data
  /// directory.
  [[nodiscard]] static Result<Estate> acquire(const Config& config);
  [[nodiscard]] static int exit_code_of(const Error& error);
};

}  // namespace minivault::supervisor
