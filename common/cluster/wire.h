#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

/// Integers and texts of messages: fixed ones little-endian, counts and lengths LEB128. No I/O.
namespace minivault::cluster::wire {

static_assert(std::endian::native == std::endian::little, "integers are copied as they are");

template <typename Integer>
void put_fixed(std::string& out, Integer value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

inline void put(std::string& out, std::uint64_t value) {
  constexpr std::uint64_t kSevenBits = 0x7F;
  for (; value > kSevenBits; value >>= 7U) out.push_back(static_cast<char>((value & kSevenBits) | 0x80U));
  out.push_back(static_cast<char>(value));
}

inline void put_text(std::string& out, std::string_view text) {
  put(out, text.size());
  out.append(text);
}

/// Takes a message apart. After the first thing that is not there everything reads as nothing and good() is
/// false, so that a decoder asks once, at its end: done().
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  template <typename Integer>
  Integer fixed() {
    Integer value{};
    const std::string_view bytes = take(sizeof value);
    if (good_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = fixed<std::uint8_t>();
      const std::uint64_t bits = byte & 0x7FU;
      if (!good_ || (shift == 63 && bits > 1)) break;
      value |= bits << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    good_ = false;
    return 0;
  }

  /// A number that says how many things of at least `each` bytes follow: more than there is room for is
  /// wrong.
  std::uint64_t count(std::size_t each) {
    const std::uint64_t value = number();
    if (good_ && value > left_.size() / each) good_ = false;
    return good_ ? value : 0;
  }

  std::string_view text() { return take(number()); }

  std::string_view take(std::uint64_t size) {
    if (!good_ || size > left_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return left_.empty(); }
  /// Everything was there and nothing is left.
  [[nodiscard]] bool done() const { return good_ && left_.empty(); }
  [[nodiscard]] std::string_view left() const { return left_; }

 private:
  std::string_view left_;
  bool good_ = true;
};

}  // namespace minivault::cluster::wire
