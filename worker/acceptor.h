#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "common/net/listener.h"
#include "common/process/roles.h"

namespace minivault::worker {

/// Takes new connections from the listeners that all workers share, and sees to it that each worker gets its
/// part: the kernel always wakes the same sleeper first, so a quiet node would give one process everything.
///
/// A worker that has more connections than the one with the fewest invites that one to accept, and steps
/// aside itself. After a while it looks again: the invited process may be hung, or gone.
class Acceptor {
 public:
  using Accepted = std::function<void(UniqueFd, bool http_only)>;

  Acceptor(const ChildContext& context, net::Poller& poller, Accepted accepted);

  [[nodiscard]] Status start();
  /// For good. What already waits is taken, because its wake-up came to this process alone. The listening
  /// sockets are let go: when the node stops, its last worker to drain turns new connections away.
  void stop();

  [[nodiscard]] bool owns(int fd) const { return fd >= 0 && (fd == port_.fd() || fd == http_.fd()); }
  void accept_from(int fd, std::uint64_t now_ms);

  // To be called every turn; both cost nothing where there is nothing to do.
  void answer_invitation(std::uint64_t now_ms);
  void look_again(std::uint64_t now_ms);
  [[nodiscard]] std::optional<std::uint64_t> next_look_ms() const;

 private:
  /// A bound for the time spent on new connections in one turn; the listener stays ready.
  static constexpr int kAcceptsATurn = 64;
  static constexpr std::uint64_t kAloneMs = 1'000;

  void accept_some(net::Listener& listener, std::uint64_t now_ms);
  [[nodiscard]] bool take_one(net::Listener& listener);
  void step_aside(std::uint64_t now_ms);
  void listen_again(std::uint64_t now_ms);
  void invite(unsigned slot);
  /// Slot of the other worker with the fewest connections.
  [[nodiscard]] std::optional<unsigned> find_fewest() const;
  [[nodiscard]] bool has_more_than_its_part(unsigned other) const;
  [[nodiscard]] std::uint64_t open_in(unsigned slot) const;

  const ChildContext* context_;
  net::Poller* poller_;
  Accepted accepted_;
  net::Listener port_;
  net::Listener http_;
  std::uint64_t aside_until_ms_ = 0;  ///< 0: listening
  std::uint64_t alone_until_ms_ = 0;  ///< others are not invited before
  bool shortage_told_ = false;
  bool stopped_ = false;
};

}  // namespace minivault::worker
