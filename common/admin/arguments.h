#pragma once

#include <chrono>
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
  bool watch = false;  ///< of `status`: again and again
  bool json = false;   ///< of `status`
};

/// Flags may stand anywhere, with one dash or two, as `-name value` or `-name=value`; what follows `--` is
/// none. Reads -auth-file. Errors: kInvalidArgument, kIo, one line that names what is wrong.
[[nodiscard]] Result<Arguments> parse_arguments(std::span<const std::string_view> words);

}  // namespace minivault::admin
