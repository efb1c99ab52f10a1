#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace minivault::test {

/// A process as /proc tells it.
struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string name;  ///< comm: the first 15 bytes of the role
};

/// Children, theirs, and so on, zombies left out.
[[nodiscard]] std::vector<Process> descendants_of(pid_t ancestor);

/// There, and not a zombie.
[[nodiscard]] bool is_alive(pid_t pid);

/// Each of its threads is stopped by SIGSTOP, or it is a zombie, or gone: it does nothing any more.
[[nodiscard]] bool is_stopped(pid_t pid);

/// SIGSTOP, and what it is for: kill() returns while threads of the process still run on other cores.
void suspend(pid_t pid);

/// Its first thread waits for a lock, or for whatever else a futex is for.
[[nodiscard]] bool waits_in_futex(pid_t pid);

/// Anonymous and shared memory that is resident, page cache of files left out. 0 where the process is gone.
[[nodiscard]] std::uint64_t resident_bytes(pid_t pid);

/// The most that ever was resident of it, files included.
[[nodiscard]] std::uint64_t peak_resident_bytes(pid_t pid);
/// What of freed memory is kept besides, for accesses to it to be seen.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr std::uint64_t kKeptFreed = std::uint64_t{256} << 20;
#else
inline constexpr std::uint64_t kKeptFreed = 0;
#endif
#else
inline constexpr std::uint64_t kKeptFreed = 0;
#endif

/// A port that nothing listens on now.
[[nodiscard]] std::uint16_t free_port();

}  // namespace minivault::test
