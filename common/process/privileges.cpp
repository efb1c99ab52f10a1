#include "common/process/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/core/log.h"
#include "common/process/exit_code.h"

namespace minivault {
namespace {

bool has_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return true;
  for (const auto& set : sets) {
    if ((set.effective | set.permitted) != 0) return true;
  }
  return false;
}

bool is_only(const User& user) {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  gid_t real_group = 0;
  gid_t effective_group = 0;
  gid_t saved_group = 0;
  return ::getresuid(&real, &effective, &saved) == 0 &&
         ::getresgid(&real_group, &effective_group, &saved_group) == 0 && real == user.uid &&
         effective == user.uid && saved == user.uid && real_group == user.gid &&
         effective_group == user.gid && saved_group == user.gid;
}

bool can_return() {
  return ::setuid(0) == 0 || ::seteuid(0) == 0 || ::setgid(0) == 0;
}

}  // namespace

Result<ActingAs> ActingAs::begin(const User& user) {
  ActingAs acting;
  acting.uid_ = ::geteuid();
  acting.gid_ = ::getegid();
  const int count = ::getgroups(0, nullptr);
  acting.groups_.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  if (count < 0 || ::getgroups(count, acting.groups_.data()) != count) {
    acting.active_ = false;
    return fail_errno("cannot tell this process's groups", errno);
  }
  if (::initgroups(user.name.c_str(), user.gid) != 0 || ::setegid(user.gid) != 0 ||
      ::seteuid(user.uid) != 0) {
    return fail_errno("cannot act as the user " + user.name, errno);  // and goes back
  }
  return acting;
}

ActingAs::ActingAs(ActingAs&& other) noexcept
    : active_(std::exchange(other.active_, false)),
      uid_(other.uid_),
      gid_(other.gid_),
      groups_(std::move(other.groups_)) {}

ActingAs::~ActingAs() {
  if (!active_) return;
  if (::seteuid(uid_) == 0 && ::setegid(gid_) == 0 && ::setgroups(groups_.size(), groups_.data()) == 0)
    return;
  log_line(LogLevel::kError, "cannot_be_root_again");
  ::_exit(kExitFailure);
}

Status become(const User& user) {
  const std::string what = "cannot become the user " + user.name;
  if (::initgroups(user.name.c_str(), user.gid) != 0 || ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail_errno(what, errno);
  }
  if (!is_only(user) || has_capabilities() || (user.uid != 0 && can_return())) {
    return fail(Code::kIo, what + ": rights of root were left");
  }
  return {};
}

}  // namespace minivault
