#pragma once

#include <filesystem>

namespace minivault::test {

/// The top of the checkout, for tests that hold documents to their word.
[[nodiscard]] std::filesystem::path source_directory();

}  // namespace minivault::test
