#pragma once

#include <cstdint>
#include <string_view>

/// UTF-8, one character at a time. Pure, any thread.
namespace minivault {

/// Bytes of the character that a lead byte announces, 0 if it announces none.
[[nodiscard]] constexpr std::size_t utf8_length(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

/// The second byte's range is narrower after four leads: no overlong form, no surrogate, nothing above
/// U+10FFFF.
[[nodiscard]] constexpr bool is_utf8_second_byte(std::uint8_t lead, std::uint8_t byte) {
  const std::uint8_t lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  return byte >= lowest && byte <= highest;
}

/// Bytes of the character at the front of `text`, 0 if there is none. REQUIRES: text is not empty.
[[nodiscard]] constexpr std::size_t utf8_front(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::size_t length = utf8_length(byte(0));
  if (length == 0 || length > text.size()) return 0;
  if (length > 1 && !is_utf8_second_byte(byte(0), byte(1))) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  return length;
}

}  // namespace minivault
