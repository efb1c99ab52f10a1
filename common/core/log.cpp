#include "common/core/log.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <vector>

#include "common/core/clock.h"
#include "common/core/log_repeats.h"

namespace minivault {
namespace {

/// A style as one word: it can lie in memory that several processes share, and change while they read it.
constexpr std::uint32_t pack(const LogStyle& style) {
  return static_cast<std::uint32_t>(style.least) | static_cast<std::uint32_t>(style.format) << 8U |
         static_cast<std::uint32_t>(style.journal) << 16U;
}

constexpr LogStyle unpack(std::uint32_t word) {
  return {static_cast<LogLevel>(word & 0xFFU), static_cast<LogFormat>(word >> 8U & 0xFFU),
          (word >> 16U & 1U) != 0};
}

/// All that log_line() remembers: a line can be due anywhere, so nobody carries this about.
struct Memory {
  std::atomic<std::uint32_t> own_word{pack({})};
  std::atomic<std::atomic<std::uint32_t>*> word{&own_word};
  std::mutex mutex;
  LogRepeats repeats;  ///< guarded by mutex; a fork happens in processes of one thread, so it is not held
};

Memory& memory() {
  static Memory memory;
  return memory;
}

LogStyle style() {
  return unpack(memory().word.load(std::memory_order_acquire)->load(std::memory_order_relaxed));
}

LogRepeats::Verdict judge(std::string_view event) {
  const std::lock_guard lock(memory().mutex);
  return memory().repeats.judge(event, monotonic_ms());
}

}  // namespace

void log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  log_fields(level, event, std::span(fields.begin(), fields.size()));
}

void log_fields(LogLevel level, std::string_view event, std::span<const LogField> fields) {
  const LogStyle style = minivault::style();
  if (level < style.least) return;
  const LogRepeats::Verdict verdict = judge(event);
  if (!verdict.written) return;
  std::array<char, 16> role{};  // PR_GET_NAME: 16 bytes, terminated
  ::prctl(PR_GET_NAME, role.data());
  std::vector<LogField> all(fields.begin(), fields.end());
  if (verdict.suppressed > 0) all.emplace_back("suppressed", verdict.suppressed);
  const std::string line = format_log_line(style, {wall_ms(), role.data(), ::getpid()}, level, event, all);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

bool logs(LogLevel level) {
  return level >= style().least;
}

void set_log_style(const LogStyle& style) {
  memory().word.load(std::memory_order_acquire)->store(pack(style), std::memory_order_relaxed);
}

void share_log_style(std::atomic<std::uint32_t>& word) {
  word.store(pack(style()), std::memory_order_relaxed);
  memory().word.store(&word, std::memory_order_release);  // partner: style(), by fork or by thread start
}

}  // namespace minivault
