#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// How a line of the log looks. Pure functions, any thread.
namespace minivault {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kText, kJson };

struct LogStyle {
  LogLevel least = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  bool journal = false;  ///< the reader is systemd's journal: lines begin with `<N>`, their priority

  bool operator==(const LogStyle&) const = default;
};

/// One key=value of a log line. Never a stored value, never a secret; a client's key at kDebug alone.
struct LogField {
  std::string_view name;
  std::string text;
  bool is_number = false;

  LogField(std::string_view field, std::string value) : name(field), text(std::move(value)) {}
  LogField(std::string_view field, std::string_view value) : name(field), text(value) {}
  LogField(std::string_view field, const char* value) : name(field), text(value) {}
  LogField(std::string_view field, std::integral auto value)
      : name(field), text(std::to_string(value)), is_number(true) {}
};

/// Who writes a line, and when.
struct LogMoment {
  std::uint64_t wall_ms;
  std::string_view role;
  int pid;
};

/// As lines begin, in UTC: 2026-11-21T05:30:01.123Z.
[[nodiscard]] std::string timestamp(std::uint64_t wall_ms);

/// The whole line with its line break, and no other. Control bytes and what is not UTF-8 appear as \xHH.
///   text  2026-11-21T05:30:01.123Z info worker 1[4711] event name=value
///   json  {"time":"2026-…Z","level":"info","role":"worker 1","process":4711,"event":"event","name":"value"}
/// For the journal, which has a clock of its own, text leaves out the time. A field with the name of one of
/// JSON's first five gets an underscore.
[[nodiscard]] std::string format_log_line(const LogStyle& style, const LogMoment& moment, LogLevel level,
                                          std::string_view event, std::span<const LogField> fields);

/// Whether `fd` is the stream that the service manager names: `journal_stream` is the value of its
/// environment variable JOURNAL_STREAM (`device:inode`), or nullptr.
[[nodiscard]] bool is_journal(int fd, const char* journal_stream);

}  // namespace minivault
