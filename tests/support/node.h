#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/processes.h"
#include "tests/support/temporary_directory.h"

namespace minivault::test {

struct NodeOptions {
  std::vector<std::string> flags = {};  ///< after the fixture's own, so they win
  Environment environment = {};
  bool http_listener = false;
  std::vector<std::string> launcher = {};    ///< a command that executes the one behind it, keeping its pid
  std::function<void(pid_t)> on_start = {};  ///< told the supervisor, long before that is ready
};

/// A real node: the binary with a data directory of its own, on loopback, on ports that the kernel chose, a
/// small log, two workers. Make it a local variable of the test: when the test fails its destructor prints
/// the node's log. Ends every process of the node and removes the directory.
class Node {
 public:
  /// Starts it and waits until it says ready.
  explicit Node(NodeOptions options = {});
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Starts it again on the same directory, after stop() or kill(); ports may be other ones.
  void start();
  /// SIGTERM; the exit status.
  int stop(milliseconds limit = kPatience);
  /// SIGKILL of the supervisor, then waits until nothing of the node runs: as abrupt as a process can end.
  void kill();
  /// SIGHUP, and waits until the node says that it reloaded.
  void reload();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t http_port() const { return http_port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  [[nodiscard]] std::string data() const { return directory_.file("data"); }

  [[nodiscard]] ChildProcess& supervisor() { return *process_; }
  /// The supervisor's children whose role begins with `role`; "" for all.
  [[nodiscard]] std::vector<pid_t> children(const std::string& role = "") const;
  /// Exactly one such child is waited for and returned.
  [[nodiscard]] pid_t child(const std::string& role) const;
  /// Resident memory of all its processes; shared memory counts once for each.
  [[nodiscard]] std::uint64_t memory_bytes() const;

  /// For the next start().
  [[nodiscard]] NodeOptions& options() { return options_; }
  /// The command that starts it.
  [[nodiscard]] std::vector<std::string> command() const;

 private:
  [[nodiscard]] std::vector<pid_t> stop_and_list();
  void print_log() const;

  NodeOptions options_;
  TemporaryDirectory directory_;
  std::uint16_t port_ = 0;
  std::uint16_t http_port_ = 0;
  std::vector<std::string> earlier_lines_;  ///< of the lives before this one
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace minivault::test
