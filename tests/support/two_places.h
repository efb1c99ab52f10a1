#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/core/unique_fd.h"

namespace minivault::test {

/// A name that in this process, and in no other, has two addresses: kElsewhere first, then 127.0.0.1. The
/// test that uses it depends on no name server and no file of the machine.
inline constexpr const char* kNameOfTwo = "two-places.test";
/// … and one that has kElsewhere so many times before that.
inline constexpr const char* kNameOfMany = "many-places.test";
inline constexpr int kTimesElsewhere = 6;
inline constexpr const char* kElsewhere = "127.0.0.2";

/// Takes no calls and refuses none, at kElsewhere and that port: its queue is full. Where there is none,
/// calls to that port are refused there.
class SilentPlace {
 public:
  explicit SilentPlace(std::uint16_t port);

 private:
  UniqueFd listener_;
  std::vector<UniqueFd> callers_;
};

}  // namespace minivault::test
