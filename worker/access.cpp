#include "worker/access.h"

#include <cstddef>

namespace minivault::worker {

bool AccessRules::needs_key(Access access) const {
  if (key_.empty()) return false;
  switch (access) {
    case Access::kPublic:
      return false;
    case Access::kRead:
      return mode_ == AuthMode::kAll;
    case Access::kWrite:
      return mode_ != AuthMode::kNone;
    case Access::kPeer:
      return true;
  }
  return true;
}

bool AccessRules::is_key(std::string_view offered) const {
  if (key_.empty()) return true;
  // The loop's length depends on what was offered alone; `volatile` keeps it from ending early.
  volatile unsigned char difference = offered.size() == key_.size() ? 0 : 1;
  for (std::size_t i = 0; i < offered.size(); ++i) {
    const auto wrong = static_cast<unsigned char>(offered[i] ^ key_[i % key_.size()]);
    difference = static_cast<unsigned char>(difference | wrong);
  }
  return difference == 0;
}

}  // namespace minivault::worker
