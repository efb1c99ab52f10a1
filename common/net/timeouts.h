#pragma once

#include <cstdint>
#include <optional>

#include "common/net/list.h"

namespace minivault::net {

struct TimeoutTag;

/// What waits for a time-out of a Timeouts derives from this.
class TimeoutHook : public ListHook<TimeoutTag> {
 private:
  template <typename T>
  friend class Timeouts;
  std::uint64_t deadline_ms_ = 0;
};

/// Coarse timers that all last equally long: then the order of starting is the order of expiry, and starting,
/// stopping and finding the next are a few pointer stores. Another duration is another Timeouts.
template <typename T>
class Timeouts {
 public:
  explicit Timeouts(std::uint64_t duration_ms) : duration_ms_(duration_ms) {}

  /// (Re)starts the element's time-out. `now_ms` never goes back from call to call.
  void start(T& element, std::uint64_t now_ms) {
    hook(element).deadline_ms_ = now_ms + duration_ms_;
    running_.push_back(element);
  }
  void stop(T& element) { running_.remove(element); }
  [[nodiscard]] bool running(const T& element) const { return running_.contains(element); }

  /// The next element whose time is over, its time-out stopped; nullptr: none.
  [[nodiscard]] T* expired(std::uint64_t now_ms) {
    T* first = running_.front();
    if (first == nullptr || hook(*first).deadline_ms_ > now_ms) return nullptr;
    return running_.pop_front();
  }
  [[nodiscard]] std::optional<std::uint64_t> next_deadline_ms() const {
    T* first = running_.front();
    if (first == nullptr) return std::nullopt;
    return hook(*first).deadline_ms_;
  }

 private:
  static TimeoutHook& hook(T& element) { return element; }

  std::uint64_t duration_ms_;
  List<T, TimeoutTag> running_;
};

}  // namespace minivault::net
