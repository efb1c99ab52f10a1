// Goal: -ratelimit bounds the operations of all workers together, tells clients so, and leaves health alone.
// Method: clients on several connections that ask faster than they may, against the clock.

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"

namespace minivault::test {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLimit = 200;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

class RatelimitTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RatelimitTest);
  CPPUNIT_TEST(bounds_all_workers_together);
  CPPUNIT_TEST(says_when_to_come_back);
  CPPUNIT_TEST(leaves_a_slow_client_alone);
  CPPUNIT_TEST_SUITE_END();

 public:
  void bounds_all_workers_together() {
    const Node node({.flags = {"-ratelimit", std::to_string(kLimit)}});
    std::vector<std::unique_ptr<RawConnection>> connections;
    for (int i = 0; i < 8; ++i) connections.push_back(std::make_unique<RawConnection>(node.port()));
    const auto start = Clock::now();
    int done = 0;
    int refused = 0;
    while (seconds_since(start) < 2.0) {
      for (const auto& connection : connections) connection->send(set_frame("k", "v"));
      for (const auto& connection : connections) connection->receive(5) == kOk ? ++done : ++refused;
    }
    // A bucket of at most a second's worth may have been full at the start.
    const double allowed = kLimit * (seconds_since(start) + 1.0);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(done), done <= allowed * 1.05);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(done), done >= kLimit);
    CPPUNIT_ASSERT(refused > 0);
    for (int i = 0; i < 100; ++i) CPPUNIT_ASSERT_EQUAL('\0', health_status(node));
  }

  void says_when_to_come_back() {
    const Node node({.flags = {"-ratelimit", "1"}});
    HttpResponse response;
    eventually("a request is refused", [&] {
      response = http(node.port(), http_request("GET", "/k"));
      return response.status == 429;
    });
    assert_refused(response, 429);
    CPPUNIT_ASSERT(std::stoi(response.header("retry-after")) >= 1);
    CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("GET", "/health")).status);
    eventually("a request is served again",
               [&] { return http(node.port(), http_request("GET", "/k")).status == 404; });
  }

  void leaves_a_slow_client_alone() {
    const Node node({.flags = {"-ratelimit", "100000"}});
    RawConnection connection(node.port());
    for (int i = 0; i < 500; ++i) CPPUNIT_ASSERT(connection.exchange(set_frame("k", "v"), 5) == kOk);
  }

 private:
  static char health_status(const Node& node) {
    return RawConnection(node.port()).exchange(health_frame(), 1)[0];
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RatelimitTest, "ratelimit_test");

}  // namespace minivault::test
