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
///   RELOADS OUTCOME      after the first reload, or once it was asked to stop
struct LockNote {
  pid_t pid = 0;              ///< 0: not told
  std::uint64_t reloads = 0;  ///< how many have come to an end
  /// Of the last: kReloaded, or why not. kDraining once it was asked to stop, `stopped STATUS` once it ended.
  std::string outcome = {};

  bool operator==(const LockNote&) const = default;
};

inline constexpr std::string_view kReloaded = "ok";
inline constexpr std::string_view kDraining = "draining";
inline constexpr std::string_view kStopped = "stopped ";

[[nodiscard]] std::string lock_file_of(const std::string& directory);

/// Reads anything: what is not as written above is not told.
[[nodiscard]] LockNote parse_lock_note(std::string_view text);
[[nodiscard]] std::string lock_text(const LockNote& note);

/// Of an open lock file.
[[nodiscard]] LockNote read_lock_note(int fd);

}  // namespace minivault
