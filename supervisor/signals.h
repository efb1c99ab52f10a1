#pragma once

#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault::supervisor {

/// Signals as something to read: nothing is ever done in a handler.
class Signals {
 public:
  struct Seen {
    unsigned stop_requests = 0;  ///< SIGTERM, SIGINT
    bool reload = false;         ///< SIGHUP
    bool child = false;          ///< SIGCHLD
  };

  /// Blocks the signals above from now on, in this process and (until init_child) its children; ignores
  /// SIGPIPE.
  [[nodiscard]] static Result<Signals> take();

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// What came since the last call. Does not wait.
  [[nodiscard]] Seen read() const;

 private:
  explicit Signals(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace minivault::supervisor
