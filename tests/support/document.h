#pragma once

#include <string>
#include <vector>

namespace minivault::test {

/// What a document of the checkout (`README.md`, `packaging/OPERATIONS.md`) tells to type: the lines of all
/// `sh` blocks below the heading `## HEADING`, of which there is at least one.
[[nodiscard]] std::vector<std::string> commands_below(const std::string& document,
                                                      const std::string& heading);

/// `text` with `instead` wherever `what` stood.
[[nodiscard]] std::string with(std::string text, const std::string& what, const std::string& instead);

}  // namespace minivault::test
