#include "worker/large_values.h"

#include <sys/resource.h>

#include <algorithm>
#include <functional>

namespace minivault::worker {
namespace {

/// Connections need descriptors too.
std::size_t most_copies() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return std::min<std::size_t>(LargeValues::kMostCopies, limit.rlim_cur / 8);
}

}  // namespace

std::shared_ptr<const net::FrozenBytes> LargeValues::find(std::string_view value,
                                                          const store::Version& version) {
  const Place place{value.data(), value.size(), version};
  if (const auto found = by_place_.find(place.at); found != by_place_.end()) {
    const auto copy = found->second;
    if (copy->place == place) {
      copies_.splice(copies_.begin(), copies_, copy);
      return copy->bytes;
    }
    forget(copy);
  }
  // Half of the room for one value would push out too much for it.
  if (value.size() > limit_bytes_ / 2 || !was_asked_before(place)) return nullptr;
  return add(place);
}

bool LargeValues::was_asked_before(const Place& place) {
  Place& seen = asked_once_[std::hash<const char*>()(place.at) / 64 % asked_once_.size()];
  if (seen == place) return true;
  seen = place;
  return false;
}

std::shared_ptr<const net::FrozenBytes> LargeValues::add(const Place& place) {
  const std::size_t most = most_copies();
  while (!copies_.empty() && (bytes_ + place.size > limit_bytes_ || copies_.size() >= most)) {
    forget(std::prev(copies_.end()));
  }
  auto bytes = net::FrozenBytes::copy_of({place.at, place.size});
  if (bytes == nullptr) return nullptr;
  copies_.push_front({place, bytes});
  by_place_[place.at] = copies_.begin();
  bytes_ += place.size;
  return bytes;
}

void LargeValues::forget(std::list<Copy>::iterator copy) {
  bytes_ -= copy->place.size;
  by_place_.erase(copy->place.at);
  copies_.erase(copy);
}

}  // namespace minivault::worker
