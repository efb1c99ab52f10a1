#include "common/core/random.h"

#include <sys/random.h>

#include "common/core/assert.h"

namespace minivault {

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  while (value == 0) {
    // Up to 256 bytes are never cut short once the pool is seeded; EINTR can only come before that.
    const ssize_t got = ::getrandom(&value, sizeof value, 0);
    MV_ASSERT(got == static_cast<ssize_t>(sizeof value) || got < 0);
  }
  return value;
}

}  // namespace minivault
