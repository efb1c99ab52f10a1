#include "common/core/log_repeats.h"

#include <algorithm>
#include <utility>

namespace minivault {

LogRepeats::Verdict LogRepeats::judge(std::string_view event, std::uint64_t now_ms) {
  auto found = places_.find(event);
  if (found == places_.end()) found = places_.emplace(event, Place{}).first;
  Place& place = found->second;
  if (place.due_ms > now_ms + (kBurst - 1) * kEveryMs) {
    ++place.suppressed;
    return {.written = false};
  }
  place.due_ms = std::max(place.due_ms, now_ms) + kEveryMs;
  return {.written = true, .suppressed = std::exchange(place.suppressed, 0)};
}

}  // namespace minivault
