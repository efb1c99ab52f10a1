#pragma once

#include <sys/types.h>

#include <string>

#include "common/core/error.h"

namespace minivault {

struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;  ///< its first group
};

/// Looks it up where the system keeps its users. Errors: kNotFound (there is none of that name), kIo.
[[nodiscard]] Result<User> find_user(const std::string& name);

/// The user of this process; its number where it has no name.
[[nodiscard]] std::string current_user_name();

}  // namespace minivault
