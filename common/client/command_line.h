#pragma once

#include <string_view>

namespace minivault::client {

/// True for get, set, del and health: the words that make `minivault WORD …` a client instead of a node.
[[nodiscard]] bool is_command(std::string_view word);

/// Runs `minivault WORD ADDRESS [KEY] [VALUE] [flags]`, with the arguments as main() got them.
/// With -help anywhere it prints the usage. Returns the exit status: 0 done, 1 not done (one line on standard
/// error says why), 2 wrong usage. `get` writes the value's bytes and nothing else; a newline follows only on
/// a terminal.
int run_command(int argc, char** argv);

}  // namespace minivault::client
