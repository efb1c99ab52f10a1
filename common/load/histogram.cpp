#include "common/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace minivault::load {
namespace {

constexpr unsigned kStepBits = 7;
constexpr std::uint64_t kSteps = 1U << kStepBits;
constexpr std::uint64_t kLongestNs = (std::uint64_t{1} << 40U) - 1;

/// How often a time is halved until it is below 2 * kSteps: that many low bits are not told apart.
constexpr unsigned coarseness(std::uint64_t time_ns) {
  const auto bits = static_cast<unsigned>(std::bit_width(time_ns));
  return bits > kStepBits + 1 ? bits - (kStepBits + 1) : 0;
}

/// Times below 2 * kSteps are their own buckets; each further power of two adds kSteps.
constexpr std::size_t bucket_of(std::uint64_t time_ns) {
  const unsigned shift = coarseness(time_ns);
  return shift * kSteps + (time_ns >> shift);
}

constexpr std::uint64_t last_time_in(std::size_t bucket) {
  if (bucket < 2 * kSteps) return bucket;
  const std::uint64_t shift = bucket / kSteps - 1;
  return ((bucket - shift * kSteps + 1) << shift) - 1;
}

constexpr std::size_t kBuckets = bucket_of(kLongestNs) + 1;
static_assert(last_time_in(kBuckets - 1) == kLongestNs);

}  // namespace

Histogram::Histogram() : counts_(kBuckets) {}

void Histogram::record(std::uint64_t time_ns, std::uint64_t times) {
  const std::uint64_t bounded = std::min(time_ns, kLongestNs);
  counts_[bucket_of(bounded)] += times;
  count_ += times;
  max_ns_ = std::max(max_ns_, times > 0 ? bounded : 0);
  sum_ns_ += static_cast<double>(bounded) * static_cast<double>(times);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
  sum_ns_ += other.sum_ns_;
}

double Histogram::mean_ns() const {
  return count_ == 0 ? 0 : sum_ns_ / static_cast<double>(count_);
}

std::uint64_t Histogram::quantile_ns(double fraction) const {
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= wanted) return std::min(last_time_in(i), max_ns_);
  }
  return max_ns_;
}

}  // namespace minivault::load
