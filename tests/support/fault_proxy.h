#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/core/unique_fd.h"
#include "tests/support/fault_proxy_pipe.h"
#include "tests/support/loopback_listener.h"

namespace minivault::test {

/// The way of bytes through a proxy: from who called it to its target, and back.
enum class Way { kThere, kBack };

/// A bad network in the test's own process: a TCP proxy on a port that the kernel chose, to a target that may
/// change. Its connections belong to links, which fail each by itself: one link unless a chooser tells
/// callers apart. What a call here asks for holds when it returns. Any thread may call.
class FaultProxy {
 public:
  using Link = unsigned;
  /// The link of a connection from that port of 127.0.0.1; nullopt: refused. Called by the proxy's thread.
  using Chooser = std::function<std::optional<Link>(std::uint16_t caller_port)>;

  explicit FaultProxy(unsigned links = 1, Chooser chooser = {});
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return listener_.port; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

  /// Where new connections lead; 0: nowhere, they are refused.
  void forward_to(std::uint16_t port);

  void set(Way way, Faults faults, Link link = 0);
  void set(Faults faults, Link link = 0);  ///< both ways
  /// Connections are reset as soon as they are made. Those that are there stay.
  void refuse(bool refused, Link link = 0);
  /// Resets all connections there are.
  void cut(Link link = 0);
  /// Lets `bytes` more through, then resets the connection that has brought the last of them. Once.
  void cut_after(std::uint64_t bytes, Way way, Link link = 0);
  /// Takes back all that was asked for above.
  void heal(Link link = 0);

  /// Delivered since the beginning.
  [[nodiscard]] std::uint64_t bytes(Way way, Link link = 0) const;
  [[nodiscard]] unsigned accepted(Link link = 0) const;  ///< since the beginning, refused ones too
  [[nodiscard]] unsigned open(Link link = 0) const;      ///< connections there are

 private:
  static constexpr std::uint64_t kNoCut = UINT64_MAX;
  static constexpr std::size_t kWays = 2;

  struct LinkState {
    Faults faults[kWays];
    std::uint64_t left_before_cut[kWays] = {kNoCut, kNoCut};
    std::uint64_t bytes[kWays] = {0, 0};
    bool refused = false;
    unsigned accepted = 0;
  };
  struct Connection;
  struct PollSet;

  void run();
  [[nodiscard]] PollSet poll_set() const;
  void serve(Connection& connection, short caller_events, short target_events);
  [[nodiscard]] bool deliver(Connection& connection, std::size_t way);
  void accept_all();
  void accept_one(UniqueFd caller, std::optional<Link> link);
  void change(const std::function<void()>& what);
  void wake() const;

  const Chooser chooser_;
  const LoopbackListener listener_;
  const UniqueFd bell_;

  mutable std::mutex mutex_;
  bool stopping_ = false;  ///< guarded by mutex_, as all below
  std::uint16_t target_ = 0;
  std::vector<LinkState> links_;
  std::vector<std::unique_ptr<Connection>> connections_;  ///< removed by the proxy's thread alone

  std::jthread thread_;  ///< last: starts when all else is there
};

}  // namespace minivault::test
