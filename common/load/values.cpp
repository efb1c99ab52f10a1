#include "common/load/values.h"

#include <algorithm>
#include <array>
#include <random>

namespace minivault::load {
namespace {

constexpr std::size_t kNumberDigits = 12;
constexpr std::uint64_t kStarts = 4096;
constexpr std::uint64_t kScatter = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio: neighbours start far apart

std::array<char, kNumberDigits> digits_of(std::uint64_t number) {
  std::array<char, kNumberDigits> digits{};
  for (std::size_t i = kNumberDigits; i > 0; --i, number /= 10) {
    digits[i - 1] = static_cast<char>('0' + number % 10);
  }
  return digits;
}

std::string random_text(std::uint64_t size) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::mt19937_64 random(1);  // the same in every run, so that one run can verify what another stored
  std::string text(size, '\0');
  for (char& letter : text) letter = kLetters[random() % kLetters.size()];
  return text;
}

}  // namespace

Values::Values(std::uint64_t value_bytes)
    : value_bytes_(value_bytes),
      head_bytes_(std::min<std::uint64_t>(value_bytes, kNumberDigits)),
      filler_(random_text(kStarts + value_bytes - head_bytes_)) {}

void Values::append_key(std::string& out, std::uint64_t number) {
  const auto digits = digits_of(number);
  out.append("key:").append(digits.data(), digits.size());
}

std::string_view Values::filler(std::uint64_t number) const {
  const std::uint64_t start = number * kScatter >> 52U;
  static_assert(kStarts == std::uint64_t{1} << (64 - 52));
  return std::string_view(filler_).substr(start, value_bytes_ - head_bytes_);
}

void Values::append_value(std::string& out, std::uint64_t number) const {
  const auto digits = digits_of(number);
  out.append(digits.data() + kNumberDigits - head_bytes_, head_bytes_).append(filler(number));
}

bool Values::is_value(std::string_view bytes, std::uint64_t number) const {
  if (bytes.size() != value_bytes_) return false;
  const auto digits = digits_of(number);
  const std::string_view head(digits.data() + kNumberDigits - head_bytes_, head_bytes_);
  return bytes.starts_with(head) && bytes.substr(head_bytes_) == filler(number);
}

}  // namespace minivault::load
