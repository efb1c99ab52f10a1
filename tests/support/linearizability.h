#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace minivault::test {

/// One call of one client to one register, as the client saw it. Values are numbers; 0 is "nothing there".
/// A value other than 0 is written once at most.
struct RegisterCall {
  enum class Kind : std::uint8_t {
    kRead,    ///< found `value`
    kWrite,   ///< of `value`
    kReplace  ///< of `expected` by `value`: refused where something else is there
  };
  enum class Outcome : std::uint8_t { kDone, kRefused, kUnknown };
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  Kind kind = Kind::kRead;
  Outcome outcome = Outcome::kDone;
  std::uint64_t value = 0;
  std::uint64_t expected = 0;
  std::uint64_t begin = 0;     ///< by any clock that all clients share
  std::uint64_t end = kNever;  ///< kUnknown: it may take effect at any time after `begin`, or never
};

/// Whether the calls could have happened one after the other, each at an instant between its begin and its
/// end, on a register that holds `initial` first: linearizability (Herlihy and Wing, 1990). Searches as Wing
/// and Gong did, with Lowe's memory of what was tried.
[[nodiscard]] bool is_linearizable(const std::vector<RegisterCall>& calls, std::uint64_t initial = 0);

/// The calls around the first one that has no place, for people.
[[nodiscard]] std::string explain(std::vector<RegisterCall> calls, std::uint64_t initial = 0);

}  // namespace minivault::test
