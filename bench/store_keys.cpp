#include "bench/store_keys.h"

#include <random>

namespace minivault::bench {
namespace {

constexpr std::uint64_t kSeed = 20'240'229;

/// SplitMix64's finisher: one to one, so keys never meet.
std::uint64_t scramble(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace

Key::Key(std::uint64_t number) {
  std::uint64_t bits = scramble(number);
  for (char& digit : digits_) {
    digit = "0123456789abcdef"[bits >> 60];
    bits <<= 4;
  }
}

std::vector<Key> all_keys(std::uint64_t count) {
  std::vector<Key> keys;
  keys.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) keys.emplace_back(i);
  return keys;
}

std::vector<Key> draw_keys(load::Distribution distribution, std::uint64_t count, std::size_t length) {
  load::KeyChoice choice(distribution, count, kSeed);
  std::vector<Key> keys;
  keys.reserve(length);
  for (std::size_t i = 0; i < length; ++i) keys.emplace_back(choice.next());
  return keys;
}

std::string noise(std::size_t bytes) {
  std::mt19937_64 random(kSeed);
  std::string out(bytes, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

}  // namespace minivault::bench
