// Goal: a node whose name has two addresses is reached at the second, whether the first refuses or says
// nothing; frames go out in order, and so answers come in. Method: a listener on loopback, and a name of the
// test's own.

#include "replicator/line.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

#include "tests/support/frames.h"
#include "tests/support/loopback_listener.h"
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
  }
  void tearDown() override { line_.reset(); }

  void where_the_first_address_refuses_the_second_is_called() { assert_answered(); }

  void where_the_first_address_is_silent_the_second_is_called() {
    const test::SilentPlace first(listener_.port);
    assert_answered();
  }

  void who_refuses_at_every_address_is_told() {
    listener_.fd.reset();
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
  std::string name() const { return std::string(test::kNameOfTwo) + ":" + std::to_string(listener_.port); }

  void assert_answered() {
    line_->dial(name());
    CPPUNIT_ASSERT(line_->state() == Line::State::kDialling);
    await("it is open", [&] { return line_->state() == Line::State::kOpen; });
    line_->send(test::get_frame("first"));
    const std::string borrowed = test::get_frame("second");
    line_->send_borrowed(borrowed);
    line_->flush();
    RawConnection server(
        UniqueFd(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)));
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
  test::LoopbackListener listener_ = test::listen_on_loopback();
  std::vector<std::string> answers_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LineTest, "line_test");

}  // namespace
}  // namespace minivault::replicator
