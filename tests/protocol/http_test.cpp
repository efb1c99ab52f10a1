#include "common/protocol/http.h"

#include <cppunit/extensions/HelperMacros.h>

#include <vector>

#include "tests/protocol/exact_copy.h"

namespace {

using namespace minivault::protocol;
using minivault::test::ExactCopy;
using Kind = HttpParse::Kind;

constexpr HttpLimits kLimits{256 * 1024, 64 * 1024, 1000};

/// What a caller saw of one stream of bytes.
struct Seen {
  std::vector<std::string> requests;  ///< "METHOD target body"
  int continues = 0;
  int error = 0;
  std::string rest;
};

std::string summary(const HttpRequest& request) {
  return std::string(request.method_text) + ' ' + std::string(request.target) + ' ' +
         std::string(request.body);
}

/// Plays a connection: bytes arrive `step` at a time, and each call sees them in memory of exactly their size
/// that moves between calls, as a growing buffer does.
Seen play(std::string_view stream, std::size_t step, const HttpLimits& limits = kLimits) {
  HttpParser parser(limits);
  Seen seen;
  while (true) {
    const ExactCopy input(seen.rest);
    const HttpParse parse = parser.parse(input.view());
    CPPUNIT_ASSERT(parse.consumed <= input.view().size());
    if (parse.kind == Kind::kRequest) seen.requests.push_back(summary(parser.request()));
    if (parse.kind == Kind::kContinue) ++seen.continues;
    if (parse.kind == Kind::kError) {
      CPPUNIT_ASSERT(!parse.error.empty());
      seen.error = parse.status;
      return seen;
    }
    seen.rest.erase(0, parse.consumed);
    if (parse.kind != Kind::kNeedMore) continue;
    if (stream.empty()) return seen;
    seen.rest += stream.substr(0, step);
    stream.remove_prefix(std::min(step, stream.size()));
  }
}

/// Goal: one reading of every stream, however it is cut; whatever allows two is refused.
class HttpTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HttpTest);
  CPPUNIT_TEST(test_get_with_all_headers);
  CPPUNIT_TEST(test_methods);
  CPPUNIT_TEST(test_keep_alive);
  CPPUNIT_TEST(test_body_is_a_view);
  CPPUNIT_TEST(test_every_cut_of_a_pipeline);
  CPPUNIT_TEST(test_every_truncation_needs_more);
  CPPUNIT_TEST(test_chunked_body);
  CPPUNIT_TEST(test_chunks_are_dropped_as_they_come);
  CPPUNIT_TEST(test_trailers_are_not_headers);
  CPPUNIT_TEST(test_bad_chunks);
  CPPUNIT_TEST(test_expect_continue);
  CPPUNIT_TEST(test_expect_is_said_once_and_only_when_waiting);
  CPPUNIT_TEST(test_smuggling);
  CPPUNIT_TEST(test_malformed);
  CPPUNIT_TEST(test_another_protocol_is_seen_at_once);
  CPPUNIT_TEST(test_unknown_transfer_codings);
  CPPUNIT_TEST(test_length_required);
  CPPUNIT_TEST(test_body_too_large);
  CPPUNIT_TEST(test_head_limits);
  CPPUNIT_TEST(test_longest_key_fits);
  CPPUNIT_TEST(test_blank_lines_between_requests);
  CPPUNIT_TEST(test_repeated_headers);
  CPPUNIT_TEST(test_bytes_asked_for_in_any_line_of_accept);
  CPPUNIT_TEST(test_a_refused_head_is_nothing_like_the_one_before);
  CPPUNIT_TEST(test_parser_can_move_within_a_body);
  CPPUNIT_TEST_SUITE_END();

  static void expect_error(std::string_view stream, int status) {
    for (const std::size_t step : {stream.size(), std::size_t(1), std::size_t(7)}) {
      const Seen seen = play(stream, step);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(stream.substr(0, 200)), status, seen.error);
      CPPUNIT_ASSERT(seen.requests.empty());
    }
  }

  static void expect_requests(std::string_view stream, const std::vector<std::string>& requests) {
    for (const std::size_t step : {stream.size(), std::size_t(1), std::size_t(7)}) {
      const Seen seen = play(stream, step);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(stream.substr(0, 200)), 0, seen.error);
      CPPUNIT_ASSERT(seen.requests == requests);
      CPPUNIT_ASSERT_EQUAL(std::string(), seen.rest);
    }
  }

  static std::string with(const std::string& headers, const std::string& body = "") {
    return "PUT /k HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body;
  }

  static std::string chunked(const std::string& body) { return with("Transfer-Encoding: chunked\r\n", body); }

  void test_get_with_all_headers() {
    HttpParser parser(kLimits);
    const std::string input =
        "GET /a%20b?c HTTP/1.1\r\nHost: h\r\nAUTHORIZATION: Bearer k\r\ncontent-type:text/plain\r\nAccept: "
        "\t a/b \r\n"
        "Range: bytes=0-1\r\nIf-Range: \"r\"\r\nIf-Match: \"1\"\r\nIf-None-Match: "
        "*\r\nX-Minivault-Consistency: quorum\r\n"
        "X-Other: x\r\n\r\nGET";
    const HttpParse parse = parser.parse(input);
    CPPUNIT_ASSERT(parse.kind == Kind::kRequest);
    CPPUNIT_ASSERT_EQUAL(input.size() - 3, parse.consumed);
    const HttpRequest& request = parser.request();
    CPPUNIT_ASSERT(request.method == HttpMethod::kGet && request.target == "/a%20b?c");
    CPPUNIT_ASSERT(request.authorization == "Bearer k" && request.content_type == "text/plain");
    CPPUNIT_ASSERT(request.accept == "a/b" && request.range == "bytes=0-1");
    CPPUNIT_ASSERT(request.if_range == "\"r\"");
    CPPUNIT_ASSERT(request.if_match == "\"1\"" && request.if_none_match == "*");
    CPPUNIT_ASSERT(request.x_minivault_consistency == "quorum");
    CPPUNIT_ASSERT(request.version == 11 && request.keep_alive && request.body.empty());
    CPPUNIT_ASSERT(!parser.in_request());
  }

  void test_methods() {
    const auto method = [](const std::string& name) {
      HttpParser parser(kLimits);
      const std::string input = name + " / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
      CPPUNIT_ASSERT(parser.parse(input).kind == Kind::kRequest);
      CPPUNIT_ASSERT(parser.request().method_text == name);
      return parser.request().method;
    };
    CPPUNIT_ASSERT(method("GET") == HttpMethod::kGet);
    CPPUNIT_ASSERT(method("HEAD") == HttpMethod::kHead);
    CPPUNIT_ASSERT(method("PUT") == HttpMethod::kPut);
    CPPUNIT_ASSERT(method("POST") == HttpMethod::kPost);
    CPPUNIT_ASSERT(method("DELETE") == HttpMethod::kDelete);
    CPPUNIT_ASSERT(method("PATCH") == HttpMethod::kOther);
    CPPUNIT_ASSERT(method("BREW") == HttpMethod::kOther);
    CPPUNIT_ASSERT(method("get") == HttpMethod::kOther);
  }

  void test_keep_alive() {
    const auto keeps = [](const std::string& version, const std::string& header) {
      HttpParser parser(kLimits);
      const std::string input = "GET / HTTP/" + version + "\r\n" + header + "\r\n";
      CPPUNIT_ASSERT(parser.parse(input).kind == Kind::kRequest);
      CPPUNIT_ASSERT_EQUAL(version == "1.0" ? 10 : 11, parser.request().version);
      return parser.request().keep_alive;
    };
    CPPUNIT_ASSERT(keeps("1.1", ""));
    CPPUNIT_ASSERT(!keeps("1.1", "Connection: close\r\n"));
    CPPUNIT_ASSERT(!keeps("1.1", "Connection: x, Close\r\n"));
    CPPUNIT_ASSERT(!keeps("1.0", ""));
    CPPUNIT_ASSERT(keeps("1.0", "Connection: Keep-Alive\r\n"));
  }

  void test_body_is_a_view() {
    HttpParser parser(kLimits);
    const std::string input = with("Content-Length: 5\r\n", "hello");
    CPPUNIT_ASSERT(parser.parse(input).kind == Kind::kRequest);
    CPPUNIT_ASSERT(parser.request().body.data() == input.data() + input.size() - 5);
  }

  void test_every_cut_of_a_pipeline() {
    const std::string stream = "GET /1 HTTP/1.1\r\n\r\n" + with("Content-Length: 5\r\n", "hello") +
                               chunked("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n") +
                               "DELETE /2 HTTP/1.1\r\nHost: h\r\n\r\n" + chunked("0\r\n\r\n") +
                               "GET /3 HTTP/1.0\r\n\r\n";
    const std::vector<std::string> requests = {"GET /1 ",    "PUT /k hello", "PUT /k abcde",
                                               "DELETE /2 ", "PUT /k ",      "GET /3 "};
    for (std::size_t step = 1; step <= stream.size(); ++step) {
      const Seen seen = play(stream, step);
      CPPUNIT_ASSERT_EQUAL(0, seen.error);
      CPPUNIT_ASSERT(seen.requests == requests);
      CPPUNIT_ASSERT(seen.rest.empty());
    }
  }

  void test_every_truncation_needs_more() {
    for (const std::string& stream :
         {with("Content-Length: 5\r\n", "hello"), chunked("5\r\nhello\r\n0\r\n\r\n")}) {
      for (std::size_t size = 0; size < stream.size(); ++size) {
        const Seen seen = play(std::string_view(stream).substr(0, size), 1000);
        CPPUNIT_ASSERT(seen.requests.empty() && seen.error == 0);
      }
    }
  }

  void test_chunked_body() {
    expect_requests(chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), {"PUT /k hello world"});
    expect_requests(chunked("0\r\n\r\n"), {"PUT /k "});
    expect_requests(chunked("00A\r\n0123456789\r\n0\r\n\r\n"), {"PUT /k 0123456789"});
    expect_requests(chunked("a\r\n0\r\n\r\n\r\n\r\n1\r\n0\r\n\r\n"), {"PUT /k 0\r\n\r\n\r\n\r\n1"});
    expect_requests(with("Transfer-Encoding: Chunked\r\n", "1\r\nx\r\n0\r\n\r\n"), {"PUT /k x"});
  }

  void test_chunks_are_dropped_as_they_come() {
    HttpParser parser(kLimits);
    const std::string head = chunked("");
    HttpParse parse = parser.parse(head + "5\r\nhel");
    CPPUNIT_ASSERT(parse.kind == Kind::kNeedMore);
    CPPUNIT_ASSERT_EQUAL(head.size() + 6, parse.consumed);
    CPPUNIT_ASSERT(parser.in_request());
    parse = parser.parse("lo\r\n0\r\n\r\nGET");
    CPPUNIT_ASSERT(parse.kind == Kind::kRequest);
    CPPUNIT_ASSERT_EQUAL(std::size_t(9), parse.consumed);
    CPPUNIT_ASSERT(parser.request().body == "hello" && parser.request().target == "/k");
  }

  void test_trailers_are_not_headers() {
    HttpParser parser(kLimits);
    const std::string input = chunked("1\r\nx\r\n0\r\nAuthorization: Bearer k\r\nIf-Match: 1\r\n\r\n");
    CPPUNIT_ASSERT(parser.parse(input).kind == Kind::kRequest);
    CPPUNIT_ASSERT(parser.request().authorization.empty() && !parser.request().if_match);
  }

  void test_bad_chunks() {
    for (const char* body : {"g\r\n",
                             "\r\nx",
                             "-1\r\nx",
                             "+1\r\nx",
                             "0x1\r\nx",
                             " 1\r\nx",
                             "1\nx\r\n0\r\n\r\n",
                             "1\rx\r\n0\r\n\r\n",
                             "10000000000000000\r\nx",
                             "FFFFFFFFFFFFFFFFF\r\nx",
                             "1\r\nxy\r\n0\r\n\r\n",
                             "1\r\nx0\r\n\r\n",
                             "1 1\r\nx\r\n0\r\n\r\n",
                             "1,1\r\nx\r\n0\r\n\r\n",
                             "1 \r\nx\r\n0\r\n\r\n",
                             "1;a=\"\r\nx\r\nx\r\n0\r\n\r\n",
                             "1;\x01\r\nx\r\n0\r\n\r\n",
                             "1\r\nx\r\n0\r\nA\n\r\n\r\n",
                             "1\r\nx\r\n0\r\nA\r:\r\n\r\n",
                             "1\r\nx\n0\r\n\r\n"}) {
      expect_error(chunked(body), 400);
    }
    expect_error(chunked("FFFFFFFFFFFFFFFF\r\nx"), 413);
    expect_error(chunked("3e9\r\n"), 413);
    expect_error(chunked("1f4\r\n" + std::string(500, 'a') + "\r\n1f5\r\n"), 413);
    expect_error(chunked("1;" + std::string(5000, 'a')), 400);
    const HttpLimits small{1000, 200, 1000};
    for (const std::size_t step : {std::size_t(1), std::size_t(1000)}) {
      CPPUNIT_ASSERT_EQUAL(400,
                           play(chunked("0\r\nA: " + std::string(300, 'a') + "\r\n\r\n"), step, small).error);
      CPPUNIT_ASSERT_EQUAL(400, play(chunked("0\r\nA: " + std::string(300, 'a')), step, small).error);
    }
  }

  void test_expect_continue() {
    HttpParser parser(kLimits);
    const std::string head = with("Expect: 100-Continue\r\nContent-Length: 5\r\nAuthorization: Bearer k\r\n");
    const HttpParse parse = parser.parse(head);
    CPPUNIT_ASSERT(parse.kind == Kind::kContinue);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t(head.size() + 5), parse.size);
    CPPUNIT_ASSERT(parser.request().expect_continue && parser.request().authorization == "Bearer k");
    CPPUNIT_ASSERT(parser.parse(head).kind == Kind::kNeedMore);
    CPPUNIT_ASSERT(parser.parse(head + "hello").kind == Kind::kRequest);
  }

  void test_expect_is_said_once_and_only_when_waiting() {
    const std::string expect = "Expect: 100-continue\r\n";
    const std::string plain = with(expect + "Content-Length: 2\r\n", "ab");
    const std::string chunks = with(expect + "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n");
    CPPUNIT_ASSERT_EQUAL(2, play(plain + chunks, 1).continues);
    CPPUNIT_ASSERT_EQUAL(std::size_t(2), play(plain + chunks, 1).requests.size());
    CPPUNIT_ASSERT_EQUAL(0, play(plain + chunks, 10'000).continues);
    CPPUNIT_ASSERT_EQUAL(0, play(with(expect + "Content-Length: 0\r\n"), 1).continues);
    CPPUNIT_ASSERT_EQUAL(0, play("GET / HTTP/1.1\r\n" + expect + "\r\n", 1).continues);
    CPPUNIT_ASSERT_EQUAL(0, play("PUT / HTTP/1.0\r\nContent-Length: 1\r\n" + expect + "\r\nx", 1).continues);
  }

  void test_smuggling() {
    for (const char* headers : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                                "Content-Length: 5\r\nContent-Length: 6\r\n",
                                "Content-Length: 5, 6\r\n",
                                "Content-Length: +5\r\n",
                                "Content-Length: -5\r\n",
                                "Content-Length: 0x5\r\n",
                                "Content-Length: 5 5\r\n",
                                "Content-Length:\r\n",
                                "Content-Length: 5,\r\n",
                                "Content-Length: 99999999999999999999\r\n",
                                "Content-Length : 5\r\n",
                                "Content-Length\t: 5\r\n",
                                " Content-Length: 5\r\n",
                                "X: a\r\n Content-Length: 5\r\n",
                                "X: a\r\n\tb\r\n",
                                "X:\r\n b\r\n",
                                "X: a\nContent-Length: 5\r\n",
                                "X: a\rContent-Length: 5\r\n",
                                "Content\rLength: 5\r\n",
                                "Content-Length\n: 5\r\n",
                                "Content-Length: 5\n",
                                ": 5\r\n",
                                "Content-Length 5\r\n",
                                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                                "Transfer-Encoding : chunked\r\n",
                                "Transfer-Encoding:\x0B"
                                "chunked\r\n"}) {
      expect_error(with(headers, "hello"), 400);
    }
    expect_error("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    // Said twice, but the same: one reading only.
    expect_requests(with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), {"PUT /k hello"});
  }

  void test_malformed() {
    for (const char* stream :
         {"GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n", "GET  / HTTP/1.1\r\n\r\n",
          "GET /a b HTTP/1.1\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.2\r\n\r\n",
          "GET / http/1.1\r\n\r\n", "GET / HTTP/11\r\n\r\n", "G@T / HTTP/1.1\r\n\r\n",
          "GET /\x01 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\n\n", "\n", "PRI * HTTP/2.0\r\n\r\n",
          "GET / HTTP/1.1\r\nX: a\x01\r\n\r\n", "GET / HTTP/1.1\r\nConnection: ,@\r\n\r\n",
          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "GET / HTTP/1.1\r\nX: a\x7F\r\n\r\n"}) {
      expect_error(stream, 400);
    }
    using std::string_view_literals::operator""sv;
    expect_error("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n"sv, 400);
    expect_error("GET /\0 HTTP/1.1\r\n\r\n"sv, 400);
  }

  /// Such a client waits for an answer and will never send the line's end.
  void test_another_protocol_is_seen_at_once() {
    using std::string_view_literals::operator""sv;
    for (const std::string_view stream :
         {"\x01\x05\0mykey"sv, "\x02"sv, "\0"sv, "\xFF"sv, "G\0"sv, "GET\x01"sv, "\x16\x03\x01"sv, "{\"a\""sv,
          " "sv, "\rG"sv, "GET\r"sv}) {
      expect_error(stream, 400);
    }
    for (const std::string_view stream : {""sv, "\r"sv, "\r\n"sv, "G"sv, "GET"sv, "GET "sv, "M-SEARCH"sv}) {
      CPPUNIT_ASSERT_EQUAL(0, play(stream, 1).error);
    }
  }

  void test_unknown_transfer_codings() {
    for (const char* coding : {"gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity",
                               "xchunked", "chunked;q=1", "\"chunked\""}) {
      expect_error(with("Transfer-Encoding: " + std::string(coding) + "\r\n", "0\r\n\r\n"), 501);
    }
    expect_error(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), 400);
  }

  void test_length_required() {
    expect_error(with(""), 411);
    expect_error("POST /k HTTP/1.1\r\n\r\n", 411);
    expect_requests("DELETE /k HTTP/1.1\r\n\r\n", {"DELETE /k "});
    expect_requests(with("Content-Length: 0\r\n"), {"PUT /k "});
  }

  void test_body_too_large() {
    const std::string head = with("Content-Length: 1001\r\n");
    expect_error(head, 413);
    HttpParser parser(kLimits);
    HttpParse parse = parser.parse(head);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t(head.size() + 1001), parse.size);
    // The caller has read past it: the connection goes on.
    CPPUNIT_ASSERT(parser.parse("GET / HTTP/1.1\r\n\r\n").kind == Kind::kRequest);

    expect_requests(with("Content-Length: 1000\r\n", std::string(1000, 'a')),
                    {"PUT /k " + std::string(1000, 'a')});
    for (const char* headers :
         {"Content-Length: 18446744073709551615\r\n", "Content-Length: 1001\r\nExpect: 100-continue\r\n"}) {
      parse = HttpParser(kLimits).parse(with(headers));
      CPPUNIT_ASSERT_EQUAL(413, parse.status);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), parse.size);
    }
  }

  void test_head_limits() {
    const HttpLimits small{100, 200, 1000};
    const auto status = [&](const std::string& stream, std::size_t step) {
      return play(stream, step, small).error;
    };
    for (const std::size_t step : {std::size_t(1), std::size_t(50), std::size_t(100'000)}) {
      CPPUNIT_ASSERT_EQUAL(0, status("GET /" + std::string(99, 'a') + " HTTP/1.1\r\n\r\n", step));
      CPPUNIT_ASSERT_EQUAL(414, status("GET /" + std::string(100, 'a') + " HTTP/1.1\r\n\r\n", step));
      CPPUNIT_ASSERT_EQUAL(414, status("GET /" + std::string(10'000, 'a'), step));
      CPPUNIT_ASSERT_EQUAL(0, status("GET / HTTP/1.1\r\nX: " + std::string(193, 'a') + "\r\n\r\n", step));
      CPPUNIT_ASSERT_EQUAL(431, status("GET / HTTP/1.1\r\nX: " + std::string(194, 'a') + "\r\n\r\n", step));
      CPPUNIT_ASSERT_EQUAL(431, status("GET / HTTP/1.1\r\nX: " + std::string(10'000, 'a'), step));
      std::string many = "GET / HTTP/1.1\r\n";
      for (int i = 0; i < 100; ++i) many += "X: a\r\n";
      CPPUNIT_ASSERT_EQUAL(431, status(many, step));
    }
  }

  void test_longest_key_fits() {
    std::string target = "/_/kv/";
    for (int i = 0; i < 65'535; ++i) target += "%41";
    const std::string fields = "X: " + std::string(60'000, 'x') + "\r\n";
    const Seen seen = play("GET " + target + " HTTP/1.1\r\n" + fields + "\r\n", 5000);
    CPPUNIT_ASSERT(seen.requests == std::vector<std::string>{"GET " + target + " "});
  }

  void test_blank_lines_between_requests() {
    expect_requests("\r\n\r\nGET /1 HTTP/1.1\r\n\r\n\r\nGET /2 HTTP/1.1\r\n\r\n\r\n", {"GET /1 ", "GET /2 "});
    expect_error("\r\rGET / HTTP/1.1\r\n\r\n", 400);
  }

  void test_repeated_headers() {
    for (const char* name : {"Authorization", "Content-Type", "Range", "If-Match", "If-None-Match",
                             "X-Minivault-Consistency", "Host"}) {
      const std::string line = std::string(name) + ": a\r\n";
      expect_error("GET / HTTP/1.1\r\n" + line + line + "\r\n", 400);
    }
    expect_requests("GET / HTTP/1.1\r\nAccept: a\r\nAccept: b\r\n\r\n", {"GET / "});
  }

  void test_bytes_asked_for_in_any_line_of_accept() {
    const std::string bytes = "Accept: application/octet-stream\r\n";
    const std::string other = "Accept: text/html\r\n";
    for (const std::string& lines : {bytes + other, other + bytes}) {
      HttpParser parser(kLimits);
      const std::string input = "GET / HTTP/1.1\r\n" + lines + "\r\n";
      CPPUNIT_ASSERT(parser.parse(input).kind == Kind::kRequest);
      CPPUNIT_ASSERT(parser.request().accept == "application/octet-stream");
    }
  }

  void test_a_refused_head_is_nothing_like_the_one_before() {
    HttpParser parser(kLimits);
    const std::string first = "HEAD / HTTP/1.0\r\n\r\n";
    CPPUNIT_ASSERT(parser.parse(first).kind == Kind::kRequest);
    CPPUNIT_ASSERT(parser.request().method == HttpMethod::kHead);
    CPPUNIT_ASSERT(parser.parse("GET / HTTP/1.1\n").kind == Kind::kError);
    CPPUNIT_ASSERT(parser.request().method == HttpMethod::kOther && parser.request().version == 11);
  }

  void test_parser_can_move_within_a_body() {
    HttpParser first(kLimits);
    CPPUNIT_ASSERT(first.parse(chunked("3\r\nabc")).kind == Kind::kNeedMore);
    HttpParser second(std::move(first));
    CPPUNIT_ASSERT(second.parse("\r\n2\r\nde\r\n0\r\n\r\n").kind == Kind::kRequest);
    CPPUNIT_ASSERT(second.request().body == "abcde" && second.request().target == "/k");
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HttpTest, "http_test");

}  // namespace
