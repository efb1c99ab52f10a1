#include "common/process/lock_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace minivault {
namespace {

/// Reads a number from the front of `text` and takes it off; 0 where there is none.
template <typename Number>
Number take_number(std::string_view& text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::string lock_file_of(const std::string& directory) {
  return directory + "/minivault.lock";
}

LockNote parse_lock_note(std::string_view text) {
  LockNote note;
  note.pid = std::max<pid_t>(take_number<pid_t>(text), 0);
  if (!text.starts_with('\n')) return note;
  text.remove_prefix(1);
  note.reloads = take_number<std::uint64_t>(text);
  const std::string_view line = text.substr(0, text.find('\n'));
  if (line.starts_with(' ')) note.outcome = line.substr(1);
  return note;
}

std::string lock_text(const LockNote& note) {
  std::string text = std::to_string(note.pid) + "\n";
  if (note.outcome.empty()) return text;
  std::string line = note.outcome;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return text + std::to_string(note.reloads) + " " + line + "\n";
}

LockNote read_lock_note(int fd) {
  std::array<char, 4096> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  return parse_lock_note({text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))});
}

}  // namespace minivault
