#pragma once

#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault {

/// SIGTERM as something to read, once a request: it is blocked from now on, and nothing is ever done in a
/// handler. Non-blocking, closed on exec. Error: kIo.
[[nodiscard]] Result<UniqueFd> take_terminations();

}  // namespace minivault
