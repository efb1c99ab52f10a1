#include "common/protocol/http.h"

// Beast asserts on the length of a last chunk that arrives byte by byte: bytes of clients must never abort the process.
// What it does without the assertion is right, and tests/protocol feed it every cut.
#define BOOST_DISABLE_ASSERTS
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>

#include <limits>
#include <new>

namespace minivault::protocol {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;
using Kind = HttpParse::Kind;

constexpr std::size_t kLongestMethod = 32;
constexpr std::size_t kRequestLineExtra = kLongestMethod + 16;  ///< what surrounds the target: method, version, CRLF
constexpr std::size_t kChunkStepBytes = 64 * 1024;              ///< a chunk's size line, or all trailers, fit in it
constexpr std::size_t kKeptBodyBytes = 64 * 1024;               ///< memory that an idle connection may keep

std::string_view view(BeastView text) { return {text.data(), text.size()}; }

HttpParse need_more(std::uint64_t size = 0) { return {Kind::kNeedMore, 0, size, 0, {}}; }

HttpParse refuse(int status, std::string_view error, std::uint64_t size = 0) {
  return {Kind::kError, 0, size, status, error};
}

HttpMethod to_method(http::verb verb) {
  switch (verb) {
    case http::verb::get:     return HttpMethod::kGet;
    case http::verb::head:    return HttpMethod::kHead;
    case http::verb::put:     return HttpMethod::kPut;
    case http::verb::post:    return HttpMethod::kPost;
    case http::verb::delete_: return HttpMethod::kDelete;
    default:                  return HttpMethod::kOther;
  }
}

HttpParse refuse(const error_code& error) {
  if (error == http::error::body_limit) return refuse(413, "body too large");
  if (error == http::error::bad_method) return refuse(400, "malformed method");
  if (error == http::error::bad_target) return refuse(400, "malformed request target");
  if (error == http::error::bad_version) return refuse(400, "HTTP version not supported or malformed");
  if (error == http::error::bad_field) return refuse(400, "malformed header name");
  if (error == http::error::bad_value) return refuse(400, "malformed header value");
  if (error == http::error::bad_line_ending) return refuse(400, "bare carriage return");
  if (error == http::error::bad_content_length) return refuse(400, "bad, conflicting or forbidden Content-Length");
  if (error == http::error::bad_transfer_encoding) return refuse(400, "conflicting or repeated Transfer-Encoding");
  if (error == http::error::bad_chunk) return refuse(400, "malformed chunk");
  if (error == http::error::bad_chunk_extension) return refuse(400, "malformed chunk size line");
  return refuse(400, "malformed request");
}

}  // namespace

