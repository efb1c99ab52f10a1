#include "common/config/values.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace minivault::settings {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::uint64_t kLongestIntervalMs = 60'000;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

/// Cuts the longest prefix made of `characters` off `text`.
std::string_view take(std::string_view& text, std::string_view characters) {
  const std::size_t end = std::min(text.find_first_not_of(characters), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end);
  return taken;
}

std::optional<std::uint64_t> bytes_in(std::string_view unit) {
  const std::string name = lower(unit);
  if (name == "b") return 1;
  if (name == "kb" || name == "kib") return 1ULL << 10;
  if (name.empty() || name == "mb" || name == "mib") return 1ULL << 20;
  if (name == "gb" || name == "gib") return 1ULL << 30;
  return std::nullopt;
}

std::optional<double> milliseconds_in(std::string_view unit) {
  if (unit == "ns") return 1e-6;
  if (unit == "us" || unit == "µs") return 1e-3;
  if (unit == "ms") return 1.0;
  if (unit == "s") return 1e3;
  if (unit == "m") return 60e3;
  if (unit == "h") return 3600e3;
  return std::nullopt;
}

/// One `1.5h` of a duration, cut off `text`.
std::optional<double> take_duration_part(std::string_view& text) {
  const std::string_view number = take(text, "0123456789.");
  double amount = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), amount, std::chars_format::fixed);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  const std::string_view unit = text.substr(0, std::min(text.find_first_of("0123456789."), text.size()));
  text.remove_prefix(unit.size());
  const auto scale = milliseconds_in(unit);
  if (!scale) return std::nullopt;
  return amount * *scale;
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (number < least || number > most) return std::nullopt;
  return number;
}

std::optional<bool> parse_switch(std::string_view text) {
  const std::string word = lower(text);
  for (const std::string_view yes : {"true", "t", "1", "on", "yes"}) {
    if (word == yes) return true;
  }
  for (const std::string_view no : {"false", "f", "0", "off", "no"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::string_view digits = take(text, kDigits);
  const auto unit = bytes_in(text);
  if (!unit) return std::nullopt;
  const auto amount = parse_number(digits, 0, std::numeric_limits<std::uint64_t>::max() / *unit);
  if (!amount) return std::nullopt;
  return *amount * *unit;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr double kLongestMs = 1e15;  // exact in a double, and far beyond any limit of a setting
  if (text == "0") return std::chrono::milliseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto part = take_duration_part(text);
    if (!part) return std::nullopt;
    total += *part;
  }
  if (total > kLongestMs) return std::nullopt;
  // A millionth of a millisecond more than computed: 1.001s is 1001 ms, though no double is exactly 1.001.
  return std::chrono::milliseconds(static_cast<std::int64_t>(total + 1e-6));
}

std::optional<SyncMode> parse_sync_mode(std::string_view text) {
  constexpr std::string_view kInterval = "interval:";
  if (text == "always") return SyncMode{};
  if (text == "none") return SyncMode{SyncMode::Kind::kNone, {}};
  if (!text.starts_with(kInterval)) return std::nullopt;
  const auto interval_ms = parse_number(text.substr(kInterval.size()), 1, kLongestIntervalMs);
  if (!interval_ms) return std::nullopt;
  return SyncMode{SyncMode::Kind::kInterval, std::chrono::milliseconds(*interval_ms)};
}

std::optional<AuthMode> parse_auth_mode(std::string_view text) {
  if (text == "none") return AuthMode::kNone;
  if (text == "writes") return AuthMode::kWrites;
  if (text == "all") return AuthMode::kAll;
  return std::nullopt;
}

std::optional<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return std::nullopt;
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
  if (text == "error") return LogLevel::kError;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "info") return LogLevel::kInfo;
  if (text == "debug") return LogLevel::kDebug;
  return std::nullopt;
}

bool is_plain_text(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t start = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(start);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

}  // namespace minivault::settings
