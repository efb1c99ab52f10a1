#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What each target of this folder is: `check` is called with every input that libFuzzer thinks of; it aborts
/// (MV_ASSERT) where a promise is broken, the sanitizers where memory is. `seeds` are small whole inputs that
/// it begins with, made by the code that writes such bytes.
namespace minivault::fuzz {

void check(std::string_view input);
std::vector<std::string> seeds();

/// Takes the bytes that steer a target off the front of its input: 0 where there are none left.
inline std::uint8_t take_byte(std::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<std::uint8_t>(input.front());
  input.remove_prefix(1);
  return byte;
}

}  // namespace minivault::fuzz
