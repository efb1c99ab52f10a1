// Goal: a connection over a real socket pair reads and writes once a call, remembers what the edge-triggered
// poller will not repeat, and takes every way a client can go for what it is.

#include "common/net/connection.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "common/net/poller.h"

namespace minivault::net {

class ConnectionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ConnectionTest);
  CPPUNIT_TEST(receives_what_was_sent_and_the_end_after_it);
  CPPUNIT_TEST(an_end_that_came_with_the_bytes_is_not_missed);
  CPPUNIT_TEST(a_full_buffer_leaves_the_socket_readable);
  CPPUNIT_TEST(sends_what_no_hold_keeps_back);
  CPPUNIT_TEST(a_client_that_does_not_read_is_told_of_when_it_does);
  CPPUNIT_TEST(frozen_bytes_reach_a_slow_client_whole_although_nobody_keeps_them);
  CPPUNIT_TEST(a_client_that_is_gone_breaks_the_connection);
  CPPUNIT_TEST(says_its_end_and_reads_away_the_rest);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    std::array<int, 2> ends{};
    CPPUNIT_ASSERT_EQUAL(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()));
    client_.reset(ends[0]);
    connection_ = std::make_unique<Connection>(UniqueFd(ends[1]), pool_);
    auto made = Poller::create();
    CPPUNIT_ASSERT(made.has_value());
    poller_ = std::make_unique<Poller>(std::move(*made));
    CPPUNIT_ASSERT(poller_->watch_stream(connection_->fd()).has_value());
  }

  void receives_what_was_sent_and_the_end_after_it() {
    poll();
    CPPUNIT_ASSERT(!connection_->readable());
    say("request");
    poll();
    CPPUNIT_ASSERT(connection_->readable());
    CPPUNIT_ASSERT(connection_->receive(0) == Connection::Received::kBytes);
    CPPUNIT_ASSERT_EQUAL(std::string("request"), std::string(connection_->input().unread()));
    CPPUNIT_ASSERT(!connection_->readable());
    client_.reset();
    poll();
    CPPUNIT_ASSERT(connection_->readable());
    CPPUNIT_ASSERT(connection_->receive(0) == Connection::Received::kEnd);
    CPPUNIT_ASSERT(connection_->ended());
  }

  void an_end_that_came_with_the_bytes_is_not_missed() {
    say("request");
    ::shutdown(client_.get(), SHUT_WR);
    poll();
    CPPUNIT_ASSERT(connection_->receive(0) == Connection::Received::kBytes);
    CPPUNIT_ASSERT(connection_->readable());
    CPPUNIT_ASSERT(connection_->receive(0) == Connection::Received::kEnd);
  }

  void a_full_buffer_leaves_the_socket_readable() {
    say(std::string(BlockPool::kBlockBytes + 1, 'x'));
    poll();
    CPPUNIT_ASSERT(connection_->receive(0) == Connection::Received::kBytes);
    CPPUNIT_ASSERT_EQUAL(BlockPool::kBlockBytes, connection_->input().unread().size());
    CPPUNIT_ASSERT(connection_->readable());
    CPPUNIT_ASSERT(connection_->receive(0) == Connection::Received::kBytes);
    CPPUNIT_ASSERT_EQUAL(BlockPool::kBlockBytes + 1, connection_->input().unread().size());
    CPPUNIT_ASSERT(!connection_->readable());
  }

  void sends_what_no_hold_keeps_back() {
    CPPUNIT_ASSERT(connection_->output().append("now"));
    connection_->output().hold(7);
    CPPUNIT_ASSERT(connection_->output().append("later"));
    CPPUNIT_ASSERT(connection_->send(6) == Connection::Sent::kAll);
    CPPUNIT_ASSERT_EQUAL(std::string("now"), heard());
    CPPUNIT_ASSERT(connection_->send(7) == Connection::Sent::kAll);
    CPPUNIT_ASSERT_EQUAL(std::string("later"), heard());
    CPPUNIT_ASSERT(connection_->output().empty());
  }

  void a_client_that_does_not_read_is_told_of_when_it_does() {
    const std::string large(8 << 20, 'v');
    CPPUNIT_ASSERT(connection_->output().append_borrowed(large));
    poll();
    CPPUNIT_ASSERT(connection_->send(0) == Connection::Sent::kPart);
    CPPUNIT_ASSERT(!connection_->writable());
    CPPUNIT_ASSERT(connection_->output().keep());
    std::string all;
    for (int turn = 0; turn < 10'000 && !connection_->output().empty(); ++turn) {
      all += heard();
      poll();
      CPPUNIT_ASSERT(connection_->send(0) != Connection::Sent::kBroken);
    }
    all += heard();
    CPPUNIT_ASSERT(all == large);
  }

  /// The socket holds pages of the file, not bytes of ours: what is written to the source, and that the file
  /// is gone for us, must not reach the client.
  void frozen_bytes_reach_a_slow_client_whole_although_nobody_keeps_them() {
    std::string large(3 << 20, 'v');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 23);
    const std::string expected = "head" + large + "middle" + large.substr(1'000, 100'000) + "tail";
    auto frozen = FrozenBytes::copy_of(large);
    CPPUNIT_ASSERT(frozen != nullptr);
    CPPUNIT_ASSERT(::write(frozen->fd(), "x", 1) < 0);  // nobody can change it
    OutputBuffer& output = connection_->output();
    CPPUNIT_ASSERT(output.append("head"));
    output.append_frozen(frozen, 0, large.size());
    CPPUNIT_ASSERT(output.append("middle"));
    output.append_frozen(std::exchange(frozen, nullptr), 1'000, 100'000);
    CPPUNIT_ASSERT(output.append("tail"));
    std::fill(large.begin(), large.end(), 'X');
    CPPUNIT_ASSERT(connection_->send(0) == Connection::Sent::kPart);
    CPPUNIT_ASSERT(!connection_->writable());
    std::string all;
    for (int turn = 0; turn < 10'000 && !output.empty(); ++turn) {
      all += heard();
      poll();
      CPPUNIT_ASSERT(connection_->send(0) != Connection::Sent::kBroken);
      CPPUNIT_ASSERT(output.keep());
    }
    all += heard();
    CPPUNIT_ASSERT(all == expected);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{expected.size()}, connection_->bytes_sent());
  }

  void a_client_that_is_gone_breaks_the_connection() {
    client_.reset();
    CPPUNIT_ASSERT(connection_->output().append("answer"));
    CPPUNIT_ASSERT(connection_->send(0) == Connection::Sent::kBroken);
  }

  void says_its_end_and_reads_away_the_rest() {
    say("what nobody wants to know");
    poll();
    connection_->finish_sending();
    char byte = 0;
    CPPUNIT_ASSERT_EQUAL(ssize_t{0}, ::read(client_.get(), &byte, 1));
    CPPUNIT_ASSERT(connection_->discard() == Connection::Received::kBytes);
    CPPUNIT_ASSERT(connection_->input().empty());
    client_.reset();
    poll();
    CPPUNIT_ASSERT(connection_->discard() == Connection::Received::kEnd);
  }

 private:
  void poll() {
    for (const Event& event : poller_->wait(0)) connection_->note(event);
  }
  void say(const std::string& bytes) {
    CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(bytes.size()),
                         ::write(client_.get(), bytes.data(), bytes.size()));
  }
  /// All that can be read now.
  std::string heard() {
    std::string all;
    std::array<char, 65'536> bytes;
    for (ssize_t got = 0; (got = ::read(client_.get(), bytes.data(), bytes.size())) > 0;) {
      all.append(bytes.data(), static_cast<std::size_t>(got));
    }
    return all;
  }

  BlockPool pool_;
  UniqueFd client_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Poller> poller_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ConnectionTest, "connection_test");

}  // namespace minivault::net
