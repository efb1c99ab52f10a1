#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/protocol/http_chunks.h"

/// HTTP/1.1 requests. One parser a connection, used by the thread that owns the connection.
namespace minivault::protocol {

enum class HttpMethod { kGet, kHead, kPut, kPost, kDelete, kOther };

/// One request. The views are good until the caller changes its input or calls the parser again.
/// A header that is absent is an empty view, or none where that is not the same.
struct HttpRequest {
  HttpMethod method = HttpMethod::kOther;
  std::string_view method_text;
  std::string_view target;  ///< as sent; see http_target.h
  int version = 11;         ///< 10 or 11
  bool keep_alive = false;
  bool expect_continue = false;
  std::string_view authorization;
  std::string_view content_type;
  std::string_view accept;
  std::string_view range;
  std::string_view if_range;
  std::optional<std::string_view>
      if_match;  ///< one that is there and empty is a mistake, and no condition met
  std::optional<std::string_view> if_none_match;
  std::string_view x_minivault_consistency;
  std::string_view body;
};

struct HttpLimits {
  std::size_t largest_target = 256 * 1024;  ///< 65,535 bytes of key, each as %XX, and room for the rest
  std::size_t largest_fields = 64 * 1024;   ///< the header block after the request line
  std::uint64_t largest_body = 0;           ///< after chunks are joined
};

struct HttpParse {
  enum class Kind {
    kNeedMore,
    kContinue,  ///< head complete, body not, and the client waits: look at request(), then send kHttpContinue
                ///< (or refuse and close) and call parse() again. Said once a request.
    kRequest,   ///< request() is complete
    kError,     ///< answer `status` and `error`; go on only if `size` is not 0
  };
  Kind kind;
  std::size_t consumed = 0;  ///< bytes the caller now drops from the front of its input, whatever the kind
                             ///< (after kRequest: when it is done with the request's views)
  /// kNeedMore: bytes the input must hold before anything new can come of it, as far as known, 0 = unknown (a
  /// claim: grow buffers as bytes arrive). kError: length of the whole request if known, to read past and
  /// keep the connection; 0 = close it.
  std::uint64_t size = 0;
  int status = 0;          ///< kError: 400, 411, 413, 414, 431, 501, or 503 when memory is out
  std::string_view error;  ///< kError: static text
};

inline constexpr std::string_view kHttpContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// Whether a connection's first byte announces HTTP: the capital letter of a method.
[[nodiscard]] constexpr bool is_http_start(std::uint8_t byte) {
  return byte >= 'A' && byte <= 'Z';
}

/// Finds requests in a contiguous input that the caller owns, one at a time, however they are cut.
///
/// Each call gets the input from the first byte not yet consumed; bytes beyond the request are left alone
/// (pipelining). A body with Content-Length stays where it is; a chunked one is gathered here as it comes.
/// Nothing is allocated for a request without a chunked body. Whatever could be read in two ways is refused:
/// both Content-Length and Transfer-Encoding, differing lengths, folded lines, bare LF, codings other than
/// chunked.
class HttpParser {
 public:
  explicit HttpParser(const HttpLimits& limits) : limits_(limits) {}

  /// After kRequest the next call begins the next request. After kError with size 0 the parser is of no more
  /// use.
  [[nodiscard]] HttpParse parse(std::string_view input);

  /// Complete after kRequest; all but the body after kContinue. After kError what was understood of it,
  /// nothing of the request before.
  [[nodiscard]] const HttpRequest& request() const { return request_; }

  /// Gives up the request under way: its caller has answered it, and reads past the rest or closes.
  void abandon();

  /// Whether this object keeps the request under way: its body comes in chunks. request() is then all but the
  /// body.
  [[nodiscard]] bool gathers() const { return chunks_.has_value(); }

  /// Whether a request has begun: an end of the connection now cuts one in two.
  [[nodiscard]] bool in_request() const { return begun_; }

 private:
  struct Framing;

  HttpParse parse_from_first_byte(std::string_view input);
  void begin();
  HttpParse find_head(std::string_view input);
  HttpParse end_line(std::string_view input, std::size_t newline);
  HttpParse need_more_of_head(std::string_view input);
  HttpParse take_request(std::string_view input);
  [[nodiscard]] std::optional<HttpParse> parse_head(std::string_view head, Framing& framing);
  HttpParse take_plain_body(std::string_view input, std::uint64_t body_bytes);
  HttpParse start_chunked_body(std::string_view input);
  HttpParse take_chunks(std::string_view input);
  [[nodiscard]] bool client_waits(bool body_begun);
  void finish() { begun_ = false; }

  HttpLimits limits_;
  HttpRequest request_;
  bool begun_ = false;  ///< a byte of a request was seen; the members below are about this request
  bool continue_told_ = false;
  std::size_t scanned_ = 0;           ///< bytes of the head already searched for line ends
  std::size_t line_begin_ = 0;        ///< of the line being searched for its end
  std::size_t first_line_bytes_ = 0;  ///< request line with its CRLF, 0 = end not found yet
  std::size_t head_bytes_ = 0;        ///< 0 = end not found yet
  std::uint64_t whole_bytes_ = 0;     ///< head and body of a request with Content-Length, 0 = not known yet
  std::optional<ChunkDecoder> chunks_;
  std::string head_;  ///< of a request whose body comes in chunks: the caller has dropped it by then
  std::string body_;
};

}  // namespace minivault::protocol
