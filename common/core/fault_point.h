#pragma once

/// Named places in the code where a test makes a process die, stop or fail. Compiled to nothing unless
/// MINIVAULT_FAULT_POINTS is defined, so a released binary has none of it.
///
///   MV_FAULT_POINT("append.before_slots");             // may kill or stop the process
///   if (MV_FAULT_FAILS("syncer.fdatasync")) return …;  // may also be told to fail
///
/// The README of each folder that has such places lists their names.
#ifdef MINIVAULT_FAULT_POINTS

#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace minivault {

/// What shall happen where. Lives in memory that processes forked after the first use share: set by a test at
/// any time, before or after the fork. The environment variable
/// MINIVAULT_FAULT_POINT=NAME:COUNT:kill|stop|fail sets it for programs that a test starts.
struct FaultPlan {
  enum class Action : std::uint32_t { kKill, kStop, kFail };
  static constexpr unsigned kNameBytes = 48;

  std::atomic<std::uint32_t> armed{0};  ///< 1: the rest is valid
  char name[kNameBytes] = {};
  std::atomic<Action> action{Action::kKill};
  std::atomic<std::int64_t> countdown{0};  ///< acts when it is counted down to 0; kFail also ever after
  std::atomic<pid_t> only{0};              ///< 0: whoever comes first
  std::atomic<std::uint32_t> acted{0};     ///< how often

  /// Acts when the point is reached the `count`th time from now on.
  void arm(const char* point, Action what, std::int64_t count = 1, pid_t process = 0);
  void disarm() { armed.store(0, std::memory_order_release); }
};

FaultPlan& fault_plan();
/// True: the caller shall fail.
[[nodiscard]] bool fault_point(const char* name);

}  // namespace minivault

#define MV_FAULT_POINT(name) static_cast<void>(::minivault::fault_point(name))
#define MV_FAULT_FAILS(name) ::minivault::fault_point(name)

#else

#define MV_FAULT_POINT(name) static_cast<void>(0)
#define MV_FAULT_FAILS(name) false

#endif
