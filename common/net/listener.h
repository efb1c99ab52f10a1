#pragma once

#include <cstdint>

#include "common/core/unique_fd.h"
#include "common/net/poller.h"

namespace minivault::net {

/// A listening socket that several processes share, seen by one of them. The descriptor is this process's
/// share of it: the kernel turns connections away once the last share is closed. It is not closed by the
/// destructor.
///
/// Can step aside: then new connections wake the others, and this process looks again only after a while. It
/// does so itself where the machine has no descriptor or memory left for a connection, instead of spinning.
class Listener {
 public:
  static constexpr std::uint64_t kStepAsideMs = 100;

  /// `fd` -1: a listener that never has a connection.
  explicit Listener(int fd) : fd_(fd) {}

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool listening() const { return listening_; }
  [[nodiscard]] Status start(Poller& poller);
  void stop(Poller& poller);
  /// Gives up this process's share, for good.
  void close(Poller& poller);

  /// The next waiting connection, non-blocking and with small writes sent at once; empty: none now.
  /// A shortage sets short_of_resources().
  [[nodiscard]] UniqueFd accept();
  [[nodiscard]] bool short_of_resources() const { return short_; }

 private:
  int fd_;
  bool listening_ = false;
  bool short_ = false;
};

}  // namespace minivault::net
