// Goal: a connection to another node that this worker has closed is seen no more, also while another process
// still has a copy of its socket, as one that was just forked does; a node whose name has two addresses is
// reached at the second. Method: the copy is the test's own, and so is the name.

#include "worker/peer_calls.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>

#include "common/core/clock.h"
#include "tests/client/fake_server.h"
#include "tests/support/two_places.h"
#include "tests/support/wait.h"

namespace minivault::worker {
namespace {

using test::eventually;
using test::FakeServer;
using test::RawConnection;

}  // namespace

class PeerCallsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PeerCallsTest);
  CPPUNIT_TEST(a_line_that_was_hung_up_is_not_watched);
  CPPUNIT_TEST(a_line_that_nobody_needed_is_not_watched);
  CPPUNIT_TEST(where_the_first_address_refuses_the_second_is_called);
  CPPUNIT_TEST(where_the_first_address_is_silent_the_second_is_called);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    config_.write_timeout = test::kPatience;
    region_.emplace(shared::Region::create(1 << 20).value());
    poller_.emplace(net::Poller::create().value());
    context_.emplace(ChildContext{config_, *region_, 0});
    calls_.emplace(*context_, *poller_, pool_);
  }

  void a_line_that_was_hung_up_is_not_watched() {
    const FakeServer server([this](RawConnection& connection, unsigned) {
      (void)test::receive_request(connection);
      connection.send(test::kErrorAnswer);
      speak_once_it_is_closed(connection);
    });
    CPPUNIT_ASSERT(!call(server.address().text()));
    assert_not_seen();
  }

  void a_line_that_nobody_needed_is_not_watched() {
    const FakeServer server([this](RawConnection& connection, unsigned) {
      for (int i = 0; i < 2; ++i) {  // the hello too
        (void)test::receive_request(connection);
        connection.send(test::ok_answer());
      }
      speak_once_it_is_closed(connection);
    });
    CPPUNIT_ASSERT(call(server.address().text()));
    calls_->run(monotonic_ms() + 3'600'000);
    assert_not_seen();
  }

  void where_the_first_address_refuses_the_second_is_called() { assert_reached(false); }
  void where_the_first_address_is_silent_the_second_is_called() { assert_reached(true); }

 private:
  /// Whoever listens at 127.0.0.1 alone, by a name that has another address before that.
  void assert_reached(bool is_silent) {
    const FakeServer server([](RawConnection& connection, unsigned) {
      for (int i = 0; i < 2; ++i) {
        (void)test::receive_request(connection);
        connection.send(test::ok_answer("yes"));
      }
    });
    std::optional<test::SilentPlace> first;
    if (is_silent) first.emplace(server.address().port);
    std::optional<std::string> answer;
    calls_->call(std::string(test::kNameOfTwo) + ":" + std::to_string(server.address().port), "kind",
                 "message", [&](const Result<std::string_view>& told) {
                   answer = told ? std::string(*told) : told.error().message;
                 });
    // Woken by events and by what it asks for, as a worker is; it never has more time than the call.
    const std::uint64_t deadline_ms = monotonic_ms() + static_cast<std::uint64_t>(test::kPatience.count());
    for (calls_->run(monotonic_ms()); !answer; calls_->run(monotonic_ms())) {
      calls_->send_all();
      const std::uint64_t now_ms = monotonic_ms();
      const std::uint64_t next_ms = std::max(now_ms, std::min(calls_->next_look_ms(now_ms), deadline_ms));
      for (const net::Event& event : poller_->wait(static_cast<int>(next_ms - now_ms))) {
        CPPUNIT_ASSERT(calls_->note(event));
      }
    }
    CPPUNIT_ASSERT_EQUAL(std::string("yes"), *answer);
    CPPUNIT_ASSERT_EQUAL(1U, server.accepted());
  }

  void speak_once_it_is_closed(RawConnection& connection) {
    eventually("it is closed", [this] { return closed_.load(); });
    connection.send("!");
    test::ignore(connection, 0);
  }

  /// Whether there was an answer. Copies the line's socket meanwhile.
  bool call(const std::string& address) {
    std::optional<bool> done;
    calls_->call(address, "kind", "message",
                 [&](const Result<std::string_view>& answer) { done = answer.has_value(); });
    eventually("an answer or none", [&] {
      for (const net::Event& event : poller_->wait(1)) {
        if (calls_->note(event) && !copy_) copy_.reset(::dup(event.fd));
      }
      calls_->run(monotonic_ms());
      calls_->send_all();
      return done.has_value();
    });
    CPPUNIT_ASSERT(copy_);
    return *done;
  }

  /// The other side speaks, the copy hears it, and the poller says nothing.
  void assert_not_seen() {
    closed_ = true;
    eventually("a byte is there", [this] {
      char byte = 0;
      return ::recv(copy_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    });
    CPPUNIT_ASSERT(poller_->wait(0).empty());
    copy_.reset();  // the server ends
  }

  Config config_;
  std::optional<shared::Region> region_;
  net::BlockPool pool_;
  std::optional<net::Poller> poller_;
  std::optional<ChildContext> context_;
  std::optional<PeerCalls> calls_;
  UniqueFd copy_;
  std::atomic<bool> closed_ = false;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PeerCallsTest, "peer_calls_test");

}  // namespace minivault::worker
