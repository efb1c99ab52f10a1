#pragma once

#include <cstddef>
#include <cstdint>

namespace minivault::worker {

/// Whether a few writes should wait for more, because those whose answers have just left tend to come back
/// at once: clients that write one value after the other then share one append and one sync, instead of
/// taking turns in two groups of half the size.
///
/// Believes in that as long as it proves true: where they do not come, the next answers are followed by no
/// wait, then the next two, then four, up to kLongestPause. So clients that write when they please lose
/// next to nothing.
class Gathering {
 public:
  static constexpr std::uint64_t kWaitNs = 100'000;  ///< an answer's way out and a request's way in, and more
  static constexpr unsigned kLongestPause = 64;

  /// The answers of `answered` clients have left, and `waiting` writes had come before that.
  void answers_left(std::size_t answered, std::size_t waiting, std::uint64_t now_ns);

  /// Whether more than the `waiting` writes are to be waited for.
  [[nodiscard]] bool expects_more(std::size_t waiting, std::uint64_t now_ns);

  /// For how long at most; 0: not at all.
  [[nodiscard]] std::uint64_t left_ns(std::uint64_t now_ns) const {
    return enough_ != 0 && now_ns < until_ns_ ? until_ns_ - now_ns : 0;
  }

 private:
  std::size_t enough_ = 0;  ///< so many writes need not wait for more; 0: no number does
  std::uint64_t until_ns_ = 0;
  unsigned next_pause_ = 1;
  unsigned pause_ = 0;  ///< so many answers are not followed by a wait
};

}  // namespace minivault::worker
