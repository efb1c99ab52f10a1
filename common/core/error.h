#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace minivault {

/// Why something was not done. One code only where a caller would act differently.
enum class Code {
  kInvalidArgument,  ///< the request itself is wrong; repeating it cannot help
  kNotFound,
  kExists,           ///< a condition on a write does not hold: the key is there
  kVersionMismatch,  ///< a condition on a write does not hold: the version is another
  kTooLarge,
  kNoSpace,         ///< the ring has no room now; the writer is woken when it has
  kTimedOut,        ///< nothing happened within the time allowed
  kOutcomeUnknown,  ///< may yet take effect
  kUnauthorized,
  kRateLimited,
  kCorrupt,      ///< stored or received bytes are not what their checksum or format says
  kIo,           ///< the operating system refused
  kUnavailable,  ///< the other side cannot be reached, or this node cannot do its work
  kBusy,         ///< somebody else holds it
};

/// A failure as a value: the code decides what the caller does, the message tells a person what was wrong.
struct Error {
  Code code;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(Code code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

/// `what: strerror(error_number)`, coded kIo.
[[nodiscard]] tl::unexpected<Error> fail_errno(const std::string& what, int error_number);

}  // namespace minivault
