// Goal: a node whose name has two addresses is reached at the second, whether the first refuses or says
// nothing; frames go out in order, and so answers come in. Method: a listener on loopback, and a name of the
// test's own.

#include "replicator/line.h"

#include <arpa/inet.h>
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

#include "tests/support/frames.h"
#include "tests/support/raw_connection.h"
#include "tests/support/two_places.h"
#include "tests/support/wait.h"

namespace minivault::replicator {
namespace {

using test::RawConnection;

class LineTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LineTest);
  CPPUNIT_TEST(where_the_first_address_refuses_the_second_is_called);
  CPPUNIT_TEST(where_the_first_address_is_silent_the_second_is_called);
  CPPUNIT_TEST(who_refuses_at_every_address_is_told);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    poller_.emplace(net::Poller::create().value());
    line_.emplace(*poller_, pool_);
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    CPPUNIT_ASSERT_EQUAL(0, ::bind(listener_.get(), generic, size));
    CPPUNIT_ASSERT_EQUAL(0, ::listen(listener_.get(), 8));
    CPPUNIT_ASSERT_EQUAL(0, ::getsockname(listener_.get(), generic, &size));
    port_ = ntohs(address.sin_port);
  }
  void tearDown() override { line_.reset(); }

  void where_the_first_address_refuses_the_second_is_called() { assert_answered(); }

  void where_the_first_address_is_silent_the_second_is_called() {
    const test::SilentPlace first(port_);
    assert_answered();
  }

  void who_refuses_at_every_address_is_told() {
    listener_.reset();
    line_->dial(name());
    Status last;
    test::eventually("it is told", [&] {
      last = turn();
      return !last;
    });
    CPPUNIT_ASSERT(last.error().code == Code::kUnavailable);
    line_->close();
    CPPUNIT_ASSERT(line_->state() == Line::State::kClosed && line_->fd() == -1);
  }

 private:
  std::string name() const { return std::string(test::kNameOfTwo) + ":" + std::to_string(port_); }

  void assert_answered() {
    line_->dial(name());
    CPPUNIT_ASSERT(line_->state() == Line::State::kDialling);
    await("it is open", [&] { return line_->state() == Line::State::kOpen; });
    line_->send(test::get_frame("first"));
    const std::string borrowed = test::get_frame("second");
    line_->send_borrowed(borrowed);
    line_->flush();
    RawConnection server(
        UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)));
    CPPUNIT_ASSERT_EQUAL(test::get_frame("first") + borrowed,
                         server.receive(test::get_frame("first").size() + borrowed.size()));
    server.send(test::value_answer("1") + test::value_answer("2"));
    await("both are answered", [&] { return answers_.size() == 2; });
    CPPUNIT_ASSERT((answers_ == std::vector<std::string>{"1", "2"}));
  }

  /// As a replicator's: it looks at its lines when there is news of them, and now and then.
  Status turn() {
    for (const net::Event& event : poller_->wait(10)) {
      if (event.fd == line_->fd()) line_->note(event);
    }
    return line_->run([this](std::string_view message) {
      answers_.emplace_back(message);
      return Status();
    });
  }
  template <typename Condition>
  void await(const std::string& what, Condition&& condition) {
    test::eventually(what, [&] {
      const Status well = turn();
      CPPUNIT_ASSERT_MESSAGE(well ? "" : well.error().message, well);
      return condition();
    });
  }

  net::BlockPool pool_;
  std::optional<net::Poller> poller_;
  std::optional<Line> line_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::vector<std::string> answers_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LineTest, "line_test");

}  // namespace
}  // namespace minivault::replicator
