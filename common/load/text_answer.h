#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/load/codec.h"

/// What the two protocols of lines, RESP and memcache, have in common.
namespace minivault::load {

inline constexpr std::string_view kLineEnd = "\r\n";
inline constexpr std::size_t kLongestLine = 4096;  ///< an answer's first line is not longer
/// What claims to be larger is no answer: no server has such values, and sizes can be added without a care.
inline constexpr std::uint64_t kLargestBody = 1U << 30U;

/// The first line without its end; nullopt while its end is not there, and where it is no line: see
/// no_line_answer(). Never empty.
[[nodiscard]] inline std::optional<std::string_view> first_line(std::string_view input) {
  const std::size_t end = input.find('\n');
  if (end == std::string_view::npos || end < kLineEnd.size() || input[end - 1] != '\r') return std::nullopt;
  return input.substr(0, end - 1);
}

[[nodiscard]] inline std::optional<std::uint64_t> number_of(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

/// An answer that is the line alone.
[[nodiscard]] inline Answer line_answer(Answer::Kind kind, std::string_view line) {
  return {kind, line.size() + kLineEnd.size(), {}};
}

/// The line, `bytes` of value, and a line end.
[[nodiscard]] inline Answer value_answer(std::string_view input, std::string_view line, std::uint64_t bytes) {
  if (bytes > kLargestBody) return {Answer::Kind::kBad, 0, {}};
  const std::uint64_t begin = line.size() + kLineEnd.size();
  const std::uint64_t size = begin + bytes + kLineEnd.size();
  if (input.size() < size) return {Answer::Kind::kDone, size, {}};
  if (input.substr(begin + bytes, kLineEnd.size()) != kLineEnd) return {Answer::Kind::kBad, 0, {}};
  return {Answer::Kind::kDone, size, input.substr(begin, bytes)};
}

/// Without a line: wait for more, unless it has ended as none may, or should long have ended.
[[nodiscard]] inline Answer no_line_answer(std::string_view input) {
  const bool bad = input.size() > kLongestLine || input.find('\n') != std::string_view::npos;
  return {bad ? Answer::Kind::kBad : Answer::Kind::kUnknown, 0, {}};
}

}  // namespace minivault::load
