#pragma once

#include <cstdint>
#include <random>

namespace minivault::load {

enum class Distribution { kUniform, kZipf };

/// Which of `keys` keys, 0 to keys - 1, the next request is about. One thread.
///
/// kZipf: the k-th most wanted key is wanted in proportion to 1 / k^0.99 (the skew that YCSB made usual),
/// drawn exactly, without a table, by rejection from the integral (Hörmann and Derflinger, 1996). Which keys
/// are the wanted ones is scattered over the whole range, so that no store gains from their being neighbours.
class KeyChoice {
 public:
  static constexpr double kSkew = 0.99;

  /// REQUIRES: keys > 0.
  KeyChoice(Distribution distribution, std::uint64_t keys, std::uint64_t seed);

  [[nodiscard]] std::uint64_t next();

  /// The key at `rank`, 0 being the most wanted one of kZipf. One to one.
  [[nodiscard]] std::uint64_t key_at(std::uint64_t rank) const;

 private:
  [[nodiscard]] std::uint64_t zipf_rank();

  std::mt19937_64 random_;
  Distribution distribution_;
  std::uint64_t keys_;
  std::uint64_t stride_;  ///< without a common divisor with keys_
  double area_begin_;     ///< the integral up to rank 1's left edge, and up to the last one's right edge
  double area_end_;
};

}  // namespace minivault::load
