#pragma once

#include <sys/types.h>

#include <cstdint>

namespace minivault::test {

/// The kernel's number of the socket on 127.0.0.1:`from` that is connected to 127.0.0.1:`to`; 0: there is
/// none any more.
[[nodiscard]] std::uint64_t socket_between(std::uint16_t from, std::uint16_t to);

/// `pid`, one of its children, or one of theirs has that socket open.
[[nodiscard]] bool family_has_socket(pid_t pid, std::uint64_t socket);

}  // namespace minivault::test
