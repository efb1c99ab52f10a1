// Goal: a name with several addresses is reached by whichever takes the call; one that refuses costs nothing,
// one that says nothing a moment. Method: listeners on loopback; one whose queue is full says nothing.

#include "common/net/dialer.h"

#include <arpa/inet.h>
#include <cppunit/extensions/HelperMacros.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>
#include <vector>

#include "common/core/clock.h"
#include "tests/support/wait.h"

namespace minivault::net {
namespace {

struct Port {
  UniqueFd listener;
  Place place;
};

/// Takes calls; `backlog` of them wait in its queue, and one more.
Port open_port(int backlog) {
  Port port;
  port.listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto* address = reinterpret_cast<sockaddr_in*>(&port.place.address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  port.place.size = sizeof *address;
  auto* generic = reinterpret_cast<sockaddr*>(address);
  CPPUNIT_ASSERT_EQUAL(0, ::bind(port.listener.get(), generic, port.place.size));
  CPPUNIT_ASSERT_EQUAL(0, ::listen(port.listener.get(), backlog));
  CPPUNIT_ASSERT_EQUAL(0, ::getsockname(port.listener.get(), generic, &port.place.size));
  return port;
}

std::uint16_t port_of(int socket) {
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  CPPUNIT_ASSERT_EQUAL(0, ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size));
  return peer.sin_port;
}

std::uint16_t port_of(const Port& port) {
  return reinterpret_cast<const sockaddr_in&>(port.place.address).sin_port;
}

}  // namespace

class DialerTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DialerTest);
  CPPUNIT_TEST(the_first_that_takes_the_call);
  CPPUNIT_TEST(one_that_refuses_is_passed_by);
  CPPUNIT_TEST(one_that_is_silent_is_passed_by);
  CPPUNIT_TEST(when_all_refuse_it_says_why);
  CPPUNIT_TEST(an_address_in_digits);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override { poller_.emplace(Poller::create().value()); }

  void the_first_that_takes_the_call() {
    const Port first = open_port(8);
    const Port second = open_port(8);
    Dialer dialer(*poller_, {first.place, second.place});
    assert_reaches(dialer, first);
  }

  void one_that_refuses_is_passed_by() {
    Port gone = open_port(8);
    gone.listener.reset();
    const Port second = open_port(8);
    Dialer dialer(*poller_, {gone.place, second.place});
    assert_reaches(dialer, second);
  }

  void one_that_is_silent_is_passed_by() {
    const Port full = open_port(0);
    std::vector<UniqueFd> callers;
    for (int i = 0; i < 4; ++i) callers.push_back(begin_connect(full.place).value());
    const Port second = open_port(8);
    Dialer dialer(*poller_, {full.place, second.place});
    CPPUNIT_ASSERT(!dialer.run(1000).value());
    CPPUNIT_ASSERT_EQUAL(1000 + Dialer::kPatienceMs, dialer.next_look_ms(1000));
    CPPUNIT_ASSERT(!dialer.run(1000 + Dialer::kPatienceMs - 1).value());
    CPPUNIT_ASSERT_EQUAL_MESSAGE("it is silent", 0, listen_for(dialer, 100));
    CPPUNIT_ASSERT(!dialer.run(1000 + Dialer::kPatienceMs).value());
    assert_reaches(dialer, second);
  }

  void when_all_refuse_it_says_why() {
    Port gone = open_port(8);
    gone.listener.reset();
    Dialer dialer(*poller_, {gone.place, gone.place});
    std::string why;
    test::eventually("it gives up", [&] {
      (void)listen_for(dialer, 10);
      const Result<UniqueFd> socket = dialer.run(1000);
      if (!socket) why = socket.error().message;
      return !socket;
    });
    CPPUNIT_ASSERT_EQUAL(std::string(std::strerror(ECONNREFUSED)), why);
    CPPUNIT_ASSERT(!Dialer(*poller_, NameLookup::Places{}).run(1000));
  }

  void an_address_in_digits() {
    const Port port = open_port(8);
    Dialer dialer(*poller_, "127.0.0.1:" + std::to_string(ntohs(port_of(port))));
    assert_reaches(dialer, port);
  }

 private:
  /// Events of its socket.
  int listen_for(Dialer& dialer, int ms) {
    int seen = 0;
    for (const Event& event : poller_->wait(ms)) {
      if (event.fd != dialer.fd()) continue;
      dialer.note(event);
      ++seen;
    }
    return seen;
  }

  /// Time stands still meanwhile: it is not for its patience.
  void assert_reaches(Dialer& dialer, const Port& port) {
    UniqueFd reached;
    test::eventually("it is connected", [&] {
      (void)listen_for(dialer, 10);
      reached = dialer.run(1000 + Dialer::kPatienceMs).value();
      return static_cast<bool>(reached);
    });
    CPPUNIT_ASSERT_EQUAL(port_of(port), port_of(reached.get()));
    CPPUNIT_ASSERT_EQUAL(-1, dialer.fd());
  }

  std::optional<Poller> poller_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(DialerTest, "dialer_test");

}  // namespace minivault::net
