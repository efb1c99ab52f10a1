#pragma once

#include <sys/types.h>

#include <vector>

#include "common/core/error.h"
#include "common/core/user.h"

namespace minivault {

/// What root does in the name of a user it is about to become: files that are made meanwhile are the user's,
/// and what the user may not touch is refused. Ends with the object; a process that could not go back would
/// be half of each, and ends at once. One thread, one at a time.
class ActingAs {
 public:
  /// REQUIRES: this process is root. Error: kIo.
  [[nodiscard]] static Result<ActingAs> begin(const User& user);
  ~ActingAs();
  ActingAs(ActingAs&& other) noexcept;
  ActingAs& operator=(ActingAs&&) = delete;

 private:
  ActingAs() = default;

  bool active_ = true;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  std::vector<gid_t> groups_;
};

/// Root becomes `user` for good: groups, ids (real, effective, saved), no capability is kept, and nothing
/// that is executed later can bring any back (no_new_privs). Checked afterwards, by trying. Children forked
/// from now on are the user's, too. Error: kIo; then the process must not go on.
[[nodiscard]] Status become(const User& user);

}  // namespace minivault
