#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "common/net/listener.h"
#include "common/process/roles.h"

namespace minivault::worker {

/// Takes new connections from the listeners that all workers share, and sees to it that each worker gets its
/// part: the kernel always wakes the same sleeper first, so a quiet node would give one process everything.
/// A worker that has clearly more connections than another steps aside; what nobody took meanwhile (a hung or
/// dying process has few connections too) it takes after all.
class Acceptor {
 public:
  using Accepted = std::function<void(UniqueFd, bool http_only)>;

  Acceptor(const ChildContext& context, net::Poller& poller, Accepted accepted);

  [[nodiscard]] Status start();
  /// For good. What already waits is taken, because its wake-up came to this process alone.
  void stop();

  [[nodiscard]] bool owns(int fd) const { return fd >= 0 && (fd == port_.fd() || fd == http_.fd()); }
  void accept_from(int fd, std::uint64_t now_ms);

  /// Listens again if it stepped aside and has no reason to any more. To be called every turn.
  void reconsider(std::uint64_t now_ms);
  [[nodiscard]] std::optional<std::uint64_t> next_look_ms() const;

 private:
  /// A bound for the time spent on new connections in one turn; the listener stays ready.
  static constexpr int kAcceptsATurn = 64;

  void accept_some(net::Listener& listener, int limit);
  void step_aside(std::uint64_t now_ms);
  /// Rings those who stepped aside: they may have caught up by this process's new connections.
  void invite_others();
  [[nodiscard]] bool has_more_than_its_part() const;
  [[nodiscard]] shared::ChildSlot& slot() const;

  const ChildContext* context_;
  net::Poller* poller_;
  Accepted accepted_;
  net::Listener port_;
  net::Listener http_;
  std::uint64_t aside_until_ms_ = 0;  ///< 0: listening
  bool stopped_ = false;
};

}  // namespace minivault::worker
