#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace minivault {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// One key=value of a log line. Never a stored value, never a secret.
struct LogField {
  std::string_view name;
  std::string text;

  LogField(std::string_view field, std::string value) : name(field), text(std::move(value)) {}
  LogField(std::string_view field, std::string_view value) : name(field), text(value) {}
  LogField(std::string_view field, const char* value) : name(field), text(value) {}
  LogField(std::string_view field, std::integral auto value) : name(field), text(std::to_string(value)) {}
};

/// Writes one line to standard error with a single write(2), so lines of several processes never mix:
/// `2026-11-21T05:30:01.123Z info worker 1[4711] event name=value`. The role is the process title.
/// Any process, any thread.
void log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace minivault
