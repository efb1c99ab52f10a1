// Goal: a listener takes what waits, one process of several is woken, and a shortage of descriptors is told
// apart from an empty queue.

#include "common/net/listener.h"

#include <arpa/inet.h>
#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>

#include "common/net/poller.h"

namespace minivault::net {

class ListenerTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ListenerTest);
  CPPUNIT_TEST(takes_what_waits);
  CPPUNIT_TEST(hears_nothing_while_it_steps_aside_and_all_of_it_afterwards);
  CPPUNIT_TEST(the_last_share_closed_turns_connections_away);
  CPPUNIT_TEST(tells_a_shortage_of_descriptors);
  CPPUNIT_TEST(a_listener_that_is_not_there_is_silent);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CPPUNIT_ASSERT_EQUAL(0, ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any));
    CPPUNIT_ASSERT_EQUAL(0, ::listen(socket_.get(), 16));
    socklen_t size = sizeof address_;
    CPPUNIT_ASSERT_EQUAL(0, ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address_), &size));
  }

  void takes_what_waits() {
    Poller poller = Poller::create().value();
    Listener listener(socket_.get());
    CPPUNIT_ASSERT(listener.start(poller).has_value());
    CPPUNIT_ASSERT(!listener.accept());
    const UniqueFd first = connect();
    const UniqueFd second = connect();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, poller.wait(10'000).size());
    const UniqueFd accepted = listener.accept();
    CPPUNIT_ASSERT(accepted);
    CPPUNIT_ASSERT((::fcntl(accepted.get(), F_GETFL) & O_NONBLOCK) != 0);
    CPPUNIT_ASSERT(listener.accept());
    CPPUNIT_ASSERT(!listener.accept());
    CPPUNIT_ASSERT(!listener.short_of_resources());
  }

  void hears_nothing_while_it_steps_aside_and_all_of_it_afterwards() {
    Poller poller = Poller::create().value();
    Listener listener(socket_.get());
    CPPUNIT_ASSERT(listener.start(poller).has_value());
    listener.stop(poller);
    const UniqueFd client = connect();
    CPPUNIT_ASSERT(poller.wait(0).empty());
    CPPUNIT_ASSERT(listener.start(poller).has_value());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, poller.wait(10'000).size());
    CPPUNIT_ASSERT(listener.accept());
  }

  void the_last_share_closed_turns_connections_away() {
    Poller poller = Poller::create().value();
    Listener one(::dup(socket_.get()));
    Listener other(socket_.release());
    CPPUNIT_ASSERT(one.start(poller).has_value());
    one.close(poller);
    CPPUNIT_ASSERT_EQUAL(-1, one.fd());
    CPPUNIT_ASSERT(connect());
    other.close(poller);
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
    CPPUNIT_ASSERT_EQUAL(-1,
                         ::connect(client.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_));
    CPPUNIT_ASSERT_EQUAL(ECONNREFUSED, errno);
  }

  void tells_a_shortage_of_descriptors() {
    Listener listener(socket_.get());
    const UniqueFd client = connect();
    rlimit before{};
    CPPUNIT_ASSERT_EQUAL(0, ::getrlimit(RLIMIT_NOFILE, &before));
    rlimit none = before;
    none.rlim_cur = 0;
    CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_NOFILE, &none));
    const UniqueFd refused = listener.accept();
    CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_NOFILE, &before));
    CPPUNIT_ASSERT(!refused);
    CPPUNIT_ASSERT(listener.short_of_resources());
    CPPUNIT_ASSERT(listener.accept());
    CPPUNIT_ASSERT(!listener.accept());
    CPPUNIT_ASSERT(!listener.short_of_resources());
  }

  void a_listener_that_is_not_there_is_silent() {
    Poller poller = Poller::create().value();
    Listener listener(-1);
    CPPUNIT_ASSERT(listener.start(poller).has_value());
    CPPUNIT_ASSERT(!listener.listening());
    CPPUNIT_ASSERT(!listener.accept());
  }

 private:
  UniqueFd connect() {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
    CPPUNIT_ASSERT_EQUAL(0, ::connect(client.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_));
    return client;
  }

  UniqueFd socket_;
  sockaddr_in address_{};
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ListenerTest, "listener_test");

}  // namespace minivault::net
