#pragma once

#include <compare>
#include <cstdint>

namespace minivault::store {

/// When and where a record was written: a hybrid logical clock value (48 bits of ms since 1970, 16 bits of
/// counter; Kulkarni et al., "Logical Physical Clocks", 2014) and the id of the node that stamped it.
/// Totally ordered; the larger version of a key wins on every node.
struct Version {
  std::uint64_t hlc = 0;
  std::uint64_t origin = 0;

  auto operator<=>(const Version&) const = default;
};

}  // namespace minivault::store
