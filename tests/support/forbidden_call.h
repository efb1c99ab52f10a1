#pragma once

namespace minivault::test {

/// The system call fails with EPERM in this thread from now on, and in what it starts. Not to be taken back:
/// for a process or thread of its own. False: the kernel refuses.
[[nodiscard]] bool forbid_system_call(unsigned number);

}  // namespace minivault::test
