#include "common/protocol/http.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>

#include <algorithm>
#include <limits>
#include <new>

#include "common/protocol/http_response.h"

namespace minivault::protocol {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;
using Kind = HttpParse::Kind;

constexpr std::size_t kLongestMethod = 32;
constexpr std::size_t kRequestLineExtra =
    kLongestMethod + 16;                           ///< what surrounds the target: method, version, CRLF
constexpr std::size_t kKeptBodyBytes = 64 * 1024;  ///< memory that an idle connection may keep

std::string_view view(BeastView text) {
  return {text.data(), text.size()};
}

HttpParse need_more(std::uint64_t size = 0) {
  return {Kind::kNeedMore, 0, size, 0, {}};
}

HttpParse refuse(int status, std::string_view error, std::uint64_t size = 0) {
  return {Kind::kError, 0, size, status, error};
}

bool is_token(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

/// Whoever speaks another protocol may never send the line's end: what is no method is seen at its first
/// byte.
bool may_begin_request(std::string_view input) {
  const std::string_view method = input.substr(0, input.find(' '));
  return !method.empty() && method.size() <= kLongestMethod &&
         std::all_of(method.begin(), method.end(), is_token);
}

HttpMethod to_method(http::verb verb) {
  // clang-format off
  switch (verb) {
    case http::verb::get:     return HttpMethod::kGet;
    case http::verb::head:    return HttpMethod::kHead;
    case http::verb::put:     return HttpMethod::kPut;
    case http::verb::post:    return HttpMethod::kPost;
    case http::verb::delete_: return HttpMethod::kDelete;
    default:                  return HttpMethod::kOther;
  }
  // clang-format on
}

HttpParse refuse(const error_code& error) {
  if (error == http::error::bad_target) return refuse(400, "malformed request target");
  if (error == http::error::bad_version) return refuse(400, "HTTP version not supported or malformed");
  if (error == http::error::bad_field) return refuse(400, "malformed header name");
  if (error == http::error::bad_value) return refuse(400, "malformed header value");
  if (error == http::error::bad_line_ending) return refuse(400, "bare carriage return");
  if (error == http::error::bad_content_length)
    return refuse(400, "bad, conflicting or forbidden Content-Length");
  if (error == http::error::bad_transfer_encoding)
    return refuse(400, "conflicting or repeated Transfer-Encoding");
  return refuse(400, "malformed request");
}

/// Beast's parser over one head: notes the headers a node uses. Bodies are never fed to it.
class HeadParser : public http::basic_parser<true> {
 public:
  explicit HeadParser(HttpRequest& request) : request_(request) {
    // The limits are HttpParser's own.
    header_limit(std::numeric_limits<std::uint32_t>::max());
    body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  [[nodiscard]] bool has_unknown_coding() const { return unknown_coding_; }

 private:
  void on_request_impl(http::verb verb, BeastView method, BeastView target, int version,
                       error_code&) override {
    request_.method = to_method(verb);
    request_.method_text = view(method);
    request_.target = view(target);
    request_.version = version;
  }

  void on_field_impl(http::field field, BeastView name, BeastView value, error_code& error) override {
    switch (field) {
      case http::field::authorization:
        return once(request_.authorization, value, error);
      case http::field::content_type:
        return once(request_.content_type, value, error);
      case http::field::range:
        return once(request_.range, value, error);
      case http::field::if_match:
        return once(request_.if_match, value, error);
      case http::field::if_none_match:
        return once(request_.if_none_match, value, error);
      case http::field::host:
        return once(host_, value, error);
      case http::field::accept:
        // A list may come in several lines. The one that says something here counts.
        if (!names_bytes_type(request_.accept)) request_.accept = view(value);
        return;
      case http::field::if_range:
        return once(request_.if_range, value, error);
      case http::field::expect:
        request_.expect_continue = boost::beast::iequals(value, "100-continue");
        return;
      case http::field::transfer_encoding:
        unknown_coding_ = !boost::beast::iequals(value, "chunked");
        if (unknown_coding_) error = http::error::bad_transfer_encoding;
        return;
      case http::field::unknown:
        if (boost::beast::iequals(name, "x-minivault-consistency")) {
          once(request_.x_minivault_consistency, value, error);
        }
        return;
      default:
        return;
    }
  }

  /// Which of two differing headers counts is a question that smuggling lives on.
  static void once(std::string_view& header, BeastView value, error_code& error) {
    if (header.data() != nullptr) error = http::error::bad_value;
    header = view(value);
  }
  static void once(std::optional<std::string_view>& header, BeastView value, error_code& error) {
    if (header) error = http::error::bad_value;
    header = view(value);
  }

  void on_header_impl(error_code&) override {}
  void on_response_impl(int, BeastView, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(BeastView data, error_code&) override { return data.size(); }
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView data, error_code&) override { return data.size(); }
  void on_finish_impl(error_code&) override {}

  HttpRequest& request_;
  std::string_view host_;
  bool unknown_coding_ = false;
};

}  // namespace

/// How long a request's body is.
struct HttpParser::Framing {
  bool chunked = false;
  std::optional<std::uint64_t> body_bytes;
};

HttpParse HttpParser::parse(std::string_view input) try {
  if (begun_) return parse_from_first_byte(input);
  // Some clients end a body with a CRLF that its length does not count.
  std::size_t blank = 0;
  while (input.substr(blank, 2) == "\r\n") blank += 2;
  input.remove_prefix(blank);
  HttpParse result = need_more();
  if (!input.empty() && input != "\r") {
    begin();
    result = parse_from_first_byte(input);
  }
  result.consumed += blank;
  return result;
} catch (const std::bad_alloc&) {
  return refuse(503, "no memory for the request");
}

void HttpParser::begin() {
  begun_ = true;
  // A head that is refused before it is parsed must not be answered in the form that the one before asked
  // for.
  request_.method = HttpMethod::kOther;
  request_.version = 11;
  continue_told_ = false;
  scanned_ = line_begin_ = first_line_bytes_ = head_bytes_ = 0;
  whole_bytes_ = 0;
  chunks_.reset();
  if (body_.capacity() > kKeptBodyBytes) body_ = std::string();
  body_.clear();
}

void HttpParser::abandon() {
  finish();
  chunks_.reset();
}

HttpParse HttpParser::parse_from_first_byte(std::string_view input) {
  if (chunks_) return take_chunks(input);
  if (input.size() < whole_bytes_) return need_more(whole_bytes_);
  if (head_bytes_ == 0) {
    HttpParse head = find_head(input);
    if (head_bytes_ == 0) return head;
  }
  // A head whose body had to be waited for is parsed twice: its views must point into the input of today.
  return take_request(input);
}

/// Looks at every line end once, however the input is cut.
HttpParse HttpParser::find_head(std::string_view input) {
  if (first_line_bytes_ == 0 && !may_begin_request(input)) {
    return refuse(400, "not HTTP: a request begins with a method");
  }
  for (;;) {
    const std::size_t newline = input.find('\n', scanned_);
    if (newline == std::string_view::npos) break;
    HttpParse result = end_line(input, newline);
    if (result.kind == Kind::kError || head_bytes_ != 0) return result;
  }
  scanned_ = input.size();
  return need_more_of_head(input);
}

/// Refuses lines that parsers disagree on: ended by LF alone, or folded onto the line before.
HttpParse HttpParser::end_line(std::string_view input, std::size_t newline) {
  if (newline == line_begin_ || input[newline - 1] != '\r') return refuse(400, "bare line feed");
  const std::size_t end = newline + 1;
  const bool blank = end - line_begin_ == 2;
  if (first_line_bytes_ == 0) {
    if (end > limits_.largest_target + kRequestLineExtra) return refuse(414, "request target too long");
    first_line_bytes_ = end;
  } else {
    if (end - first_line_bytes_ > limits_.largest_fields) return refuse(431, "request headers too large");
    if (input[line_begin_] == ' ' || input[line_begin_] == '\t') return refuse(400, "folded header line");
    if (blank) head_bytes_ = end;
  }
  scanned_ = line_begin_ = end;
  return need_more();
}

HttpParse HttpParser::need_more_of_head(std::string_view input) {
  if (first_line_bytes_ != 0) {
    const bool too_large = input.size() - first_line_bytes_ > limits_.largest_fields;
    return too_large ? refuse(431, "request headers too large") : need_more();
  }
  const bool too_long = input.size() > limits_.largest_target + kRequestLineExtra;
  return too_long ? refuse(414, "request target too long") : need_more();
}

HttpParse HttpParser::take_request(std::string_view input) {
  Framing framing;
  if (const auto refusal = parse_head(input.substr(0, head_bytes_), framing)) return *refusal;
  if (framing.chunked) return start_chunked_body(input);
  const bool needs_length = request_.method == HttpMethod::kPut || request_.method == HttpMethod::kPost;
  if (!framing.body_bytes && needs_length) return refuse(411, "length required");
  return take_plain_body(input, framing.body_bytes.value_or(0));
}

/// Fills request_ with views into `head`; a result is a refusal.
std::optional<HttpParse> HttpParser::parse_head(std::string_view head, Framing& framing) {
  request_ = HttpRequest{};
  HeadParser parser(request_);
  error_code error;
  parser.put(boost::asio::const_buffer(head.data(), head.size()), error);
  if (parser.has_unknown_coding()) return refuse(501, "transfer coding not supported");
  if (error) return refuse(error);
  if (!parser.is_header_done()) return refuse(400, "malformed request");
  if (request_.target.size() > limits_.largest_target) return refuse(414, "request target too long");

  const bool old = request_.version < 11;
  framing.chunked = parser.chunked();
  if (framing.chunked && old) return refuse(400, "Transfer-Encoding in an HTTP/1.0 request");
  if (const auto length = parser.content_length()) framing.body_bytes = *length;
  request_.keep_alive = parser.keep_alive();
  request_.expect_continue = request_.expect_continue && !old;
  return std::nullopt;
}

HttpParse HttpParser::take_plain_body(std::string_view input, std::uint64_t body_bytes) {
  if (body_bytes > limits_.largest_body) {
    // A client that waits for the word to go on may send the body or may not: only closing is safe then. So
    // it is with a length that no sum can hold.
    const bool known = !request_.expect_continue && body_bytes <= std::numeric_limits<std::uint32_t>::max();
    finish();
    return refuse(413, "body too large", known ? head_bytes_ + body_bytes : 0);
  }
  whole_bytes_ = head_bytes_ + body_bytes;
  if (input.size() < whole_bytes_) {
    if (client_waits(input.size() > head_bytes_)) return {Kind::kContinue, 0, whole_bytes_, 0, {}};
    return need_more(whole_bytes_);
  }
  request_.body = input.substr(head_bytes_, body_bytes);
  finish();
  return {Kind::kRequest, static_cast<std::size_t>(whole_bytes_), 0, 0, {}};
}

bool HttpParser::client_waits(bool body_begun) {
  if (!request_.expect_continue || body_begun || continue_told_) return false;
  continue_told_ = true;
  return true;
}

/// The head is kept, so that the caller can drop chunks as they are gathered.
HttpParse HttpParser::start_chunked_body(std::string_view input) {
  head_ = input.substr(0, head_bytes_);
  Framing framing;
  if (const auto refusal = parse_head(head_, framing)) return *refusal;
  chunks_.emplace(ChunkDecoder::Limits{limits_.largest_body, limits_.largest_fields});

  input.remove_prefix(head_bytes_);
  HttpParse result{Kind::kContinue, 0, 0, 0, {}};
  if (!client_waits(!input.empty())) result = take_chunks(input);
  result.consumed += head_bytes_;
  return result;
}

HttpParse HttpParser::take_chunks(std::string_view input) {
  const ChunkDecoder::Step step = chunks_->decode(input, body_);
  if (step.kind == ChunkDecoder::Step::Kind::kError) return refuse(step.status, step.error);
  if (step.kind == ChunkDecoder::Step::Kind::kNeedMore) return {Kind::kNeedMore, step.consumed, 0, 0, {}};
  request_.body = body_;
  chunks_.reset();
  finish();
  return {Kind::kRequest, step.consumed, 0, 0, {}};
}

}  // namespace minivault::protocol
