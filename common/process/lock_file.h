#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace minivault {

/// What the supervisor writes into `minivault.lock` for people and for `minivault reload|drain`. The claim on
/// the directory is the flock(2), never this text.
///
///   PID
///   RELOADS OUTCOME      after the first reload or at the end
struct LockNote {
  pid_t pid = 0;              ///< 0: not told
  std::uint64_t reloads = 0;  ///< how many have come to an end
  std::string outcome = {};   ///< of the last: kReloaded, or why not; `stopped STATUS` once the node ended

  bool operator==(const LockNote&) const = default;
};

inline constexpr std::string_view kReloaded = "ok";
inline constexpr std::string_view kStopped = "stopped ";

[[nodiscard]] std::string lock_file_of(const std::string& directory);

/// Reads anything: what is not as written above is not told.
[[nodiscard]] LockNote parse_lock_note(std::string_view text);
[[nodiscard]] std::string lock_text(const LockNote& note);

/// Of an open lock file.
[[nodiscard]] LockNote read_lock_note(int fd);

}  // namespace minivault