/// One message inside Beast's parser: hears of each element and notes what a node uses.
class HttpParser::Message : public http::basic_parser<true> {
 public:
  Message() {
    // The limits are HttpParser's: Beast only enforces that of chunked bodies, see start_chunked_body().
    header_limit(std::numeric_limits<std::uint32_t>::max());
    body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  /// Parses on at the front of `input`, noting into `request` and `body`; returns the bytes taken.
  std::size_t feed(std::string_view input, HttpRequest& request, std::string& body, error_code& error) {
    request_ = &request;
    body_ = &body;
    return put(boost::asio::const_buffer(input.data(), input.size()), error);
  }

  [[nodiscard]] bool has_unknown_coding() const { return unknown_coding_; }

 private:
  void on_request_impl(http::verb verb, BeastView method, BeastView target, int version, error_code&) override {
    request_->method = to_method(verb);
    request_->method_text = view(method);
    request_->target = view(target);
    request_->version = version;
  }

  void on_field_impl(http::field field, BeastView name, BeastView value, error_code& error) override {
    if (in_body_) return;  // a trailer: never taken for a header
    switch (field) {
      case http::field::authorization: return once(request_->authorization, value, error);
      case http::field::content_type:  return once(request_->content_type, value, error);
      case http::field::range:         return once(request_->range, value, error);
      case http::field::if_match:      return once(request_->if_match, value, error);
      case http::field::if_none_match: return once(request_->if_none_match, value, error);
      case http::field::accept:
        if (request_->accept.empty()) request_->accept = view(value);
        return;
      case http::field::expect:
        request_->expect_continue = boost::beast::iequals(value, "100-continue");
        return;
      case http::field::transfer_encoding:
        unknown_coding_ = !boost::beast::iequals(value, "chunked");
        if (unknown_coding_) error = http::error::bad_transfer_encoding;
        return;
      case http::field::unknown:
        if (boost::beast::iequals(name, "x-minivault-consistency")) {
          once(request_->x_minivault_consistency, value, error);
        }
        return;
      default: return;
    }
  }

  /// Which of two differing headers counts is a question that smuggling lives on.
  static void once(std::string_view& header, BeastView value, error_code& error) {
    if (header.data() != nullptr) error = http::error::bad_value;
    header = view(value);
  }

  void on_header_impl(error_code&) override { in_body_ = true; }

  std::size_t on_chunk_body_impl(std::uint64_t, BeastView data, error_code&) override {
    body_->append(data.data(), data.size());
    return data.size();
  }

  // Bodies with Content-Length are never fed, and requests are never responses.
  void on_response_impl(int, BeastView, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(BeastView data, error_code&) override { return data.size(); }
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  HttpRequest* request_ = nullptr;
  std::string* body_ = nullptr;
  bool in_body_ = false;
  bool unknown_coding_ = false;
};

HttpParser::HttpParser(const HttpLimits& limits) : limits_(limits) {}
HttpParser::~HttpParser() = default;
HttpParser::HttpParser(HttpParser&&) noexcept = default;
HttpParser& HttpParser::operator=(HttpParser&&) noexcept = default;

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
  continue_told_ = false;
  scanned_ = line_begin_ = first_line_bytes_ = head_bytes_ = 0;
  whole_bytes_ = 0;
  chunked_.reset();
  if (body_.capacity() > kKeptBodyBytes) body_ = std::string();
  body_.clear();
}

HttpParse HttpParser::parse_from_first_byte(std::string_view input) {
  if (chunked_) return take_chunks(input);
  if (input.size() < whole_bytes_) return need_more(whole_bytes_);
  if (head_bytes_ == 0) {
    HttpParse head = find_head(input);
    if (head_bytes_ == 0) return head;
  }
  // A head whose body had to be waited for is parsed twice: its views must point into the input of today.
  return parse_head(input);
}

/// Looks at every line end once, however the input is cut.
HttpParse HttpParser::find_head(std::string_view input) {
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
  const bool no_method = input.substr(0, kLongestMethod + 1).find(' ') == std::string_view::npos;
  if (input.size() > kLongestMethod && no_method) return refuse(400, "malformed method");
  const bool too_long = input.size() > limits_.largest_target + kRequestLineExtra;
  return too_long ? refuse(414, "request target too long") : need_more();
}

HttpParse HttpParser::parse_head(std::string_view input) {
  request_ = HttpRequest{};
  Message message;
  error_code error;
  message.feed(input.substr(0, head_bytes_), request_, body_, error);
  if (message.has_unknown_coding()) return refuse(501, "transfer coding not supported");
  if (error) return refuse(error);
  if (!message.is_header_done()) return refuse(400, "malformed request");
  if (request_.target.size() > limits_.largest_target) return refuse(414, "request target too long");

  request_.keep_alive = message.keep_alive();
  if (request_.version < 11) request_.expect_continue = false;
  if (message.chunked()) return start_chunked_body(input);
  const auto body_bytes = message.content_length();
  const bool needs_length = request_.method == HttpMethod::kPut || request_.method == HttpMethod::kPost;
  if (!body_bytes && needs_length) return refuse(411, "length required");
  return take_plain_body(input, body_bytes.value_or(0));
}

HttpParse HttpParser::take_plain_body(std::string_view input, std::uint64_t body_bytes) {
  if (body_bytes > limits_.largest_body) {
    // A client that waits for the word to go on may send the body or may not: only closing is safe then. So it is
    // with a length that no sum can hold.
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
  if (request_.version < 11) return refuse(400, "Transfer-Encoding in an HTTP/1.0 request");
  head_ = input.substr(0, head_bytes_);
  request_ = HttpRequest{};
  chunked_ = std::make_unique<Message>();
  error_code error;
  chunked_->feed(head_, request_, body_, error);
  if (error) return refuse(error);
  chunked_->body_limit(limits_.largest_body);
  request_.keep_alive = chunked_->keep_alive();

  input.remove_prefix(head_bytes_);
  HttpParse result{Kind::kContinue, 0, 0, 0, {}};
  if (!client_waits(!input.empty())) result = take_chunks(input);
  result.consumed += head_bytes_;
  return result;
}

HttpParse HttpParser::take_chunks(std::string_view input) {
  HttpParse result = need_more();
  while (!input.empty()) {
    const std::string_view step = input.substr(0, kChunkStepBytes);
    error_code error;
    const std::size_t taken = chunked_->feed(step, request_, body_, error);
    result.consumed += taken;
    input.remove_prefix(taken);
    if (error == http::error::need_more) {
      if (taken == 0 && step.size() == kChunkStepBytes) return refuse(400, "chunk size line or trailers too long");
      if (taken == 0) return result;
    } else if (error) {
      return refuse(error);
    }
    if (!chunked_->is_done()) continue;
    request_.body = body_;
    chunked_.reset();
    finish();
    result.kind = Kind::kRequest;
    return result;
  }
  return result;
}

}  // namespace minivault::protocol
