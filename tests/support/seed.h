#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace minivault::test {

/// The seed of a randomised test: MINIVAULT_SEED, else a fresh one. Printed, so that a failure can be
/// repeated.
[[nodiscard]] inline std::uint64_t seed() {
  const char* given = std::getenv("MINIVAULT_SEED");
  const std::uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cerr << "MINIVAULT_SEED=" << value << '\n';
  return value;
}

/// A whole number from the environment, for the size of a test; `otherwise` where it is not set.
[[nodiscard]] inline std::uint64_t environment_number(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

}  // namespace minivault::test
