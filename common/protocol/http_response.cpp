#include "common/protocol/http_response.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/protocol/json_value.h"

namespace minivault::protocol {
namespace {

constexpr std::string_view kSuccessBody = "{\"success\":true}";

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out.append(digits, end);
}

/// What a connection does next is only said where it is not the version's habit.
std::string_view connection_line(const ResponseForm& form) {
  if (!form.keep_alive) return "Connection: close\r\n";
  return form.version < 11 ? "Connection: keep-alive\r\n" : "";
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Compares ASCII letters alike; `lower` is lower case.
bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower[i]) return false;
  }
  return true;
}

/// Digits alone, all of them; too large a number is as good as the largest.
std::optional<std::uint64_t> parse_position(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  return error == std::errc::result_out_of_range ? UINT64_MAX : number;
}

ByteRange part_or_unsatisfiable(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return {ByteRange::Kind::kUnsatisfiable, 0, 0};
  return {ByteRange::Kind::kPart, offset, length};
}

/// `-N`: the last N bytes.
ByteRange suffix_range(std::string_view digits, std::uint64_t total) {
  const auto wanted = parse_position(digits);
  if (!wanted) return {};
  const std::uint64_t length = std::min(*wanted, total);
  return part_or_unsatisfiable(total - length, length);
}

}  // namespace

std::string_view reason_phrase(int status) {
  // clang-format off
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 206: return "Partial Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    default:  return "Unknown";
  }
  // clang-format on
}

void append_response_head(std::string& out, int status, std::string_view content_type,
                          std::uint64_t content_length, const ResponseForm& form, std::string_view extra) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(status));
  out.push_back(' ');
  out += reason_phrase(status);
  out += "\r\nContent-Type: ";
  out += content_type;
  out += "\r\nContent-Length: ";
  append_number(out, content_length);
  out += "\r\n";
  out += form.date;
  out += connection_line(form);
  out += extra;
  out += "\r\n";
}

void append_response(std::string& out, int status, std::string_view content_type, std::string_view body,
                     const ResponseForm& form, std::string_view extra) {
  append_response_head(out, status, content_type, body.size(), form, extra);
  if (!form.head_only) out += body;
}

void append_success(std::string& out, int status, const ResponseForm& form) {
  append_response(out, status, kJsonType, kSuccessBody, form);
}

void append_json_error(std::string& out, int status, std::string_view message, const ResponseForm& form,
                       std::string_view extra) {
  std::string body = "{\"success\":false,\"error\":";
  append_json_string(body, is_utf8(message) ? message : "error text is not UTF-8");
  body.push_back('}');
  append_response(out, status, kJsonType, body, form, extra);
}

void append_unauthorized(std::string& out, const ResponseForm& form) {
  append_json_error(out, 401, "unauthorized", form, "WWW-Authenticate: Bearer\r\n");
}

void append_method_not_allowed(std::string& out, std::string_view methods, const ResponseForm& form) {
  append_json_error(out, 405, "method not allowed", form, "Allow: " + std::string(methods) + "\r\n");
}

void append_rate_limited(std::string& out, unsigned retry_after_seconds, const ResponseForm& form) {
  append_json_error(out, 429, "rate limit exceeded", form,
                    "Retry-After: " + std::to_string(retry_after_seconds) + "\r\n");
}

void append_range_not_satisfiable(std::string& out, std::uint64_t total, const ResponseForm& form) {
  append_json_error(out, 416, "range not satisfiable", form,
                    "Content-Range: bytes */" + std::to_string(total) + "\r\n");
}

void append_not_modified(std::string& out, const ResponseForm& form, std::string_view extra) {
  out += "HTTP/1.1 304 Not Modified\r\n";
  out += form.date;
  out += connection_line(form);
  out += extra;
  out += "\r\n";
}

void append_bytes(std::string& out, std::string_view value, std::string_view range, const ResponseForm& form,
                  std::string_view extra) {
  const ByteRange part = parse_range(range, value.size());
  if (part.kind == ByteRange::Kind::kUnsatisfiable)
    return append_range_not_satisfiable(out, value.size(), form);
  std::string lines(extra);
  if (part.kind == ByteRange::Kind::kWhole) {
    lines += "Accept-Ranges: bytes\r\n";
    return append_response(out, 200, kBytesType, value, form, lines);
  }
  lines += "Content-Range: bytes " + std::to_string(part.offset) + "-" +
           std::to_string(part.offset + part.length - 1) + "/" + std::to_string(value.size()) + "\r\n";
  append_response(out, 206, kBytesType, value.substr(part.offset, part.length), form, lines);
}

ByteRange parse_range(std::string_view header, std::uint64_t total) {
  constexpr std::string_view kUnit = "bytes=";
  if (!equals_ignoring_case(header.substr(0, kUnit.size()), kUnit)) return {};
  const std::string_view spec = trim(header.substr(kUnit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return {};
  if (dash == 0) return suffix_range(spec.substr(1), total);

  const auto first = parse_position(spec.substr(0, dash));
  const std::string_view last_text = spec.substr(dash + 1);
  const auto last = last_text.empty() ? UINT64_MAX : parse_position(last_text);
  if (!first || !last || *last < *first) return {};
  if (*first >= total) return part_or_unsatisfiable(0, 0);
  return part_or_unsatisfiable(*first, std::min(*last, total - 1) - *first + 1);
}

bool names_bytes_type(std::string_view header) {
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    const std::string_view item = header.substr(0, comma);
    if (equals_ignoring_case(trim(item.substr(0, item.find(';'))), kBytesType)) return true;
    header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
  }
  return false;
}

std::string_view bearer_key(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (!equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) return {};
  return trim(authorization.substr(kScheme.size()));
}

}  // namespace minivault::protocol
