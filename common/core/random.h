#pragma once

#include <cstdint>

namespace minivault {

/// 64 bits from the kernel's generator (getrandom(2)); never 0, so that 0 can mean "none".
[[nodiscard]] std::uint64_t random_u64();

}  // namespace minivault
