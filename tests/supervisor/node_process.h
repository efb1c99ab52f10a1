#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/wait.h"

namespace minivault::test {

/// A real supervisor in a process of its own, with the fake roles. What it says goes to a file. Killed by its
/// pid at the end of the test, if it still lives; its children then follow.
class NodeProcess {
 public:
  explicit NodeProcess(const Config& config);
  ~NodeProcess();
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void send(int signal_number) const;
  /// Waits for its end. The exit status, or minus the signal that killed it.
  [[nodiscard]] int wait_for_end(milliseconds limit = kPatience);

  [[nodiscard]] std::string log() const;
  void wait_for_log(const std::string& text) const;
  /// Waits for the ready line and returns the port it names.
  std::uint16_t wait_until_ready() const;

  /// Pids of living children whose short name begins with `name`, lowest first.
  [[nodiscard]] std::vector<pid_t> children(const std::string& name = "") const;

 private:
  TemporaryDirectory directory_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

}  // namespace minivault::test
