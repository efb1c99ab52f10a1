#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/client/address.h"
#include "common/core/error.h"

namespace minivault::client {

/// What a command line of the client asks for, checked, nothing opened or sent yet.
struct Command {
  enum class Action { kGet, kSet, kDelete, kHealth };

  Action action = Action::kHealth;
  Address address;
  std::string key;
  std::optional<std::string> value;       ///< set: from the command line
  std::optional<std::string> value_file;  ///< set: from this file; with neither, from standard input
  bool of_quorum = false;                 ///< get: what a majority holds, not what the node holds
  std::string auth_key;
  std::optional<std::string> auth_file;
  std::chrono::milliseconds time_out{10'000};  ///< to connect, and again for the answer
};

/// `arguments` starts with the word (get, set, del, health). Flags may stand anywhere after it, with one dash
/// or two, as `-name value` or `-name=value`; what follows `--` is never a flag, so that a value may begin
/// with a dash. Errors: kInvalidArgument, one line that names what is wrong.
[[nodiscard]] Result<Command> parse_command(std::span<const std::string_view> arguments);

/// A duration above 0 in the forms that a node's -write-timeout takes: `250ms`, `5s`, `1m30s`. Errors:
/// kInvalidArgument.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace minivault::client
