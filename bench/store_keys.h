#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/load/key_choice.h"

namespace minivault::bench {

/// Sixteen hexadecimal digits that look drawn at random: neighbours in number are no neighbours in order.
class Key {
 public:
  Key() = default;
  explicit Key(std::uint64_t number);
  [[nodiscard]] std::string_view view() const { return {digits_.data(), digits_.size()}; }

 private:
  std::array<char, 16> digits_;
};

/// Keys 0 to `count` - 1 in order of number.
std::vector<Key> all_keys(std::uint64_t count);
/// `length` keys out of `count`, drawn beforehand, so that drawing costs nothing where it is measured. They
/// are walked in a row, which the hardware prefetches, so they do not cost cache misses of their own either.
std::vector<Key> draw_keys(load::Distribution distribution, std::uint64_t count, std::size_t length);

/// Bytes that no engine can compress.
std::string noise(std::size_t bytes);

}  // namespace minivault::bench
