#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace minivault::replicator {

/// What was told to the log of one peer, so that no reason is told again and again, nor several in turn.
class SaidLately {
 public:
  static constexpr std::uint64_t kSayAgainMs = 60'000;
  static constexpr std::size_t kMost = 8;  ///< reasons; a peer of more of them is told of more often

  /// True: it was not said for a minute; now it is.
  [[nodiscard]] bool may_say(std::string_view what, std::uint64_t now_ms) {
    const auto same =
        std::find_if(said_.begin(), said_.end(), [&](const Said& each) { return each.what == what; });
    if (same != said_.end()) {
      if (now_ms < same->when_ms + kSayAgainMs) return false;
      said_.erase(same);
    }
    if (said_.size() == kMost) said_.pop_front();
    said_.push_back({std::string(what), now_ms});
    return true;
  }
  [[nodiscard]] bool empty() const { return said_.empty(); }
  void clear() { said_.clear(); }

 private:
  struct Said {
    std::string what;
    std::uint64_t when_ms;
  };
  std::deque<Said> said_;  // the oldest first
};

}  // namespace minivault::replicator
