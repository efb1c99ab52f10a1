// Goal: requests that are broken, too large or made to be read in two ways get the fitting error, change
// nothing, and the node serves the next client. Method: raw text over loopback, as no decent client would
// send it.

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"

namespace minivault::test {

class HttpHostileTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HttpHostileTest);
  CPPUNIT_TEST(refuses_what_can_be_read_in_two_ways);
  CPPUNIT_TEST(refuses_broken_requests);
  CPPUNIT_TEST(refuses_with_a_body_behind_a_head);
  CPPUNIT_TEST(wants_a_length);
  CPPUNIT_TEST(refuses_too_large_a_body_and_goes_on);
  CPPUNIT_TEST(blank_lines_hold_no_memory);
  CPPUNIT_TEST(refuses_too_long_a_target);
  CPPUNIT_TEST(refuses_too_large_headers);
  CPPUNIT_TEST(refuses_broken_json);
  CPPUNIT_TEST(survives_deep_json);
  CPPUNIT_TEST(survives_half_requests);
  CPPUNIT_TEST_SUITE_END();

 public:
  // The second request in each must never be served as a request of its own.
  void refuses_what_can_be_read_in_two_ways() {
    const Node node;
    const std::string body = R"({"value":1})";
    const std::string smuggled = http_upload("PUT", "/smuggled", R"({"value":1})");
    for (const Headers& headers : std::vector<Headers>{
             {"Content-Length: 11", "Transfer-Encoding: chunked"},
             {"Transfer-Encoding: chunked", "Content-Length: 11"},
             {"Content-Length: 11", "Content-Length: 12"},
             {"Content-Length: 11, 12"},
             {"Content-Length: +11"},
             {"Content-Length: -11"},
             {"Content-Length: 0x0b"},
             {"Content-Length: 11 11"},
             {"Content-Length: 99999999999999999999999"},
             {"Content-Length : 11"},
             {"Content-Length: 11", " folded: yes"},
             {"Transfer-Encoding: identity"},
             {"Transfer-Encoding: chunked, identity"},
             {"Transfer-Encoding: xchunked"},
             {"Transfer-Encoding: chunked", "Transfer-Encoding: chunked"},
             {"Transfer-Encoding:\x0b"
              "chunked"},
         }) {
      RawConnection connection(node.port());
      connection.send(http_request("PUT", "/victim", headers) + body + smuggled);
      const HttpResponse response = receive_http(connection);
      CPPUNIT_ASSERT_MESSAGE(headers.back(), response.status >= 400 && response.status <= 501);
      (void)connection.receive_until_close();
      assert_refused(http(node.port(), http_request("GET", "/smuggled")), 404);
      assert_refused(http(node.port(), http_request("GET", "/victim")), 404);
    }
  }

  void refuses_broken_requests() {
    const Node node;
    const std::string put = "PUT /k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string& request : std::vector<std::string>{
             "GET\r\n\r\n", "GET /k\r\n\r\n", "GET  /k HTTP/1.1\r\n\r\n", "GET k HTTP/1.1\r\n\r\n",
             "GET /k HTTP/9.9\r\n\r\n", "GET /k HTP/1.1\r\n\r\n", "GET /k HTTP/1.1\nHost: x\n\n",
             "GET /k HTTP/1.1\r\nno colon\r\n\r\n", "GET /k HTTP/1.1\r\n: empty\r\n\r\n",
             std::string("GET /k HTTP/1.1\r\nA: \0\r\n\r\n", 26), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
             put + "x\r\n", put + "-1\r\n", put + "FFFFFFFFFFFFFFFFF\r\n", put + "2\r\nabc\r\n0\r\n\r\n",
             put + "\r\n\r\n"}) {
      RawConnection connection(node.port());
      connection.send(request);
      connection.finish_sending();
      const HttpResponse response = receive_http(connection);
      CPPUNIT_ASSERT_MESSAGE(request, response.status >= 400 && response.status <= 505);
      CPPUNIT_ASSERT_MESSAGE(request, parse_json(response.body)["success"].IsFalse());
      CPPUNIT_ASSERT_EQUAL_MESSAGE(request, std::string(), connection.receive_until_close());
    }
    assert_serves(node);
  }

  /// The answer to HEAD has no body; that of the refused request behind it does.
  void refuses_with_a_body_behind_a_head() {
    const Node node;
    for (const std::string& broken :
         {std::string("\x01\x02"), std::string("GET /k HTTP/1.1\n"), "GET /" + std::string(300'000, 'a')}) {
      RawConnection connection(node.port());
      connection.send(http_request("HEAD", "/k") + broken);
      CPPUNIT_ASSERT_EQUAL(404, receive_http(connection, false).status);
      const HttpResponse response = receive_http(connection);
      CPPUNIT_ASSERT(response.status == 400 || response.status == 414);
      assert_refused(response, response.status);
    }
  }

  void wants_a_length() {
    const Node node;
    assert_refused(http(node.port(), http_request("PUT", "/k")), 411);
    assert_refused(http(node.port(), http_request("POST", "/k")), 411);
    assert_refused(http(node.port(), http_request("GET", "/k")), 404);
  }

  void refuses_too_large_a_body_and_goes_on() {
    const Node node;
    const std::string large(5 << 20, 'x');  // -log 16 allows 4 MB
    RawConnection connection(node.port());
    const std::string upload = http_upload("PUT", "/large", large, {std::string("Content-Type: ") + kOctets});
    // What is read past is exactly the request, whatever blank lines are in front of it: its last bytes must
    // never pass for the next one.
    for (const std::string before : {"", "\r\n", "\r\n\r\n"}) {
      connection.send(before + upload + http_request("GET", "/large"));
      assert_refused(receive_http(connection), 413);
      assert_refused(receive_http(connection), 404);
    }
    RawConnection chunked(node.port());
    std::string body;
    for (int i = 0; i < 80; ++i) body += "10000\r\n" + std::string(65'536, 'x') + "\r\n";
    (void)chunked.send_until_stuck(
        http_request("PUT", "/large",
                     {"Transfer-Encoding: chunked", std::string("Content-Type: ") + kOctets}) +
            body + "0\r\n\r\n",
        milliseconds(500));
    assert_refused(receive_http(chunked), 413);
    assert_refused(http(node.port(), http_request("GET", "/large")), 404);
    assert_serves(node);
  }

  /// They may stand before a request, so nothing is wrong with them, and no time-out ends who sends nothing
  /// else.
  void blank_lines_hold_no_memory() {
    const Node node({.flags = {"-procs", "1"}});
    std::string blank;
    for (int i = 0; i < 600'000; ++i) blank += "\r\n";
    std::vector<std::unique_ptr<RawConnection>> idle;
    for (int i = 0; i < 60; ++i) {  // 256 MB in all if each were granted the largest request
      idle.push_back(std::make_unique<RawConnection>(node.port()));
      idle.back()->send(http_request("GET", "/none"));
      assert_refused(receive_http(*idle.back()), 404);
      idle.back()->send(blank);
    }
    const std::string large(3 << 20, 'x');
    assert_done(
        http(node.port(), http_upload("PUT", "/large", large, {std::string("Content-Type: ") + kOctets})));
    idle.front()->send(http_request("GET", "/none"));
    assert_refused(receive_http(*idle.front()), 404);
  }

  void refuses_too_long_a_target() {
    const Node node;
    const std::string longest(65'535, 'k');
    assert_done(http(node.port(), http_upload("PUT", "/" + longest, R"({"value":1})")));
    assert_data(http(node.port(), http_request("GET", "/" + longest)), "1");
    assert_refused(http(node.port(), http_request("GET", "/" + longest + "k")), 414);
    RawConnection connection(node.port());
    (void)connection.send_until_stuck("GET /" + std::string(10'000'000, 'k'), milliseconds(500));
    assert_refused(receive_http(connection), 414);
    assert_serves(node);
  }

  void refuses_too_large_headers() {
    const Node node;
    RawConnection one(node.port());
    (void)one.send_until_stuck("GET /k HTTP/1.1\r\nX: " + std::string(10'000'000, 'x'), milliseconds(500));
    assert_refused(receive_http(one), 431);
    RawConnection many(node.port());
    std::string headers = "GET /k HTTP/1.1\r\n";
    for (int i = 0; i < 200'000; ++i) headers += "a: b\r\n";
    (void)many.send_until_stuck(headers, milliseconds(500));
    assert_refused(receive_http(many), 431);
    assert_serves(node);
  }

  void refuses_broken_json() {
    const Node node;
    RawConnection connection(node.port());
    for (const std::string& body : std::vector<std::string>{
             "", "{", "}", "nonsense", R"({"value":})", R"({"value":1)", R"({"value":1}x)",
             R"({"value":1}{"value":2})", R"({value:1})", R"({"value":'x'})", R"({"value":01})",
             R"({"value":NaN})", R"({"value":1,})", R"({"value":[1,]})", "{\"value\":\"\x01\"}",
             "{\"value\":\"\xff\"}", R"({"value":"\ud800"})", R"({"value":tru})"}) {
      connection.send(http_upload("PUT", "/k", body));
      assert_refused(receive_http(connection), 400, "invalid json");
    }
    for (const char* body : {"{}", "[]", "1", "null", R"("value")", R"({"Value":1})", R"([{"value":1}])"}) {
      connection.send(http_upload("PUT", "/k", body));
      assert_refused(receive_http(connection), 400);
    }
    assert_refused(http(node.port(), http_request("GET", "/k")), 404);
    assert_serves(node);
  }

  void survives_deep_json() {
    const Node node;
    constexpr int kDepth = 1'000'000;
    const std::string open(kDepth, '[');
    const std::string close(kDepth, ']');
    const int whole =
        http(node.port(), http_upload("PUT", "/deep", R"({"value":)" + open + close + "}")).status;
    CPPUNIT_ASSERT(whole == 200 || whole == 400);
    assert_refused(http(node.port(), http_upload("PUT", "/broken", R"({"value":)" + open + "}")), 400);
    (void)http(node.port(), http_upload("PUT", "/deep", open, {std::string("Content-Type: ") + kOctets}));
    CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("GET", "/deep")).status);
    assert_serves(node);
  }

  void survives_half_requests() {
    const Node node;
    const std::string whole = http_upload("PUT", "/half", R"({"value": "never whole"})");
    for (std::size_t size = 1; size < whole.size(); size += 5) {
      RawConnection connection(node.port());
      connection.send(whole.substr(0, size));
      if (size % 2 == 0) {
        connection.finish_sending();
        (void)connection.receive_until_close();
      } else {
        connection.reset();
      }
    }
    assert_refused(http(node.port(), http_request("GET", "/half")), 404);
    assert_serves(node);
  }

 private:
  static void assert_serves(const Node& node) {
    assert_done(http(node.port(), http_upload("PUT", "/still", R"({"value": "served"})")));
    assert_data(http(node.port(), http_request("GET", "/still")), R"("served")");
    CPPUNIT_ASSERT(http(node.port(), http_request("GET", "/health")).body.find(R"("restarts":1)") ==
                   std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HttpHostileTest, "http_hostile_test");

}  // namespace minivault::test
