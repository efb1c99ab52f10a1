// Goal: who owes the rest of a request, or does not take its answers, is dropped after 30 s without progress;
// who is slow and who is idle is not. Method: one of each at once, for as long as it takes.

#include <cppunit/extensions/HelperMacros.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>

#include "tests/support/frames.h"
#include "tests/support/node.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {

namespace {

using Clock = std::chrono::steady_clock;

constexpr milliseconds kLimit{30'000};
constexpr milliseconds kLate{10'000};  // on a busy machine
constexpr std::size_t kValueBytes = 4'000'000;

/// The other side has closed or reset it. Takes nothing of what was sent.
bool is_over(const RawConnection& connection) {
  pollfd entry{connection.fd(), POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace

class PatienceTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PatienceTest);
  CPPUNIT_TEST(drops_who_stands_still_and_nobody_else);
  CPPUNIT_TEST_SUITE_END();

 public:
  void drops_who_stands_still_and_nobody_else() {
    const Node node({.flags = {"-procs", "1"}});
    RawConnection idle(node.port());
    CPPUNIT_ASSERT(idle.exchange(set_frame("big", std::string(kValueBytes, 'v')), 5) == kOk);

    RawConnection half_binary(node.port());
    half_binary.send(set_frame("k", "value").substr(0, 7));
    RawConnection half_http(node.port());
    half_http.send("GET /k HTTP/1.1\r\nHost:");
    RawConnection does_not_read(node.port());
    for (int i = 0; i < 10; ++i) does_not_read.send(get_frame("big"));
    CPPUNIT_ASSERT(does_not_read.receive(5).size() == 5);
    does_not_read.send(
        get_frame("big"));  // not read, so the end is a reset: a mere end would wait behind the answers
    RawConnection reads_slowly(node.port());
    reads_slowly.send(get_frame("big") + get_frame("big"));
    const std::string drop = set_frame("drops", std::string(60, 'd'));
    RawConnection sends_slowly(node.port());

    const auto begin = Clock::now();
    std::size_t sent = 0;
    std::size_t read = 0;
    eventually(
        "whoever stands still is dropped",
        [&] {
          const auto since = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
          const auto due = static_cast<std::size_t>(since / milliseconds(1'000)) + 1;
          for (; sent < due && sent < drop.size(); ++sent) sends_slowly.send(drop.substr(sent, 1));
          for (; read < due; ++read) (void)reads_slowly.receive(50'000);
          const bool dropped = is_over(half_binary) && is_over(half_http) && is_over(does_not_read);
          CPPUNIT_ASSERT(!dropped || since > kLimit - milliseconds(1'000));
          return dropped;
        },
        kLimit + kLate);
    CPPUNIT_ASSERT_EQUAL(std::string(), half_binary.receive_until_close());

    sends_slowly.send(drop.substr(sent));
    CPPUNIT_ASSERT(sends_slowly.receive(5) == kOk);
    const std::string rest = reads_slowly.receive(2 * (5 + kValueBytes) - read * 50'000);
    CPPUNIT_ASSERT_EQUAL('v', rest.back());
    CPPUNIT_ASSERT(idle.exchange(get_frame("drops"), 65) == value_answer(std::string(60, 'd')));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PatienceTest, "patience_test");

}  // namespace minivault::test
