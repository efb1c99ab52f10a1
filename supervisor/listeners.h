#pragma once

#include <cstdint>
#include <string>

#include "common/core/error.h"
#include "common/core/unique_fd.h"
#include "supervisor/passed_sockets.h"

namespace minivault::supervisor {

/// A listening socket and where it really listens.
struct Listener {
  UniqueFd socket;
  std::uint16_t port = 0;
  std::string host;             ///< the address, as a number
  bool was_passed = false;      ///< not opened here
  bool beyond_loopback = true;  ///< other machines can reach it

  /// Listens on `host` (an address or a name; `::` takes IPv4 too), non-blocking; port 0: the kernel chooses.
  /// Errors: kIo, kUnauthorized (a port that this user may not have), naming host, port and reason (`in use`,
  /// `not an address of this machine`, ...).
  [[nodiscard]] static Result<Listener> open(const std::string& host, std::uint16_t port);
  /// One that listens already.
  [[nodiscard]] static Listener of(UniqueFd socket);
};

/// The node's doors. They belong to the supervisor and outlive every worker, so no connection is refused
/// while one is replaced: it waits in the queue.
struct Listeners {
  Listener both;  ///< `-port`
  Listener http;  ///< `-http`; no socket if there is none

  /// What was passed is used, the rest is opened. Errors: as Listener::open().
  [[nodiscard]] static Result<Listeners> open(const std::string& host, std::uint16_t port,
                                              std::uint16_t http_port, PassedSockets passed = {});
};

}  // namespace minivault::supervisor
