#pragma once

#include <cstdint>
#include <string>

#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault::supervisor {

/// A listening socket and the port it really has.
struct Listener {
  UniqueFd socket;
  std::uint16_t port = 0;

  /// Listens on `host` (an address or a name; `::` takes IPv4 too), non-blocking; port 0: the kernel chooses.
  /// Errors: kIo, naming host, port and reason (`in use`, `not an address of this machine`, ...).
  [[nodiscard]] static Result<Listener> open(const std::string& host, std::uint16_t port);
};

/// The node's doors. They belong to the supervisor and outlive every worker, so no connection is refused
/// while one is replaced: it waits in the queue.
struct Listeners {
  Listener both;  ///< `-port`
  Listener http;  ///< `-http`; no socket if there is none

  [[nodiscard]] static Result<Listeners> open(const std::string& host, std::uint16_t port,
                                              std::uint16_t http_port);
};

}  // namespace minivault::supervisor
