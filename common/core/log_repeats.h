#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace minivault {

/// Which lines of an event that happens again and again are written: the first few, then one now and then.
/// One process; not synchronised. Bounded by the number of events that the program knows.
class LogRepeats {
 public:
  static constexpr std::uint64_t kBurst = 20;       ///< lines of one event that may come at once,
  static constexpr std::uint64_t kEveryMs = 5'000;  ///< and after them one in this time

  struct Verdict {
    bool written = true;
    std::uint64_t suppressed = 0;  ///< of this event since the last one written
  };

  [[nodiscard]] Verdict judge(std::string_view event, std::uint64_t now_ms);

 private:
  struct Place {
    std::uint64_t due_ms = 0;  ///< the virtual time at which the next one would be due (GCRA)
    std::uint64_t suppressed = 0;
  };
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace minivault
