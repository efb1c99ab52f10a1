#include "common/protocol/http_response.h"

#include <cppunit/extensions/HelperMacros.h>

namespace {

using namespace minivault::protocol;
using Kind = ByteRange::Kind;

constexpr ResponseForm kClose{false, false, 11};
constexpr ResponseForm kHead{true, true, 11};
constexpr ResponseForm kOldKeepAlive{true, false, 10};

/// Goal: responses byte by byte as clients read them.
class HttpResponseTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HttpResponseTest);
  CPPUNIT_TEST(test_success);
  CPPUNIT_TEST(test_connection_header);
  CPPUNIT_TEST(test_head_has_the_length_and_no_body);
  CPPUNIT_TEST(test_error_body_is_escaped);
  CPPUNIT_TEST(test_errors_with_their_headers);
  CPPUNIT_TEST(test_every_status_has_a_phrase);
  CPPUNIT_TEST(test_range_parts);
  CPPUNIT_TEST(test_ranges_ignored);
  CPPUNIT_TEST(test_ranges_unsatisfiable);
  CPPUNIT_TEST(test_bytes_with_range);
  CPPUNIT_TEST(test_bytes_type);
  CPPUNIT_TEST(test_bearer_key);
  CPPUNIT_TEST_SUITE_END();

  static std::string body_of(const std::string& response) {
    return response.substr(response.find("\r\n\r\n") + 4);
  }

  static bool has_line(const std::string& response, const std::string& line) {
    return response.find("\r\n" + line + "\r\n") != std::string::npos;
  }

  static void expect_part(std::string_view header, std::uint64_t total, std::uint64_t offset,
                          std::uint64_t length) {
    const ByteRange range = parse_range(header, total);
    CPPUNIT_ASSERT_MESSAGE(std::string(header), range.kind == Kind::kPart);
    CPPUNIT_ASSERT_EQUAL(offset, range.offset);
    CPPUNIT_ASSERT_EQUAL(length, range.length);
  }

  void test_success() {
    std::string out;
    append_success(out, 200, {});
    CPPUNIT_ASSERT_EQUAL(
        std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
                    "{\"success\":true}"),
        out);
    out.clear();
    append_success(out, 201, {});
    CPPUNIT_ASSERT(out.starts_with("HTTP/1.1 201 Created\r\n"));
  }

  void test_connection_header() {
    std::string out;
    append_success(out, 200, kClose);
    CPPUNIT_ASSERT(has_line(out, "Connection: close"));
    out.clear();
    append_success(out, 200, kOldKeepAlive);
    CPPUNIT_ASSERT(has_line(out, "Connection: keep-alive"));
  }

  void test_head_has_the_length_and_no_body() {
    std::string get;
    std::string head;
    append_response(get, 200, kJsonType, "{\"a\":1}", {});
    append_response(head, 200, kJsonType, "{\"a\":1}", kHead);
    CPPUNIT_ASSERT_EQUAL(get, head + "{\"a\":1}");
    head.clear();
    append_json_error(head, 404, "not found", kHead);
    CPPUNIT_ASSERT_EQUAL(std::string(), body_of(head));
  }

  void test_error_body_is_escaped() {
    std::string out;
    append_json_error(out, 404, "not found", {});
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":false,\"error\":\"not found\"}"), body_of(out));
    CPPUNIT_ASSERT(has_line(out, "Content-Length: 37"));
    out.clear();
    append_json_error(out, 400, "a\"b\\c\n\x01", {});
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":false,\"error\":\"a\\\"b\\\\c\\n\\u0001\"}"),
                         body_of(out));
    out.clear();
    append_json_error(out, 400, "\xFF", {});
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":false,\"error\":\"error text is not UTF-8\"}"),
                         body_of(out));
  }

  void test_errors_with_their_headers() {
    std::string out;
    append_unauthorized(out, {});
    CPPUNIT_ASSERT(out.starts_with("HTTP/1.1 401 Unauthorized\r\n") &&
                   has_line(out, "WWW-Authenticate: Bearer"));
    out.clear();
    append_method_not_allowed(out, kKeyMethods, {});
    CPPUNIT_ASSERT(out.starts_with("HTTP/1.1 405 ") && has_line(out, "Allow: GET, HEAD, PUT, POST, DELETE"));
    out.clear();
    append_rate_limited(out, 1, {});
    CPPUNIT_ASSERT(out.starts_with("HTTP/1.1 429 ") && has_line(out, "Retry-After: 1"));
    out.clear();
    append_range_not_satisfiable(out, 12, {});
    CPPUNIT_ASSERT(out.starts_with("HTTP/1.1 416 ") && has_line(out, "Content-Range: bytes */12"));
  }

  void test_every_status_has_a_phrase() {
    for (const int status :
         {200, 201, 206, 400, 401, 404, 405, 409, 411, 413, 414, 416, 429, 431, 500, 501, 503}) {
      CPPUNIT_ASSERT(reason_phrase(status) != "Unknown");
    }
    CPPUNIT_ASSERT(reason_phrase(299) == "Unknown");
  }

  void test_range_parts() {
    expect_part("bytes=0-4", 10, 0, 5);
    expect_part("bytes=0-0", 10, 0, 1);
    expect_part("bytes=9-9", 10, 9, 1);
    expect_part("bytes=5-", 10, 5, 5);
    expect_part("bytes=5-100", 10, 5, 5);
    expect_part("bytes=-3", 10, 7, 3);
    expect_part("bytes=-100", 10, 0, 10);
    expect_part("Bytes= 1-2 ", 10, 1, 2);
    expect_part("bytes=1-99999999999999999999999999", 10, 1, 9);
  }

  void test_ranges_ignored() {
    for (const char* header :
         {"", "bytes", "bytes=", "bytes=a-b", "bytes=4-2", "bytes=1-2,4-5", "items=0-4", "bytes=-", "bytes=1",
          "bytes=+1-2", "bytes=1--2", "bytes=0x1-2", "bytes=- 3"}) {
      CPPUNIT_ASSERT_MESSAGE(header, parse_range(header, 10).kind == Kind::kWhole);
    }
  }

  void test_ranges_unsatisfiable() {
    for (const char* header : {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999999-"}) {
      CPPUNIT_ASSERT_MESSAGE(header, parse_range(header, 10).kind == Kind::kUnsatisfiable);
    }
    CPPUNIT_ASSERT(parse_range("bytes=0-", 0).kind == Kind::kUnsatisfiable);
    CPPUNIT_ASSERT(parse_range("bytes=-5", 0).kind == Kind::kUnsatisfiable);
  }

  void test_bytes_with_range() {
    std::string out;
    append_bytes(out, "hello world", "bytes=6-", {});
    CPPUNIT_ASSERT(out.starts_with("HTTP/1.1 206 Partial Content\r\n"));
    CPPUNIT_ASSERT(has_line(out, "Content-Range: bytes 6-10/11") && has_line(out, "Content-Length: 5"));
    CPPUNIT_ASSERT_EQUAL(std::string("world"), body_of(out));
    out.clear();
    append_bytes(out, "hello world", "", {});
    CPPUNIT_ASSERT(out.starts_with("HTTP/1.1 200 OK\r\n") &&
                   has_line(out, "Content-Type: application/octet-stream"));
    CPPUNIT_ASSERT_EQUAL(std::string("hello world"), body_of(out));
    out.clear();
    append_bytes(out, "hello world", "bytes=11-", {});
    CPPUNIT_ASSERT(out.starts_with("HTTP/1.1 416 "));
  }

  void test_bytes_type() {
    for (const char* header : {"application/octet-stream", "Application/Octet-Stream",
                               "text/html, application/octet-stream", "application/octet-stream; q=0.9"}) {
      CPPUNIT_ASSERT_MESSAGE(header, names_bytes_type(header));
    }
    for (const char* header :
         {"", "*/*", "application/json", "application/octet-streams", "x application/octet-stream"}) {
      CPPUNIT_ASSERT_MESSAGE(header, !names_bytes_type(header));
    }
  }

  void test_bearer_key() {
    CPPUNIT_ASSERT(bearer_key("Bearer secret") == "secret");
    CPPUNIT_ASSERT(bearer_key("bearer  secret") == "secret");
    for (const char* header : {"", "Bearer", "Bearer ", "Basic secret", "Bearersecret"}) {
      CPPUNIT_ASSERT_MESSAGE(header, bearer_key(header).empty());
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HttpResponseTest, "http_response_test");

}  // namespace
