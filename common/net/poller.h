#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault::net {

/// What happened to a descriptor since the last look.
struct Event {
  int fd = -1;
  bool readable = false;  ///< bytes can be read
  bool writable = false;
  bool ending = false;  ///< the other side closed or broke: an end or an error can be read, after the bytes
};

/// epoll(7) for one thread.
///
/// Streams are watched edge-triggered: registered once for both directions and never touched again, so
/// pausing a client is simply not reading it and costs no system call; who watches must remember that a
/// descriptor is ready until a read or a write fell short. Listeners and bells are level-triggered: they may
/// be left half-emptied.
class Poller {
 public:
  static constexpr int kWaitForever = -1;

  /// Errors: kIo.
  [[nodiscard]] static Result<Poller> create();

  [[nodiscard]] Status watch_stream(int fd);
  [[nodiscard]] Status watch_bell(int fd);
  /// Of the processes that watch one listener, a new connection wakes one (EPOLLEXCLUSIVE).
  [[nodiscard]] Status watch_listener(int fd);
  void forget(int fd);

  /// Sleeps until something happens or `timeout_ms` have passed. The events are valid until the next wait.
  [[nodiscard]] std::span<const Event> wait(int timeout_ms);
  /// The same for less than a millisecond; a whole one where the kernel is older than 5.11.
  [[nodiscard]] std::span<const Event> wait_ns(std::uint64_t timeout_ns);

 private:
  static constexpr int kEventsAWait = 256;

  Poller() = default;
  [[nodiscard]] Status add(int fd, std::uint32_t events);
  [[nodiscard]] std::span<const Event> take_in(std::span<const epoll_event> seen);

  UniqueFd epoll_;
  std::array<Event, kEventsAWait> events_;
};

}  // namespace minivault::net
