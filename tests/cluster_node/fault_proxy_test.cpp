// Goal: the bad network does what it was told, and nothing else. Method: a client and a server of the test's
// own on both ends of a proxy.

#include "tests/support/fault_proxy.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sys/socket.h>

#include "tests/support/loopback_listener.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {
namespace {

using Clock = std::chrono::steady_clock;

/// Listens where the kernel chose.
class Server {
 public:
  [[nodiscard]] std::uint16_t port() const { return listener_.port; }
  [[nodiscard]] RawConnection accept() const {
    UniqueFd connection;
    eventually("somebody connects", [&] {
      connection.reset(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      return static_cast<bool>(connection);
    });
    return RawConnection(std::move(connection));
  }

 private:
  LoopbackListener listener_ = listen_on_loopback(SOCK_NONBLOCK);
};

/// Both ends of one connection through `proxy`.
struct Line {
  Line(FaultProxy& proxy, const Server& server) : client(proxy.port()), remote(server.accept()) {}
  RawConnection client;
  RawConnection remote;
};

milliseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

bool is_closed(RawConnection& connection) {
  try {
    return connection.receive_until_close().empty();
  } catch (const std::runtime_error&) {
    return false;
  }
}

/// Reset as soon as it is made; it may not even look made.
bool refuses(const FaultProxy& proxy) {
  std::optional<RawConnection> connection;
  try {
    connection.emplace(proxy.port());
  } catch (const std::runtime_error&) {
    return true;
  }
  return is_closed(*connection);
}

constexpr milliseconds kShort{50};

}  // namespace

class FaultProxyTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FaultProxyTest);
  CPPUNIT_TEST(carries_bytes_and_ends_both_ways);
  CPPUNIT_TEST(carries_more_than_it_holds);
  CPPUNIT_TEST(leads_elsewhere_when_told_and_nowhere_at_first);
  CPPUNIT_TEST(delays_one_way);
  CPPUNIT_TEST(a_delay_is_no_narrow_line);
  CPPUNIT_TEST(limits_the_rate);
  CPPUNIT_TEST(holds_what_it_takes_while_stalled);
  CPPUNIT_TEST(a_stalled_way_hides_the_end_and_the_reset);
  CPPUNIT_TEST(cuts);
  CPPUNIT_TEST(cuts_in_the_middle_of_a_message);
  CPPUNIT_TEST(refuses_new_connections_only);
  CPPUNIT_TEST(links_fail_each_by_itself);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override { proxy_.forward_to(server_.port()); }

  void carries_bytes_and_ends_both_ways() {
    Line line(proxy_, server_);
    line.client.send("question");
    line.client.finish_sending();
    CPPUNIT_ASSERT_EQUAL(std::string("question"), line.remote.receive_until_close());
    line.remote.send("answer");
    CPPUNIT_ASSERT_EQUAL(std::string("answer"), line.client.receive(6));
    line.remote.finish_sending();
    CPPUNIT_ASSERT(is_closed(line.client));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{8}, proxy_.bytes(Way::kThere));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, proxy_.bytes(Way::kBack));
    eventually("the proxy lets go of it", [&] { return proxy_.open() == 0; });
    CPPUNIT_ASSERT_EQUAL(1U, proxy_.accepted());
  }

  // A reader that stands still is felt by the sender, and nothing is lost.
  void carries_more_than_it_holds() {
    Line line(proxy_, server_);
    const std::string much(64 << 20, 'x');
    std::size_t sent = line.client.send_until_stuck(much, milliseconds(300));
    CPPUNIT_ASSERT(sent < much.size());
    std::jthread rest([&] { line.client.send(std::string_view(much).substr(sent)); });
    CPPUNIT_ASSERT(line.remote.receive(much.size()) == much);
  }

  void leads_elsewhere_when_told_and_nowhere_at_first() {
    FaultProxy proxy;
    CPPUNIT_ASSERT(refuses(proxy));
    const Server other;
    proxy.forward_to(server_.port());
    const Line first(proxy, server_);
    proxy.forward_to(other.port());
    const Line second(proxy, other);
    CPPUNIT_ASSERT_EQUAL(2U, proxy.open());
  }

  void delays_one_way() {
    Line line(proxy_, server_);
    proxy_.set(Way::kBack, {.delay = milliseconds(80)});
    const auto start = Clock::now();
    line.client.send("there");
    (void)line.remote.receive(5);
    line.remote.send("back");
    (void)line.client.receive(4);
    CPPUNIT_ASSERT(since(start) >= milliseconds(80));
    proxy_.set(Way::kBack, {});
    proxy_.set(Way::kThere, {.delay = milliseconds(60'000)});
    line.remote.send("back");
    (void)line.client.receive(4);  // the other way is as fast as ever
  }

  // What is sent later is not delayed by what was sent before: 100 messages, 1 ms apart, in far less than 100
  // delays.
  void a_delay_is_no_narrow_line() {
    Line line(proxy_, server_);
    proxy_.set({.delay = milliseconds(200)});
    const auto start = Clock::now();
    for (int i = 0; i < 100; ++i) {
      line.client.send("0123456789");
      std::this_thread::sleep_for(milliseconds(1));
    }
    (void)line.remote.receive(1'000);
    CPPUNIT_ASSERT(since(start) >= milliseconds(200));
    CPPUNIT_ASSERT(since(start) < milliseconds(10'000));
  }

  void limits_the_rate() {
    Line line(proxy_, server_);
    proxy_.set({.bytes_per_second = 100'000});
    const auto start = Clock::now();
    line.client.send(std::string(40'000, 'x'));
    (void)line.remote.receive(40'000);
    CPPUNIT_ASSERT(since(start) >= milliseconds(395));
    CPPUNIT_ASSERT(since(start) < milliseconds(10'000));
  }

  void holds_what_it_takes_while_stalled() {
    Line line(proxy_, server_);
    proxy_.set(Way::kThere, {.stalled = true});
    line.client.send("held");
    CPPUNIT_ASSERT(line.remote.silent_for(kShort));
    line.remote.send("not held");
    CPPUNIT_ASSERT_EQUAL(std::string("not held"), line.client.receive(8));
    proxy_.set(Way::kThere, {});
    CPPUNIT_ASSERT_EQUAL(std::string("held"), line.remote.receive(4));
  }

  void a_stalled_way_hides_the_end_and_the_reset() {
    for (const bool with_reset : {false, true}) {
      Line line(proxy_, server_);
      proxy_.set({.stalled = true});
      if (with_reset) {
        line.client.reset();
      } else {
        line.client.finish_sending();
      }
      CPPUNIT_ASSERT(line.remote.silent_for(kShort));
      proxy_.heal();
      CPPUNIT_ASSERT(is_closed(line.remote));
    }
  }

  void cuts() {
    Line line(proxy_, server_);
    proxy_.cut();
    CPPUNIT_ASSERT(is_closed(line.client));
    CPPUNIT_ASSERT(is_closed(line.remote));
    Line next(proxy_, server_);
    next.client.send("works");
    CPPUNIT_ASSERT_EQUAL(std::string("works"), next.remote.receive(5));
  }

  void cuts_in_the_middle_of_a_message() {
    Line line(proxy_, server_);
    proxy_.cut_after(10, Way::kThere);
    line.client.send("0123456");
    CPPUNIT_ASSERT_EQUAL(std::string("0123456"), line.remote.receive(7));
    line.client.send("789abcdef");
    CPPUNIT_ASSERT_EQUAL(std::string("789"), line.remote.receive(3));
    CPPUNIT_ASSERT(is_closed(line.remote));
    CPPUNIT_ASSERT(is_closed(line.client));
    Line next(proxy_, server_);  // only once
    next.client.send("0123456789abcdef");
    CPPUNIT_ASSERT_EQUAL(std::string("0123456789abcdef"), next.remote.receive(16));
  }

  void refuses_new_connections_only() {
    Line line(proxy_, server_);
    proxy_.refuse(true);
    CPPUNIT_ASSERT(refuses(proxy_));
    line.client.send("still here");
    CPPUNIT_ASSERT_EQUAL(std::string("still here"), line.remote.receive(10));
    proxy_.heal();
    const Line next(proxy_, server_);
  }

  void links_fail_each_by_itself() {
    std::atomic<unsigned> callers = 0;
    FaultProxy proxy(2, [&](std::uint16_t) -> std::optional<FaultProxy::Link> {
      const unsigned caller = callers++;
      return caller < 2 ? std::optional(caller) : std::nullopt;
    });
    proxy.forward_to(server_.port());
    Line first(proxy, server_);
    Line second(proxy, server_);
    CPPUNIT_ASSERT(refuses(proxy));
    proxy.set({.stalled = true}, 0);
    first.client.send("held");
    second.client.send("goes");
    CPPUNIT_ASSERT_EQUAL(std::string("goes"), second.remote.receive(4));
    CPPUNIT_ASSERT(first.remote.silent_for(kShort));
    proxy.cut(1);
    CPPUNIT_ASSERT(is_closed(second.client));
    proxy.heal(0);
    CPPUNIT_ASSERT_EQUAL(std::string("held"), first.remote.receive(4));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, proxy.bytes(Way::kThere, 0));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, proxy.bytes(Way::kThere, 1));
  }

 private:
  Server server_;
  FaultProxy proxy_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FaultProxyTest, "fault_proxy_test");

}  // namespace minivault::test
