#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/error.h"

namespace minivault::admin {

/// What stands on a command line after the command's word.
struct Arguments {
  std::vector<std::string> operands;
  std::string auth_key;
  std::chrono::milliseconds time_out{30'000};  ///< without progress
  bool help = false;
  std::map<std::string, std::string, std::less<>> own;  ///< flags of the command's own that were given
};

/// Flags may stand anywhere, with one dash or two, as `-name value` or `-name=value`; what follows `--` is
/// none. Reads -auth-file. `own`: names of the command's own flags, with a `=` behind those that take a
/// value. Errors: kInvalidArgument, kIo, one line that names what is wrong.
[[nodiscard]] Result<Arguments> parse_arguments(std::span<const std::string_view> words,
                                                std::span<const std::string_view> own = {});

}  // namespace minivault::admin
