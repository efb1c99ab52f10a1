#pragma once

#include "common/config/config.h"
#include "common/core/log_format.h"

namespace minivault::supervisor {

/// As the configuration has it, for whoever reads standard error.
[[nodiscard]] LogStyle log_style_of(const Config& config);

}  // namespace minivault::supervisor
