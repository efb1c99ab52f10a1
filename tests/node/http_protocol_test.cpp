// Goal: the HTTP table of PROTOCOL.md, row by row, and the values that both protocols share.
// Method: requests as text over loopback against a real node; every answer's framing and JSON is checked.

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/bytes.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"

namespace minivault::test {

namespace {

const Headers kRawBody{std::string("Content-Type: ") + kOctets};
const Headers kRawAnswer{std::string("Accept: ") + kOctets};

}  // namespace

class HttpProtocolTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HttpProtocolTest);
  CPPUNIT_TEST(does_what_the_table_says);
  CPPUNIT_TEST(creates_only_once);
  CPPUNIT_TEST(gives_json_values_as_they_are);
  CPPUNIT_TEST(takes_and_gives_raw_bytes);
  CPPUNIT_TEST(honours_ranges);
  CPPUNIT_TEST(never_joins_two_values_by_a_range);
  CPPUNIT_TEST(shares_values_with_the_binary_protocol);
  CPPUNIT_TEST(decodes_the_path);
  CPPUNIT_TEST(keeps_reserved_names_apart);
  CPPUNIT_TEST(answers_head_like_get);
  CPPUNIT_TEST(says_continue);
  CPPUNIT_TEST(reads_chunked_bodies);
  CPPUNIT_TEST(answers_a_pipeline_in_order);
  CPPUNIT_TEST(takes_one_byte_at_a_time);
  CPPUNIT_TEST(keeps_alive_and_closes_as_asked);
  CPPUNIT_TEST(names_the_methods_it_has);
  CPPUNIT_TEST(serves_both_listeners);
  CPPUNIT_TEST(tells_its_health);
  CPPUNIT_TEST_SUITE_END();

 public:
  void does_what_the_table_says() {
    const Node node;
    assert_refused(get(node, "/key"), 404, "not found");
    assert_done(put(node, "/key", R"({"value": "hello"})"));
    assert_data(get(node, "/key"), R"("hello")");
    assert_refused(put(node, "/key", "{"), 400, "invalid json");
    assert_refused(put(node, "/key", R"({"val": 1})"), 400, "missing value field");
    assert_data(get(node, "/key"), R"("hello")");
    assert_done(request(node, "DELETE", "/key"));
    assert_refused(get(node, "/key"), 404, "not found");
    assert_done(request(node, "DELETE", "/key"));  // a missing key too
    assert_refused(get(node, "/"), 400, "key required");
    assert_refused(put(node, "/", R"({"value": 1})"), 400, "key required");
  }

  void creates_only_once() {
    const Node node;
    assert_done(http(node.port(), http_upload("POST", "/new", R"({"value": 1})")), 201);
    assert_refused(http(node.port(), http_upload("POST", "/new", R"({"value": 2})")), 409, "exists");
    assert_data(get(node, "/new"), "1");
    assert_done(request(node, "DELETE", "/new"));
    assert_done(http(node.port(), http_upload("POST", "/new", R"({"value": 3})")), 201);
    assert_refused(http(node.port(), http_upload("POST", "/other", R"({"valu": 2})")), 400,
                   "missing value field");
    assert_refused(get(node, "/other"), 404);
  }

  void gives_json_values_as_they_are() {
    const Node node;
    for (const char* value :
         {"1", "-0.5e10", "true", "null", R"("")", R"("\u00e9\n\"")", "[]", "{}", "12345678901234567890123",
          R"({"a" : [1, 2,  {"b":null}], "value": {"value": 0}})", R"("ünïcödé")"}) {
      assert_done(put(node, "/json", std::string(R"({"value": )") + value + "}"));
      assert_data(get(node, "/json"), value);
      CPPUNIT_ASSERT_EQUAL(std::string(value),
                           http(node.port(), http_request("GET", "/json", kRawAnswer)).body);
    }
    assert_done(put(node, "/json", R"(  { "other": [1, {"value": 2}], "value" : 3 , "more": {} }  )"));
    assert_data(get(node, "/json"), "3");
  }

  void takes_and_gives_raw_bytes() {
    const Node node;
    assert_done(http(node.port(), http_upload("PUT", "/raw", "plain text", kRawBody)));
    assert_data(get(node, "/raw"), R"("plain text")");
    assert_done(http(node.port(), http_upload("PUT", "/raw", R"({"is": "json"})", kRawBody)));
    assert_data(get(node, "/raw"), R"({"is": "json"})");

    const std::string bytes = from_hex("00 ff fe 80 0a 22 5c");
    assert_done(http(node.port(), http_upload("PUT", "/raw", bytes, kRawBody)));
    CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":true,"data":"AP/+gAoiXA==","encoding":"base64"})"),
                         get(node, "/raw").body);
    const HttpResponse raw = http(node.port(), http_request("GET", "/raw", kRawAnswer));
    CPPUNIT_ASSERT_EQUAL(to_hex(bytes), to_hex(raw.body));
    CPPUNIT_ASSERT_EQUAL(std::string(kOctets), raw.header("content-type"));

    assert_done(http(node.port(), http_upload("PUT", "/empty", "", kRawBody)));
    CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("GET", "/empty", kRawAnswer)).status);
    assert_data(get(node, "/empty"), R"("")");
    assert_done(http(node.port(), http_upload("POST", "/created", "x", kRawBody)), 201);
  }

  void honours_ranges() {
    const Node node;
    assert_done(http(node.port(), http_upload("PUT", "/range", "0123456789", kRawBody)));
    assert_range(node, "bytes=0-3", "0123", "bytes 0-3/10");
    assert_range(node, "bytes=4-4", "4", "bytes 4-4/10");
    assert_range(node, "bytes=7-", "789", "bytes 7-9/10");
    assert_range(node, "bytes=-2", "89", "bytes 8-9/10");
    assert_range(node, "bytes=-20", "0123456789", "bytes 0-9/10");
    assert_range(node, "bytes=5-99", "56789", "bytes 5-9/10");
    const HttpResponse beyond = ranged(node, "bytes=10-");
    CPPUNIT_ASSERT_EQUAL(416, beyond.status);
    CPPUNIT_ASSERT_EQUAL(std::string("bytes */10"), beyond.header("content-range"));
    for (const char* ignored :
         {"bytes=x", "lines=1-2", "bytes=3-1"}) {  // not a range that can be read: the whole value
      CPPUNIT_ASSERT_EQUAL_MESSAGE(ignored, 200, ranged(node, ignored).status);
    }
  }

  /// A download that goes on after the value has changed gets the new one, whole.
  void never_joins_two_values_by_a_range() {
    const Node node;
    assert_done(http(node.port(), http_upload("PUT", "/range", "0123456789", kRawBody)));
    const auto go_on = [&](const std::string& tag) {
      return http(node.port(),
                  http_request("GET", "/range", {kRawAnswer.front(), "Range: bytes=5-", "If-Range: " + tag}));
    };
    const std::string tag = ranged(node, "bytes=0-4").header("etag");
    CPPUNIT_ASSERT_EQUAL(std::string("56789"), go_on(tag).body);
    assert_done(http(node.port(), http_upload("PUT", "/range", "abcdefghij", kRawBody)));
    for (const std::string& old : {tag, "W/" + tag, std::string("Sat, 21 Nov 2026 00:00:00 GMT")}) {
      const HttpResponse whole = go_on(old);
      CPPUNIT_ASSERT_EQUAL(200, whole.status);
      CPPUNIT_ASSERT_EQUAL(std::string("abcdefghij"), whole.body);
    }
  }

  void shares_values_with_the_binary_protocol() {
    const Node node;
    RawConnection binary(node.port());
    assert_done(put(node, "/from%20http", R"({"value": {"n": 1}})"));
    CPPUNIT_ASSERT_EQUAL(to_hex(value_answer(R"({"n": 1})")),
                         to_hex(binary.exchange(get_frame("from http"), 5 + 8)));
    CPPUNIT_ASSERT_EQUAL(to_hex(kOk), to_hex(binary.exchange(set_frame("from/binary", "text"), 5)));
    assert_data(get(node, "/from/binary"), R"("text")");
    CPPUNIT_ASSERT_EQUAL(to_hex(kOk), to_hex(binary.exchange(set_frame("from/binary", "[1]"), 5)));
    assert_data(get(node, "/from/binary"), "[1]");
    assert_done(request(node, "DELETE", "/from/binary"));
    CPPUNIT_ASSERT_EQUAL(to_hex(kError), to_hex(binary.exchange(get_frame("from/binary"), 5)));
  }

  void decodes_the_path() {
    const Node node;
    RawConnection binary(node.port());
    const std::vector<std::pair<std::string, std::string>> paths = {
        {"/a/b/c", "a/b/c"},       {"/a%2Fb%2fc", "a/b/c"}, {"/%C3%A9", "\xc3\xa9"},
        {"/a+b", "a+b"},           {"/a%3Fb", "a?b"},       {"//double", "/double"},
        {"/a/../b/.", "a/../b/."}, {"/q?x=1", "q"},         {"/%00%ff", std::string("\0\xff", 2)}};
    for (const auto& [path, key] : paths) {
      assert_done(put(node, path, "{\"value\":\"" + to_hex(key) + "\"}"));
      const std::string answer = value_answer('"' + to_hex(key) + '"');
      CPPUNIT_ASSERT_EQUAL_MESSAGE(path, to_hex(answer),
                                   to_hex(binary.exchange(get_frame(key), answer.size())));
    }
    for (const char* bad : {"/%", "/%4", "/%zz", "/a%0", "/%%41", "/ok%2"}) {
      assert_refused(get(node, bad), 400);
      assert_refused(put(node, bad, R"({"value":1})"), 400);
    }
  }

  void keeps_reserved_names_apart() {
    const Node node;
    for (const char* name : {"/health", "/%68ealth", "/metrics", "/_/other", "/_/", "/_/kv"}) {
      const int status = put(node, name, R"({"value":1})").status;
      CPPUNIT_ASSERT_MESSAGE(name, status == 404 || status == 405);
    }
    for (const char* name : {"health", "metrics", "_/other", "_/kv/x", "plain"}) {
      const std::string path = std::string("/_/kv/") + name;
      assert_done(put(node, path, std::string("{\"value\":\"") + name + "\"}"));
      assert_data(get(node, path), std::string("\"") + name + '"');
    }
    assert_data(get(node, "/plain"), R"("plain")");
    assert_refused(get(node, "/_/kv/"), 400, "key required");
    CPPUNIT_ASSERT(get(node, "/health").body.find("healthy") != std::string::npos);
  }

  void answers_head_like_get() {
    const Node node;
    assert_done(put(node, "/key", R"({"value": "hello"})"));
    for (const char* path : {"/key", "/nokey", "/"}) {
      const HttpResponse whole = get(node, path);
      const HttpResponse head = request(node, "HEAD", path);
      CPPUNIT_ASSERT_EQUAL(whole.status, head.status);
      CPPUNIT_ASSERT(whole.headers == head.headers);
    }
    RawConnection connection(node.port());  // and nothing but the head is sent
    connection.send(http_request("HEAD", "/key") + http_request("GET", "/key"));
    CPPUNIT_ASSERT_EQUAL(200, receive_http(connection, false).status);
    assert_data(receive_http(connection), R"("hello")");
  }

  void says_continue() {
    const Node node;
    RawConnection connection(node.port());
    const std::string body = R"({"value": "patient"})";
    connection.send(http_request("PUT", "/k",
                                 {"Expect: 100-continue", "Content-Length: " + std::to_string(body.size())}));
    CPPUNIT_ASSERT_EQUAL(100, receive_http(connection).status);
    connection.send(body);
    assert_done(receive_http(connection));
    connection.send(http_request("PUT", "/k", {"Expect: 100-continue", "Content-Length: 90000000"}));
    assert_refused(receive_http(connection), 413);  // told before the body is sent
    assert_data(get(node, "/k"), R"("patient")");
  }

  void reads_chunked_bodies() {
    const Node node;
    RawConnection connection(node.port());
    const std::string head = http_request("PUT", "/chunked", {"Transfer-Encoding: chunked"});
    connection.send(head + "5\r\n{\"val\r\nA;note=x\r\nue\": \"abc\"\r\n1\r\n}\r\n0\r\n\r\n");
    assert_done(receive_http(connection));
    connection.send(head + "0d\r\n{\"value\": 12}\r\n0\r\nTrailer: ignored\r\n\r\n" +
                    http_request("GET", "/chunked"));
    assert_done(receive_http(connection));
    assert_data(receive_http(connection), "12");
  }

  void answers_a_pipeline_in_order() {
    const Node node;
    RawConnection connection(node.port());
    std::string requests;
    for (int i = 0; i < 500; ++i) {
      requests += http_upload("PUT", "/p", "{\"value\":" + std::to_string(i) + "}") +
                  http_request("GET", "/p") + http_request("GET", "/none");
    }
    connection.send(requests);
    for (int i = 0; i < 500; ++i) {
      assert_done(receive_http(connection));
      assert_data(receive_http(connection), std::to_string(i));
      assert_refused(receive_http(connection), 404);
    }
  }

  void takes_one_byte_at_a_time() {
    const Node node;
    RawConnection connection(node.port());
    for (const char byte : http_upload("PUT", "/slow", R"({"value": 1})") + http_request("GET", "/slow")) {
      connection.send({&byte, 1});
    }
    assert_done(receive_http(connection));
    assert_data(receive_http(connection), "1");
  }

  void keeps_alive_and_closes_as_asked() {
    const Node node;
    RawConnection closing(node.port());
    closing.send(http_request("GET", "/a", {"Connection: close"}) + http_request("GET", "/never"));
    const HttpResponse last = receive_http(closing);
    CPPUNIT_ASSERT_EQUAL(404, last.status);
    CPPUNIT_ASSERT_EQUAL(std::string("close"), last.header("connection"));
    CPPUNIT_ASSERT_EQUAL(std::string(), closing.receive_until_close());

    RawConnection old(node.port());
    old.send("GET /a HTTP/1.0\r\n\r\n");
    CPPUNIT_ASSERT_EQUAL(404, receive_http(old).status);
    CPPUNIT_ASSERT_EQUAL(std::string(), old.receive_until_close());

    RawConnection old_alive(node.port());
    for (int i = 0; i < 3; ++i) {
      old_alive.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
      CPPUNIT_ASSERT_EQUAL(404, receive_http(old_alive).status);
    }
  }

  void names_the_methods_it_has() {
    const Node node;
    for (const char* method : {"PATCH", "OPTIONS", "TRACE", "BREW"}) {
      const HttpResponse response = request(node, method, "/key");
      assert_refused(response, 405);
      for (const char* allowed : {"GET", "HEAD", "PUT", "POST", "DELETE"}) {
        CPPUNIT_ASSERT_MESSAGE(response.header("allow"),
                               response.header("allow").find(allowed) != std::string::npos);
      }
    }
    const HttpResponse health = request(node, "DELETE", "/health");
    assert_refused(health, 405);
    CPPUNIT_ASSERT_EQUAL(std::string("GET, HEAD"), health.header("allow"));
  }

  void serves_both_listeners() {
    const Node node(NodeOptions{.http_listener = true});
    assert_done(http(node.http_port(), http_upload("PUT", "/both", R"({"value": 1})")));
    assert_data(get(node, "/both"), "1");
    // HTTP alone: a client of the other protocol, which waits for its answer, is told so at once.
    for (const std::string& frame : {set_frame("both", "binary"), get_frame("both"), std::string("\x05")}) {
      RawConnection binary(node.http_port());
      binary.send(frame);
      const HttpResponse answer = receive_http(binary);
      assert_refused(answer, 400);
      CPPUNIT_ASSERT_MESSAGE(answer.body, answer.body.find("not HTTP") != std::string::npos);
      CPPUNIT_ASSERT_EQUAL(std::string(), binary.receive_until_close());
    }
    assert_data(http(node.http_port(), http_request("GET", "/both")), "1");
  }

  void tells_its_health() {
    const Node node;
    const HttpResponse response = get(node, "/health");
    CPPUNIT_ASSERT_EQUAL(200, response.status);
    const auto health = parse_json(response.body);
    CPPUNIT_ASSERT_EQUAL(std::string("healthy"), std::string(health["status"].GetString()));
    for (const char* name :
         {"uptime_seconds", "cache_items", "cache_size_mb", "storage_size_mb", "goroutines", "memory_mb"}) {
      CPPUNIT_ASSERT_MESSAGE(name, health.HasMember(name) && health[name].IsInt64());
    }
    for (const auto& process : health["processes"].GetArray())
      CPPUNIT_ASSERT(is_alive(process["pid"].GetInt()));
    for (const char* name : {"tail", "durable", "checkpoint", "window", "size"})
      CPPUNIT_ASSERT(health["log"].HasMember(name));
  }

 private:
  static HttpResponse request(const Node& node, std::string_view method, std::string_view target) {
    return http(node.port(), http_request(method, target));
  }
  static HttpResponse get(const Node& node, std::string_view target) { return request(node, "GET", target); }
  static HttpResponse put(const Node& node, std::string_view target, std::string_view body) {
    return http(node.port(), http_upload("PUT", target, body));
  }
  static HttpResponse ranged(const Node& node, const std::string& range) {
    return http(node.port(), http_request("GET", "/range", {kRawAnswer.front(), "Range: " + range}));
  }
  static void assert_range(const Node& node, const std::string& range, const std::string& bytes,
                           const std::string& where) {
    const HttpResponse response = ranged(node, range);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(range, 206, response.status);
    CPPUNIT_ASSERT_EQUAL(bytes, response.body);
    CPPUNIT_ASSERT_EQUAL(where, response.header("content-range"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HttpProtocolTest, "http_protocol_test");

}  // namespace minivault::test
