#pragma once

#include <cstddef>
#include <cstdint>

namespace minivault::load {

/// When requests are meant to leave in an open loop: at a fixed rate from a start on, dealt to the
/// connections in turn, whatever the server does. A time waited for an answer is counted from here, so a
/// server that stops for a second is charged for all that should have been asked in that second (Gil Tene's
/// coordinated omission). Plain arithmetic; times are those of the caller's clock.
class Schedule {
 public:
  Schedule(std::uint64_t start_ns, double rate_per_second, std::size_t connections)
      : start_ns_(start_ns), period_ns_(1e9 / rate_per_second), connections_(connections) {}

  /// The moment of request `turn` (0, 1, …) of a connection (0 to connections - 1).
  [[nodiscard]] std::uint64_t due_ns(std::size_t connection, std::uint64_t turn) const {
    return due_ns(turn * connections_ + connection);
  }
  /// Of request `number` (0, 1, …) of all connections together: until then exactly so many were due.
  [[nodiscard]] std::uint64_t due_ns(std::uint64_t number) const {
    return start_ns_ + static_cast<std::uint64_t>(static_cast<double>(number) * period_ns_);
  }

 private:
  std::uint64_t start_ns_;
  double period_ns_;
  std::size_t connections_;
};

/// Walks the part of a schedule that one thread's connections have: first, first + step, … The caller's clock
/// comes as an argument.
class Pacer {
 public:
  Pacer(const Schedule& schedule, std::size_t first, std::size_t step, std::size_t connections)
      : schedule_(schedule), first_(first), step_(step), connections_(connections), connection_(first) {}

  [[nodiscard]] std::uint64_t next_due_ns() const { return schedule_.due_ns(connection_, turn_); }
  /// Of request `turn` of this thread's local-th connection.
  [[nodiscard]] std::uint64_t due_ns(std::size_t local, std::uint64_t turn) const {
    return schedule_.due_ns(first_ + local * step_, turn);
  }

  /// Calls release(local) for each request that is due at `now_ns`: the connection is the local-th of this
  /// thread.
  template <typename Release>
  void advance(std::uint64_t now_ns, Release release) {
    while (next_due_ns() <= now_ns) {
      release((connection_ - first_) / step_);
      connection_ += step_;
      if (connection_ < connections_) continue;
      connection_ = first_;
      ++turn_;
    }
  }

 private:
  Schedule schedule_;
  std::size_t first_;
  std::size_t step_;
  std::size_t connections_;
  std::size_t connection_;
  std::uint64_t turn_ = 0;
};

}  // namespace minivault::load
