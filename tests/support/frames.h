#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace minivault::test {

// Frames of the binary protocol, written down a second time on purpose: a test that used the project's own
// codec would not notice an error in it. The lengths can be lied about.

[[nodiscard]] inline std::string little_endian(std::uint64_t number, unsigned bytes) {
  std::string text;
  for (unsigned i = 0; i < bytes; ++i) text += static_cast<char>(number >> 8U * i & 0xffU);
  return text;
}

[[nodiscard]] inline std::string keyed_frame(char opcode, std::string_view key) {
  return opcode + little_endian(key.size(), 2) + std::string(key);
}

[[nodiscard]] inline std::string get_frame(std::string_view key) {
  return keyed_frame('\1', key);
}
[[nodiscard]] inline std::string delete_frame(std::string_view key) {
  return keyed_frame('\3', key);
}
[[nodiscard]] inline std::string health_frame() {
  return keyed_frame('\5', "x");
}
[[nodiscard]] inline std::string auth_frame(std::string_view key) {
  return keyed_frame('\6', key);
}

[[nodiscard]] inline std::string set_frame(std::string_view key, std::string_view value,
                                           char compressed = '\0') {
  return keyed_frame('\2', key) + little_endian(value.size(), 4) + compressed + std::string(value);
}

[[nodiscard]] inline std::string value_answer(std::string_view value) {
  return '\0' + little_endian(value.size(), 4) + std::string(value);
}

inline const std::string kOk(5, '\0');
inline const std::string kError("\xff\0\0\0\0", 5);

}  // namespace minivault::test
