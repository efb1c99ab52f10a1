#pragma once

#include <cstdint>

#include "common/core/error.h"
#include "common/protocol/binary.h"

/// The one table from an error's code to what clients are told. A switch without default: a new code does not
/// compile until it is decided here.
namespace minivault::protocol {

/// Published clients know one error only.
[[nodiscard]] constexpr std::uint8_t binary_status(Code) {
  return kStatusError;
}

[[nodiscard]] constexpr int http_status(Code code) {
  // clang-format off
  switch (code) {
    case Code::kInvalidArgument: return 400;
    case Code::kNotFound:        return 404;
    case Code::kExists:          return 409;
    case Code::kVersionMismatch: return 409;
    case Code::kTooLarge:        return 413;
    case Code::kNoSpace:         return 503;
    case Code::kTimedOut:        return 503;
    case Code::kOutcomeUnknown:  return 503;
    case Code::kUnauthorized:    return 401;
    case Code::kRateLimited:     return 429;
    case Code::kCorrupt:         return 500;
    case Code::kIo:              return 500;
    case Code::kUnavailable:     return 503;
    case Code::kBusy:            return 503;
  }
  // clang-format on
  return 500;  // a value outside the enumeration, from a cast
}

}  // namespace minivault::protocol
