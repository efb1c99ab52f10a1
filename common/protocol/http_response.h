#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/protocol/http.h"

/// HTTP responses, appended to a connection's output. Pure functions, any process, any thread.
namespace minivault::protocol {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kBytesType = "application/octet-stream";
inline constexpr std::string_view kTextType = "text/plain; version=0.0.4";  ///< of /metrics

/// Methods a key understands: the value of Allow in a 405.
inline constexpr std::string_view kKeyMethods = "GET, HEAD, PUT, POST, DELETE";

/// What the request says about the form of its response.
struct ResponseForm {
  bool keep_alive = true;
  bool head_only = false;  ///< HEAD: the same head, no body
  int version = 11;
  std::string_view date = {};  ///< the whole line with its CRLF (http_date.h), or nothing

  [[nodiscard]] static ResponseForm of(const HttpRequest& request, std::string_view date = {}) {
    return {request.keep_alive, request.method == HttpMethod::kHead, request.version, date};
  }
};

/// Standard phrase of a status; "Unknown" for one this program never sends.
[[nodiscard]] std::string_view reason_phrase(int status);

/// Status line and headers, to be followed by `content_length` bytes of body (none when form.head_only).
/// `extra` is whole header lines, each with its CRLF.
void append_response_head(std::string& out, int status, std::string_view content_type,
                          std::uint64_t content_length, const ResponseForm& form,
                          std::string_view extra = {});

/// Head and body.
void append_response(std::string& out, int status, std::string_view content_type, std::string_view body,
                     const ResponseForm& form, std::string_view extra = {});

/// 200 or 201 with {"success":true}.
void append_success(std::string& out, int status, const ResponseForm& form);

/// {"success":false,"error":"message"}; the message may be any bytes.
void append_json_error(std::string& out, int status, std::string_view message, const ResponseForm& form,
                       std::string_view extra = {});

/// 401 with WWW-Authenticate: Bearer.
void append_unauthorized(std::string& out, const ResponseForm& form);

/// 405 with Allow: `methods`.
void append_method_not_allowed(std::string& out, std::string_view methods, const ResponseForm& form);

/// 429 with Retry-After.
void append_rate_limited(std::string& out, unsigned retry_after_seconds, const ResponseForm& form);

/// 416 with Content-Range: bytes */total.
void append_range_not_satisfiable(std::string& out, std::uint64_t total, const ResponseForm& form);

/// 200 with all of `value`, or 206 or 416 as the request's Range header says, as application/octet-stream.
/// `extra` as in append_response_head(); not sent with a 416.
void append_bytes(std::string& out, std::string_view value, std::string_view range, const ResponseForm& form,
                  std::string_view extra = {});

/// 304, which never has a body.
void append_not_modified(std::string& out, const ResponseForm& form, std::string_view extra);

/// One part of a value.
struct ByteRange {
  enum class Kind {
    kWhole,  ///< no range, several, or one not understood: the header is ignored, as HTTP allows
    kPart,
    kUnsatisfiable,
  };
  Kind kind = Kind::kWhole;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

[[nodiscard]] ByteRange parse_range(std::string_view header, std::uint64_t total);

/// Whether a header value (Accept, Content-Type) names application/octet-stream.
[[nodiscard]] bool names_bytes_type(std::string_view header);

/// The key of `Bearer KEY`; empty if the header says anything else.
[[nodiscard]] std::string_view bearer_key(std::string_view authorization);

}  // namespace minivault::protocol
