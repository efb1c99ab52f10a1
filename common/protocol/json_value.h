#pragma once

#include <string>
#include <string_view>

#include "common/core/error.h"

/// Values as JSON, both ways. Pure functions, any process, any thread. Nesting costs heap, never call stack,
/// and ends at 10,000 levels. A number beyond the range of a double (1e400) does not count as JSON: few
/// readers could take it back.
namespace minivault::protocol {

/// The exact text of X in {"value": X}, a view into `body`. The whole body must be one JSON object in UTF-8;
/// of several "value" members the last counts. Both errors are kInvalidArgument: kInvalidJson or
/// kMissingValue as the message.
[[nodiscard]] Result<std::string_view> find_value_field(std::string_view body);

inline constexpr std::string_view kInvalidJson = "invalid json";
inline constexpr std::string_view kMissingValue = "missing value field";

/// Whether `text` is one JSON value (white space around it allowed).
[[nodiscard]] bool is_json(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

/// `"…"`, with what JSON demands escaped. REQUIRES: UTF-8, or the string is not JSON either.
void append_json_string(std::string& out, std::string_view text);

/// The body {"success":true,"data":X}: a value marked as JSON, or that is JSON, as it is; else UTF-8 as a
/// JSON string; else {"success":true,"data":"<base64>","encoding":"base64"}.
void append_data(std::string& out, std::string_view value, bool marked_json);

}  // namespace minivault::protocol
