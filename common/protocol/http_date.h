#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace minivault::protocol {

/// The `Date` line of HTTP responses. Written anew only when the second changes. One thread.
class DateLine {
 public:
  /// Of that second since 1970, with its CRLF. The view stays good as long as this object; what it shows is
  /// the second that was asked for last.
  [[nodiscard]] std::string_view at(std::int64_t second);
  [[nodiscard]] std::string_view now();

 private:
  static constexpr std::string_view kForm = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";

  std::int64_t second_ = -1;
  std::array<char, kForm.size() + 1> line_{};
};

}  // namespace minivault::protocol
