#pragma once

#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault::supervisor {

/// Listening sockets that whoever started this process opened for it: systemd's socket activation, by the
/// protocol of sd_listen_fds(3). They are used instead of binding `-port` and `-http`.
struct PassedSockets {
  UniqueFd both;  ///< for `-port`
  UniqueFd http;  ///< for `-http`

  /// Takes what LISTEN_FDS and LISTEN_PID say is meant for this process, and LISTEN_FDNAMES, out of the
  /// environment. `binary` is for -port and `http` for -http; those with other names, or none, take what is
  /// free in this order. Both empty where nothing was passed. Errors: kInvalidArgument, naming the descriptor
  /// and what is wrong with it: too many, two of a name, no socket, not listening, not TCP; or LISTEN_FDS is
  /// no number.
  [[nodiscard]] static Result<PassedSockets> take_from_environment();
};

}  // namespace minivault::supervisor
