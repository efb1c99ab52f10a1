#pragma once

#include <cstdint>

#include "common/core/unique_fd.h"

namespace minivault::test {

struct LoopbackListener {
  UniqueFd fd;
  std::uint16_t port = 0;  ///< the kernel's choice
};
/// At 127.0.0.1. `flags`: of socket(2), as SOCK_NONBLOCK.
[[nodiscard]] LoopbackListener listen_on_loopback(int flags = 0);

}  // namespace minivault::test
