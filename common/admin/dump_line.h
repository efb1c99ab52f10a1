#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/archive/format.h"
#include "common/core/error.h"

/// A record as a line of text: one JSON object, `{"key":K,"value":V,"json":true,"version":"HLC@NODE"}`. K and
/// V are strings, or {"base64":"…"} where the bytes are not UTF-8. `json` is there for a value that is marked
/// as JSON text; its V is that text, byte for byte. Version: decimal HLC value, hexadecimal node id. Pure.
namespace minivault::admin {

/// Appends the line with its newline. REQUIRES: a set.
void append_dump_line(std::string& out, const archive::Record& record);

/// What load makes of a line; the version is for people, a loaded record gets a new one.
struct DumpLine {
  std::string key;
  std::string value;
  bool is_json = false;
};
/// The most bytes that append_dump_line() makes, the newline not counted, of values up to that size.
[[nodiscard]] std::uint64_t longest_dump_line(std::uint64_t largest_value);
/// Errors: kInvalidArgument, saying what is wrong: also a member that is there twice, and a value marked as
/// JSON that is none.
[[nodiscard]] Result<DumpLine> parse_dump_line(std::string_view line);

}  // namespace minivault::admin
