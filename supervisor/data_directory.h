#pragma once

#include <chrono>
#include <string>

#include "common/core/error.h"
#include "common/core/unique_fd.h"
#include "common/core/user.h"
#include "common/process/lock_file.h"

namespace minivault::supervisor {

/// What has to be done as root before `user` can claim the directory: it is made, and the user's from the
/// beginning; one that is there, root's and empty (a fresh volume) is given to the user. Nothing else changes
/// hands: what lies in it may be anybody's trick. Error: kIo.
[[nodiscard]] Status prepare_for(const User& user, const std::string& path);

/// How long a start waits for the processes of the node before it to end.
inline constexpr std::chrono::milliseconds kLockPatience{3'000};

/// The node's claim on its data directory: an flock(2) on `minivault.lock` in it.
///
/// Taken by the supervisor before anything in the directory is looked at. Every child inherits the
/// descriptor, so the claim ends with the node's last process, not with the supervisor (ENGINE.md rule 17).
/// The file holds the supervisor's pid and what became of reloads (common/process/lock_file.h), for people
/// and commands; its content means nothing to the lock.
class DataDirectory {
 public:
  /// Makes the directory (mode 0700; its parent must exist) if there is none.
  /// Errors: kIo (cannot be made or written to), kUnauthorized (this user may not), kBusy (naming the
  /// processes that hold it), each naming the path.
  [[nodiscard]] static Result<DataDirectory> claim(const std::string& path,
                                                   std::chrono::milliseconds patience = kLockPatience);

  /// Replaces what the lock file says. Error: kIo; nothing depends on it.
  [[nodiscard]] Status note(const LockNote& note) const;

 private:
  explicit DataDirectory(UniqueFd lock) : lock_(std::move(lock)) {}

  UniqueFd lock_;
};

}  // namespace minivault::supervisor
