#pragma once

#include <cppunit/extensions/HelperMacros.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace minivault::test {

/// Every truncation of `bytes` is refused.
template <typename Decode>
void assert_no_truncation_passes(const std::string& bytes, Decode decode) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own size, so that a sanitizer sees a read beyond it.
    const std::string cut(bytes.data(), size);
    CPPUNIT_ASSERT_MESSAGE("cut to " + std::to_string(size), !decode(std::string_view(cut)));
  }
  const std::string longer = bytes + '\0';
  CPPUNIT_ASSERT_MESSAGE("a byte more", !decode(std::string_view(longer)));
}

/// Every byte is changed in several ways: whatever is made of it, nothing crashes and nothing is read beyond.
template <typename Decode>
void decode_every_flip(const std::string& bytes, Decode decode) {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int mask : {0x01, 0x80, 0x7F, 0xFF}) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ mask);
      (void)decode(std::string_view(flipped));
    }
  }
}

/// Bytes of no meaning, some of them behind a sound beginning.
template <typename Decode>
void decode_noise(const std::string& sound, std::mt19937_64& random, Decode decode) {
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes = sound.substr(0, random() % (sound.size() + 1));
    const std::size_t more = random() % 64;
    for (std::size_t i = 0; i < more; ++i) bytes += static_cast<char>(random());
    (void)decode(std::string_view(bytes));
  }
}

}  // namespace minivault::test
