#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

/// What the processes of a node count, in shared memory. A set for each slot, written by the process that has
/// the slot and by nobody else: plain additions, no locked instruction, no cache line with two writers. A
/// process that dies leaves its numbers, and the slot's next owner counts on: a sum over all slots never
/// falls. Read by whoever likes, without a lock; sums may be a few events apart.
namespace minivault::shared {

inline constexpr std::size_t kCacheLine = 64;

enum class Proto : std::uint8_t { kBinary, kHttp };
inline constexpr std::size_t kProtos = 2;

/// What a request asks for. The first kTimedOps are timed.
enum class Op : std::uint8_t { kGet, kSet, kDelete, kSync, kHealth, kMonitor, kAuth, kBackup, kOther };
inline constexpr std::size_t kOps = 9;
inline constexpr std::size_t kTimedOps = 4;

/// What its client was told.
enum class Told : std::uint8_t {
  kOk,
  kNotFound,
  kConflict,      ///< a condition does not hold
  kInvalid,       ///< the request makes no sense
  kUnauthorized,  ///< the key is missing or wrong
  kTooLarge,
  kLimited,      ///< -ratelimit
  kUnavailable,  ///< not now, and nothing happened
  kUnknown       ///< no quorum in time: the write may still take effect
};
inline constexpr std::size_t kTolds = 9;

/// Where a request's time goes. They follow each other, and kWhole is from the first to the last.
enum class Stage : std::uint8_t {
  kParse,    ///< from the turn's begin until the store is asked: reading, parsing, others' requests
  kStore,    ///< lookup, or append and the wait for room
  kDurable,  ///< until the log is on disk
  kQuorum,   ///< from the append until enough other nodes have it
  kWhole     ///< from the turn's begin until its answer may leave
};
inline constexpr std::size_t kStages = 5;

/// Times in buckets of powers of two, from 256 ns to 17 s; the last bucket holds all longer ones.
struct alignas(kCacheLine) TimeHistogram {
  static constexpr unsigned kFirstBits = 8;
  static constexpr unsigned kLastBits = 34;
  static constexpr std::size_t kBuckets = kLastBits - kFirstBits + 2;

  std::atomic<std::uint64_t> sum_ns;
  std::atomic<std::uint64_t> buckets[kBuckets];

  /// The first bucket that `ns` is not above: bucket i holds what is at most upper_ns(i).
  [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t ns) {
    const auto bits = static_cast<unsigned>(std::bit_width(ns == 0 ? ns : ns - 1));
    return std::clamp(bits, kFirstBits, kLastBits + 1) - kFirstBits;
  }
  [[nodiscard]] static constexpr std::uint64_t upper_ns(std::size_t bucket) {
    return std::uint64_t{1} << (bucket + kFirstBits);
  }

  /// REQUIRES: one writer at a time.
  void record(std::uint64_t ns, std::uint64_t times = 1);
};

/// More of something that one process counts.
inline void add(std::atomic<std::uint64_t>& counter, std::uint64_t more = 1) {
  counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

inline void TimeHistogram::record(std::uint64_t ns, std::uint64_t times) {
  add(sum_ns, ns * times);
  add(buckets[bucket_of(ns)], times);
}

/// The set of one slot. All zero when the node starts.
struct alignas(kCacheLine) ProcessMetrics {
  std::atomic<std::uint64_t> requests[kProtos][kOps][kTolds];
  /// Lookups that the log answered by way of the index, and those that had to ask a cache or the base.
  std::atomic<std::uint64_t> found_by_index;
  std::atomic<std::uint64_t> asked_below_window;
  std::atomic<std::uint64_t> slow_operations;  ///< that took as long as -slowlog says
  TimeHistogram times[kTimedOps][kStages];

  [[nodiscard]] std::atomic<std::uint64_t>& request(Proto proto, Op op, Told told) {
    return requests[static_cast<std::size_t>(proto)][static_cast<std::size_t>(op)]
                   [static_cast<std::size_t>(told)];
  }
  /// REQUIRES: a timed operation.
  [[nodiscard]] TimeHistogram& time(Op op, Stage stage) {
    return times[static_cast<std::size_t>(op)][static_cast<std::size_t>(stage)];
  }
};

static_assert(TimeHistogram::bucket_of(0) == 0 && TimeHistogram::bucket_of(256) == 0);
static_assert(TimeHistogram::bucket_of(257) == 1 && TimeHistogram::bucket_of(512) == 1);
static_assert(TimeHistogram::bucket_of(~std::uint64_t{0}) == TimeHistogram::kBuckets - 1);
static_assert(sizeof(TimeHistogram) % kCacheLine == 0 && sizeof(ProcessMetrics) % kCacheLine == 0,
              "no two processes count in one cache line");
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace minivault::shared
