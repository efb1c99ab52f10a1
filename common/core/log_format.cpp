#include "common/core/log_format.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "common/core/utf8.h"

namespace minivault {
namespace {

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

/// As syslog(3) numbers them.
std::string_view priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "<7>";
    case LogLevel::kInfo:
      return "<6>";
    case LogLevel::kWarning:
      return "<4>";
    case LogLevel::kError:
      return "<3>";
  }
  return "<3>";
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

/// Between quotes, so that the line stays one line of UTF-8 and the text can be told back. `escape` stands
/// for the backslash of \xHH, which JSON wants doubled.
void append_quoted(std::string& line, std::string_view text, std::string_view escape) {
  constexpr std::string_view kHex = "0123456789abcdef";
  line += '"';
  while (!text.empty()) {
    const std::size_t length = utf8_front(text);
    const auto byte = static_cast<unsigned char>(text.front());
    if (length == 0 || is_control(text.front())) {
      line += escape;
      line += 'x';
      line += kHex[byte >> 4U];
      line += kHex[byte & 15U];
    } else {
      if (byte == '"' || byte == '\\') line += '\\';
      line += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  line += '"';
}

bool needs_quotes(std::string_view text) {
  const auto is_plain = [](char c) {
    return static_cast<unsigned char>(c) < 0x80 && !is_control(c) && c != ' ' && c != '"' && c != '=' &&
           c != '\\';
  };
  return text.empty() || !std::all_of(text.begin(), text.end(), is_plain);
}

void append_text(std::string& line, const LogMoment& moment, LogLevel level, std::string_view event,
                 std::span<const LogField> fields) {
  line.append(name_of(level)).append(" ").append(moment.role);
  line.append("[").append(std::to_string(moment.pid)).append("] ").append(event);
  for (const LogField& field : fields) {
    line.append(" ").append(field.name).append("=");
    needs_quotes(field.text) ? append_quoted(line, field.text, "\\") : void(line += field.text);
  }
}

bool is_own_name(std::string_view name) {
  constexpr std::array<std::string_view, 5> kOwn = {"time", "level", "role", "process", "event"};
  return std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end();
}

void append_member(std::string& line, std::string_view name, std::string_view text) {
  line.append(",\"").append(name).append("\":");
  append_quoted(line, text, "\\\\");
}

void append_json(std::string& line, const LogMoment& moment, LogLevel level, std::string_view event,
                 std::span<const LogField> fields) {
  line.append("{\"time\":\"").append(timestamp(moment.wall_ms)).append("\"");
  append_member(line, "level", name_of(level));
  append_member(line, "role", moment.role);
  line.append(",\"process\":").append(std::to_string(moment.pid));
  append_member(line, "event", event);
  for (const LogField& field : fields) {
    const std::string name = std::string(field.name) + (is_own_name(field.name) ? "_" : "");
    if (field.is_number) {
      line.append(",\"").append(name).append("\":").append(field.text);
    } else {
      append_member(line, name, field.text);
    }
  }
  line += '}';
}

}  // namespace

std::string timestamp(std::uint64_t wall_ms) {
  const auto seconds = static_cast<std::time_t>(wall_ms / 1'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03uZ", static_cast<unsigned>(wall_ms % 1'000));
  return std::string(text.data(), length) + fraction.data();
}

std::string format_log_line(const LogStyle& style, const LogMoment& moment, LogLevel level,
                            std::string_view event, std::span<const LogField> fields) {
  std::string line;
  if (style.journal) line += priority_of(level);
  if (style.format == LogFormat::kJson) {
    append_json(line, moment, level, event, fields);
  } else {
    if (!style.journal) line.append(timestamp(moment.wall_ms)).append(" ");
    append_text(line, moment, level, event, fields);
  }
  line += '\n';
  return line;
}

bool is_journal(int fd, const char* journal_stream) {
  unsigned long long device = 0;
  unsigned long long inode = 0;
  char rest = 0;
  if (journal_stream == nullptr) return false;
  if (std::sscanf(journal_stream, "%llu:%llu%c", &device, &inode, &rest) != 2) return false;
  struct stat status {};
  return ::fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

}  // namespace minivault
