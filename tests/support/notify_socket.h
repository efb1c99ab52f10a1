#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/core/unique_fd.h"
#include "tests/support/wait.h"

namespace minivault::test {

/// A service manager's end of sd_notify(3): what a node under test tells it, in the order in which it came.
class NotifySocket {
 public:
  /// Listens at `name`: a path, or `@something` in the abstract name space.
  explicit NotifySocket(std::string name);

  /// For NOTIFY_SOCKET.
  [[nodiscard]] const std::string& name() const { return name_; }

  /// All that came so far, the oldest first.
  const std::vector<std::string>& messages();
  /// Waits for a message with this whole line in it, at or behind message `start`; its place in messages().
  std::size_t await(std::string_view line, std::size_t start = 0, milliseconds limit = kPatience);
  /// How many messages at or behind `start` have this whole line.
  [[nodiscard]] std::size_t count(std::string_view line, std::size_t start = 0);

 private:
  std::string name_;
  UniqueFd socket_;
  std::vector<std::string> messages_;
};

/// Whether one of the lines of `message` is, or begins with, `line`.
[[nodiscard]] bool has_line(std::string_view message, std::string_view line);
[[nodiscard]] bool has_line_like(std::string_view message, std::string_view beginning);

}  // namespace minivault::test
