#pragma once

#include <cstddef>
#include <utility>

namespace minivault::net {

/// How much memory large requests and answers of one process may take together. Counts, allocates nothing.
///
/// A request takes the whole of what it may come to need before it goes on, or waits: so whoever was let in
/// can finish, and two half-received requests never wait for each other. One thread.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t bytes) : limit_(bytes) {}

  [[nodiscard]] std::size_t limit() const { return limit_; }
  [[nodiscard]] std::size_t taken() const { return taken_; }

 private:
  friend class Reservation;
  std::size_t limit_;
  std::size_t taken_ = 0;
};

/// A part of a budget, given back at its end.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Reservation& operator=(Reservation&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Reservation() { release(); }

  /// Holds `bytes` in all from now on. False: there is no room for what is missing, nothing changed.
  [[nodiscard]] bool extend(MemoryBudget& budget, std::size_t bytes) {
    if (bytes <= bytes_) return true;
    if (bytes - bytes_ > budget.limit_ - budget.taken_) return false;
    budget.taken_ += bytes - bytes_;
    budget_ = &budget;
    bytes_ = bytes;
    return true;
  }
  void release() {
    if (budget_ != nullptr) budget_->taken_ -= bytes_;
    budget_ = nullptr;
    bytes_ = 0;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  MemoryBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace minivault::net
