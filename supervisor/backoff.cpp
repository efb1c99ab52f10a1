#include "supervisor/backoff.h"

#include <algorithm>

namespace minivault::supervisor {

void Backoff::died(std::uint64_t born_ms, std::uint64_t now_ms) {
  if (now_ms - born_ms >= policy_.good_life_ms) next_delay_ms_ = 0;
  due_ms_ = now_ms + next_delay_ms_;
  next_delay_ms_ = std::clamp(next_delay_ms_ * 2, policy_.first_delay_ms, policy_.longest_delay_ms);
}

}  // namespace minivault::supervisor
