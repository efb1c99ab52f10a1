#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace minivault::supervisor {

/// Whoever started this node and wants to hear of it: systemd, or anybody who speaks sd_notify(3). Its
/// protocol is a datagram of `NAME=value` lines to a socket; nothing is ever read, and where nobody listens
/// nothing is sent. Supervisor only. Never blocks for more than a second, never fails the node: what could
/// not be told is a line in the log.
class ServiceManager {
 public:
  ServiceManager() = default;

  /// What the environment says of one: NOTIFY_SOCKET (a path, or `@name` of an abstract socket) and, where
  /// they mean this process, WATCHDOG_USEC and WATCHDOG_PID. Takes them out of the environment, so that no
  /// child speaks for the node.
  [[nodiscard]] static ServiceManager take_from_environment();

  void ready(std::string_view status);
  /// SIGHUP was taken; ready() says when all is replaced, or that nothing was.
  void reloading();
  void stopping();
  /// A sentence for people. Told only when it changed.
  void status(std::string_view text);
  /// A start that may take this much longer from now on.
  void extend(std::uint64_t ms);
  /// To be called when the node was found alive, at most every watchdog_look_ms(); tells it when half of the
  /// time that the manager waits is over.
  void alive(std::uint64_t now_ms);

  /// How long the manager waits for a sign of life; nullopt: it does not.
  [[nodiscard]] std::optional<std::uint64_t> watchdog_ms() const { return watchdog_ms_; }
  [[nodiscard]] bool listens() const { return !socket_.empty(); }

 private:
  void tell(const std::string& lines);

  std::string socket_;  ///< as in NOTIFY_SOCKET; empty: nobody listens
  std::optional<std::uint64_t> watchdog_ms_;
  std::uint64_t next_sign_ms_ = 0;
  std::string status_;
  bool complained_ = false;
};

}  // namespace minivault::supervisor
