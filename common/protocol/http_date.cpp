#include "common/protocol/http_date.h"

#include <cstdio>
#include <ctime>

namespace minivault::protocol {
namespace {

// Not strftime's, which follow the locale.
constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

std::string_view DateLine::at(std::int64_t second) {
  if (second != second_) {
    second_ = second;
    const std::time_t time = second;
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    std::snprintf(line_.data(), line_.size(), "Date: %s, %02u %s %04u %02u:%02u:%02u GMT\r\n",
                  kDays[static_cast<std::size_t>(utc.tm_wday)], static_cast<unsigned>(utc.tm_mday) % 100U,
                  kMonths[static_cast<std::size_t>(utc.tm_mon)],
                  static_cast<unsigned>(utc.tm_year + 1900) % 10'000U,
                  static_cast<unsigned>(utc.tm_hour) % 100U, static_cast<unsigned>(utc.tm_min) % 100U,
                  static_cast<unsigned>(utc.tm_sec) % 100U);
  }
  return {line_.data(), kForm.size()};
}

std::string_view DateLine::now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return at(now.tv_sec);
}

}  // namespace minivault::protocol
