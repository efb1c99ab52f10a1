#pragma once

#include <string_view>

namespace minivault::admin {

/// True for check, dump, load, backup and restore.
[[nodiscard]] bool is_command(std::string_view word);

/// Runs `minivault WORD …`, with the arguments as main() got them. Exit status: 0 done, 1 not done (the
/// reason is on standard error) or, of check, problems found; 2 wrong usage, nothing was touched.
int run_command(int argc, char** argv);

}  // namespace minivault::admin
