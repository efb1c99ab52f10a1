#include "common/load/key_choice.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/core/assert.h"

namespace minivault::load {
namespace {

constexpr double kRest = 1 - KeyChoice::kSkew;

/// The integral of x^-skew, and its inverse.
double area_to(double x) {
  return std::pow(x, kRest) / kRest;
}
double x_at(double area) {
  return std::pow(area * kRest, 1 / kRest);
}

double height(double x) {
  return std::pow(x, -KeyChoice::kSkew);
}

std::uint64_t coprime_near(std::uint64_t wanted, std::uint64_t keys) {
  while (std::gcd(wanted, keys) != 1) ++wanted;
  return wanted;
}

}  // namespace

KeyChoice::KeyChoice(Distribution distribution, std::uint64_t keys, std::uint64_t seed)
    : random_(seed),
      distribution_(distribution),
      keys_(keys),
      stride_(coprime_near(static_cast<std::uint64_t>(static_cast<double>(keys) * 0.6180339887) + 1, keys)),
      area_begin_(area_to(1.5) - 1),
      area_end_(area_to(static_cast<double>(keys) + 0.5)) {
  MV_ASSERT(keys > 0);
}

std::uint64_t KeyChoice::next() {
  if (distribution_ == Distribution::kZipf) return key_at(zipf_rank());
  return std::uniform_int_distribution<std::uint64_t>(0, keys_ - 1)(random_);
}

std::uint64_t KeyChoice::key_at(std::uint64_t rank) const {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(rank) * stride_ % keys_);
}

/// A point under the curve, moved to the whole number beside it. Around k the curve holds at least k's own
/// weight, for it is convex; what is too much is drawn again. Rank 1 has exactly its weight (area_begin_).
std::uint64_t KeyChoice::zipf_rank() {
  std::uniform_real_distribution<double> areas(area_begin_, area_end_);
  for (;;) {
    const double area = areas(random_);
    const double k = std::clamp(std::round(x_at(area)), 1.0, static_cast<double>(keys_));
    if (area >= area_to(k + 0.5) - height(k)) return static_cast<std::uint64_t>(k) - 1;
  }
}

}  // namespace minivault::load
