#include "common/core/user.h"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace minivault {
namespace {

constexpr std::size_t kRoom = 16 * 1024;

}  // namespace

Result<User> find_user(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> room(kRoom);
  const int error = ::getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
  if (found != nullptr) return User{name, found->pw_uid, found->pw_gid};
  // Some name services say "not found" by one of these.
  const bool is_unknown = error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
  if (!is_unknown) return fail_errno("cannot look up the user " + name, error);
  return fail(Code::kNotFound, "there is no user " + name);
}

std::string current_user_name() {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> room(kRoom);
  const uid_t uid = ::geteuid();
  ::getpwuid_r(uid, &entry, room.data(), room.size(), &found);
  return found != nullptr ? found->pw_name : std::to_string(uid);
}

}  // namespace minivault
