#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/core/unique_fd.h"
#include "common/load/codec.h"
#include "common/load/histogram.h"
#include "common/load/lane.h"
#include "common/load/schedule.h"
#include "common/load/values.h"

namespace minivault::load {

/// What came of the requests.
struct Tally {
  std::uint64_t answered = 0;    ///< with whatever answer
  std::uint64_t missing = 0;     ///< of those: no such key
  std::uint64_t refused = 0;     ///< of those: an error; in the binary protocol a missing key is one too
  std::uint64_t mismatched = 0;  ///< of those: not the value that belongs to the key
  std::uint64_t lost = 0;        ///< sent, and not answered: the connection broke, or the end came first
  std::uint64_t unsent = 0;      ///< due in the open loop, and not sent when it ended
  std::uint64_t broken = 0;      ///< connections
  std::string first_break;       ///< why the first of them broke
  /// When the last answer came; in the open loop not before its time was over, and where anything was lost,
  /// unsent or broken not before nobody waited any more.
  std::uint64_t finished_ns = 0;
  Histogram latency;

  void merge(const Tally& other);
  [[nodiscard]] std::uint64_t errors() const {
    return missing + refused + mismatched + lost + unsent + broken;
  }
};

/// What a thread has to do.
struct Task {
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  const Values* verify = nullptr;        ///< compare what a GET found with this
  std::uint64_t pipeline = 1;            ///< requests without an answer on one connection, at most
  std::uint64_t requests = kNoLimit;     ///< closed loop: send so many
  std::uint64_t deadline_ns = kNoLimit;  ///< send nothing after it
  std::optional<Pacer> pacer;            ///< open loop
};

/// Shared with the threads while they run.
struct Watch {
  std::atomic<std::uint64_t> answered = 0;
  std::atomic<bool> stop = false;
};

/// One thread's connections and the loop that keeps them busy: epoll, one write and one read a turn and
/// connection.
///
/// Closed loop: a connection sends `pipeline` requests at once, waits for all answers, sends the next.
/// Open loop: a connection sends what is due, as far as `pipeline` allows; the rest follows late, and is
/// counted from when it was due.
class Runner {
 public:
  /// No answer at all for so long, while some are waited for: the run is over.
  static constexpr std::uint64_t kPatienceNs = 15'000'000'000;

  /// Errors: kIo.
  [[nodiscard]] static Result<Runner> create(std::unique_ptr<Codec> codec, std::vector<Lane> lanes);

  [[nodiscard]] std::vector<Lane>& lanes() { return lanes_; }

  /// Plays what the lanes were told to play, until there is nothing left to send or no time, and all is
  /// answered.
  [[nodiscard]] Tally run(const Task& task, Watch& watch);

 private:
  class Run;

  Runner(UniqueFd epoll, std::unique_ptr<Codec> codec, std::vector<Lane> lanes)
      : epoll_(std::move(epoll)), codec_(std::move(codec)), lanes_(std::move(lanes)), dead_(lanes_.size()) {}

  UniqueFd epoll_;
  std::unique_ptr<Codec> codec_;
  std::vector<Lane> lanes_;
  std::vector<bool> dead_;  ///< by lane: once broken, a connection stays out of all later runs
  Inbox inbox_;
};

}  // namespace minivault::load
