#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "common/config/settings.h"

namespace minivault::settings {

/// A setting's text as somebody gave it, not yet looked at, and where it stood.
struct Given {
  std::string text;
  std::string origin;  ///< `flag -port`, `environment MINIVAULT_PORT`, `FILE:LINE` or `default`

  bool operator==(const Given&) const = default;
};

/// By the name of the setting.
using GivenSettings = std::map<std::string, Given, std::less<>>;

struct CommandLine {
  Action action = Action::kRun;
  GivenSettings given;
};

/// Reads flags as Go's flag package does: `-name value`, `-name=value`, one dash or two, switches without a
/// value or as `-name=false`; the last of equal flags counts; -help ends the reading. `arguments` is without
/// the program's name. Errors: kInvalidArgument, a line for the user.
[[nodiscard]] Result<CommandLine> parse_flags(std::span<const char* const> arguments);

/// Reads `name = value` lines. `#` begins a comment at the start of a line or after a blank. `path` is only
/// for messages. Errors: kInvalidArgument, a line for the user that begins with `path:LINE`.
[[nodiscard]] Result<GivenSettings> parse_config_file(const std::string& path, std::string_view content);

/// `text` in quotes, fit for one line of a message: control characters replaced, the end of a long text cut.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace minivault::settings
