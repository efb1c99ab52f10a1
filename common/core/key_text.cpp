#include "common/core/key_text.h"

namespace minivault {
namespace {

const char* ellipsis(std::string_view key) {
  return key.size() > kKeyBytesShown ? "..." : "";
}

}  // namespace

std::string shown_key(std::string_view key) {
  return std::string(key.substr(0, kKeyBytesShown)) + ellipsis(key);
}

std::string quoted_key(std::string_view key) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "\"";
  for (const char letter : key.substr(0, kKeyBytesShown)) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte >= 0x20 && byte < 0x7F && letter != '"' && letter != '\\') {
      text += letter;
    } else {
      text += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return text + '"' + ellipsis(key);
}

}  // namespace minivault
