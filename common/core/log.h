#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "common/core/log_format.h"

namespace minivault {

/// Writes one line to standard error with a single write(2), so lines of several processes never mix:
/// `2026-11-21T05:30:01.123Z info worker 1[4711] event name=value`. The role is the process title. Lines
/// below the style's level are not written. Of an event that happens again and again (log_repeats.h) few
/// are, and those say how many were not: `suppressed=N`.
/// Any process, any thread.
void log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

/// The same for fields that are not known beforehand.
void log_fields(LogLevel level, std::string_view event, std::span<const LogField> fields);

/// Whether such a line would be written: for fields that cost something, or may only be said at debug.
[[nodiscard]] bool logs(LogLevel level);

/// How lines look from now on, in this process and in all that share its word.
void set_log_style(const LogStyle& style);

/// Keeps the style in `word` from now on: in memory that processes share, one of them speaks for all.
/// REQUIRES: `word` outlives the process's last line. Before any thread or child is there.
void share_log_style(std::atomic<std::uint32_t>& word);

}  // namespace minivault
