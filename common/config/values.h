#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/config.h"

/// How the text of a setting becomes a value. Pure functions, any thread; nullopt where the text is not
/// accepted. Nothing is guessed: the whole text must be used up, and blanks are not skipped.
namespace minivault::settings {

/// Decimal digits only, from `least` to `most`.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t least,
                                                        std::uint64_t most);

/// `true false t f 1 0 on off yes no` in any case.
[[nodiscard]] std::optional<bool> parse_switch(std::string_view text);

/// Bytes. A plain number is megabytes; B, KB, MB, GB and KiB, MiB, GiB in any case. KB and KiB are the same:
/// all steps are 1,024.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

/// As Go writes durations, not negative: `5s`, `500ms`, `1m30s`, `1.5h`, `0`. Cut to whole milliseconds.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// `always`, `none` or `interval:MS` with MS from 1 to 60000.
[[nodiscard]] std::optional<SyncMode> parse_sync_mode(std::string_view text);

/// `none`, `writes` or `all`.
[[nodiscard]] std::optional<AuthMode> parse_auth_mode(std::string_view text);

/// `text` or `json`.
[[nodiscard]] std::optional<LogFormat> parse_log_format(std::string_view text);

/// `error`, `warning`, `info` or `debug`.
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view text);

/// An IPv4 or IPv6 address (brackets allowed and taken off) or a host name, in lower case. Not resolved.
[[nodiscard]] std::optional<std::string> parse_host(std::string_view text);

/// `host:port`, `http://host[:port]` or `https://host[:port]` (80 and 443 where none is named) as
/// `host:port`; an IPv6 address stands in brackets. A path other than `/` is not accepted.
[[nodiscard]] std::optional<std::string> parse_address(std::string_view text);

/// Addresses separated by commas, each once, in order of first appearance. Blanks around them and empty
/// items are skipped.
[[nodiscard]] std::optional<std::vector<std::string>> parse_address_list(std::string_view text);

/// No control characters: fit for a path or a key that travels in an HTTP header.
[[nodiscard]] bool is_plain_text(std::string_view text);

/// `text` without blanks, tabs and carriage returns at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

}  // namespace minivault::settings
