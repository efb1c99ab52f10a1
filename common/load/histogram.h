#pragma once

#include <cstdint>
#include <vector>

namespace minivault::load {

/// Counts of times in nanoseconds, in buckets that grow with the time: 128 equal ones for each power of two
/// (HdrHistogram's log-linear layout), so that every quantile is known to better than 1 %, from 1 ns to
/// 18 minutes, in a fixed 36 KB. Longer times count as the longest. One thread; merge() brings several
/// together.
class Histogram {
 public:
  Histogram();

  void record(std::uint64_t time_ns, std::uint64_t times = 1);
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double mean_ns() const;
  [[nodiscard]] std::uint64_t max_ns() const { return max_ns_; }

  /// The smallest recorded time that at least `fraction` (0 to 1) of all are not above, rounded up to the end
  /// of its bucket; 0 where nothing is recorded.
  [[nodiscard]] std::uint64_t quantile_ns(double fraction) const;

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace minivault::load
