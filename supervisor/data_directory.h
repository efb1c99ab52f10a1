#pragma once

#include <chrono>
#include <string>

#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault::supervisor {

/// How long a start waits for the processes of the node before it to end.
inline constexpr std::chrono::milliseconds kLockPatience{3'000};

/// The node's claim on its data directory: an flock(2) on `minivault.lock` in it.
///
/// Taken by the supervisor before anything in the directory is looked at. Every child inherits the
/// descriptor, so the claim ends with the node's last process, not with the supervisor (ENGINE.md rule 17).
/// The file holds the supervisor's pid for people; its content means nothing to the lock.
class DataDirectory {
 public:
  /// Makes the directory (mode 0700; its parent must exist) if there is none.
  /// Errors: kIo (cannot be made or written to), kBusy (naming the processes that hold it), each naming the
  /// path.
  [[nodiscard]] static Result<DataDirectory> claim(const std::string& path,
                                                   std::chrono::milliseconds patience = kLockPatience);

 private:
  explicit DataDirectory(UniqueFd lock) : lock_(std::move(lock)) {}

  UniqueFd lock_;
};

}  // namespace minivault::supervisor
