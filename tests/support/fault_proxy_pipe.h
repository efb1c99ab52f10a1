#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "tests/support/wait.h"

namespace minivault::test {

/// What befalls the bytes of one direction.
struct Faults {
  milliseconds delay{0};
  std::uint64_t bytes_per_second = 0;  ///< 0: as fast as it goes
  bool stalled = false;  ///< taken and held, ends and resets too, until this is over: a black hole
};

/// One direction of a connection through a FaultProxy: what was read and is not yet delivered.
class FaultProxyPipe {
 public:
  using Clock = std::chrono::steady_clock;

  /// Both sockets are non-blocking.
  FaultProxyPipe(int from, int to) : from_(from), to_(to) {}

  [[nodiscard]] bool wants_to_read(const Faults& faults) const;
  void read(const Faults& faults);

  /// When deliver() has something to do; nullopt: not before something else happens.
  [[nodiscard]] std::optional<Clock::time_point> due(const Faults& faults) const;
  /// The socket took less than what is due: wait until it is writable.
  [[nodiscard]] bool blocked() const { return blocked_; }

  enum class Delivery { kGoesOn, kBroken };
  /// Delivers what is due, at most `allowed` bytes; counts them into `delivered`. kBroken: the whole
  /// connection is to be reset.
  Delivery deliver(const Faults& faults, std::uint64_t allowed, std::uint64_t& delivered);

  /// The end was passed on.
  [[nodiscard]] bool finished() const { return finished_; }

 private:
  enum class Kind { kBytes, kEnd, kReset };
  struct Piece {
    Kind kind;
    std::string bytes;
    Clock::time_point through;  ///< when a line of that rate has carried it
  };

  void add(Kind kind, std::string bytes, const Faults& faults);

  int from_;
  int to_;
  std::deque<Piece> pieces_;
  std::size_t held_bytes_ = 0;
  Clock::time_point line_free_{};
  bool read_all_ = false;
  bool blocked_ = false;
  bool finished_ = false;
};

}  // namespace minivault::test
