#include "worker/gathering.h"

#include <algorithm>

namespace minivault::worker {

void Gathering::answers_left(std::size_t answered, std::size_t waiting, std::uint64_t now_ns) {
  enough_ = 0;
  if (pause_ > 0) {
    --pause_;
    return;
  }
  const std::size_t all = answered + waiting;
  enough_ = all - all / 8;  // a straggler holds nobody up
  until_ns_ = now_ns + kWaitNs;
}

bool Gathering::expects_more(std::size_t waiting, std::uint64_t now_ns) {
  if (enough_ == 0) return false;
  const bool came = waiting >= enough_;
  if (!came && now_ns < until_ns_) return true;
  enough_ = 0;
  pause_ = came ? 0 : next_pause_;
  next_pause_ = came ? 1 : std::min(2 * next_pause_, kLongestPause);
  return false;
}

}  // namespace minivault::worker
