#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/core/unique_fd.h"
#include "tests/support/wait.h"

namespace minivault::test {

using Environment = std::map<std::string, std::string>;

/// Path of the program under test: the environment variable MINIVAULT_BINARY, which CTest sets.
[[nodiscard]] std::string minivault_binary();

/// A program that was started, its standard error read line by line while it runs. It gets the test's
/// environment without any MINIVAULT_… or CLUSTER_NODES, then `environment`. Dies with the test process.
class ChildProcess {
 public:
  ChildProcess(const std::vector<std::string>& command, const Environment& environment);
  /// Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;

  /// Exit status, or 128 + the signal that ended it. Throws when it still runs after `limit`.
  int wait(milliseconds limit = kPatience);
  [[nodiscard]] bool running();

  /// The first line, from line `start` on, that `wanted` accepts, waited for; nullopt when the program ended
  /// without it.
  [[nodiscard]] std::optional<std::string> line(const std::function<bool(const std::string&)>& wanted,
                                                std::size_t start = 0, milliseconds limit = kPatience);
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  void read_lines();

  pid_t pid_ = -1;
  std::optional<int> status_;
  UniqueFd stderr_;
  UniqueFd stop_;  ///< readable when the reader shall end although somebody still holds the pipe

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;  ///< guarded by mutex_
  bool ended_ = false;              ///< guarded by mutex_
  std::jthread reader_;             ///< last: starts when all else is there
};

struct Finished {
  int status = 0;
  std::string out;
  std::string err;
};

/// Runs a program to its end with `input` as its standard input; kills it after `limit`.
[[nodiscard]] Finished run(const std::vector<std::string>& command, const std::string& input = "",
                           const Environment& environment = {}, milliseconds limit = kPatience);

}  // namespace minivault::test
