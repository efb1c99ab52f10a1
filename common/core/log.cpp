#include "common/core/log.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "common/core/clock.h"

namespace minivault {
namespace {

std::string_view level_name(LogLevel level) {
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

std::string timestamp() {
  const std::uint64_t now_ms = wall_ms();
  const auto seconds = static_cast<std::time_t>(now_ms / 1'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03uZ", static_cast<unsigned>(now_ms % 1'000));
  return std::string(text.data(), length) + fraction.data();
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

bool needs_quotes(std::string_view text) {
  return text.empty() || text.find_first_of(" \"=\\") != std::string_view::npos ||
         std::any_of(text.begin(), text.end(), is_control);
}

void append_value(std::string& line, std::string_view text) {
  if (!needs_quotes(text)) {
    line += text;
    return;
  }
  line += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') line += '\\';
    line += is_control(c) ? ' ' : c;
  }
  line += '"';
}

}  // namespace

void log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  std::array<char, 16> role{};  // PR_GET_NAME: 16 bytes, terminated
  ::prctl(PR_GET_NAME, role.data());
  std::string line = timestamp();
  line += ' ';
  line += level_name(level);
  line += ' ';
  line += role.data();
  line += '[' + std::to_string(::getpid()) + "] ";
  line += event;
  for (const LogField& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    append_value(line, field.text);
  }
  line += '\n';
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace minivault
