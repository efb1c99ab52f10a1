// Goal: one call sends to many sockets as send(2) would send to each, leaves nothing under way, and is not
// offered where the kernel forbids it. Where this kernel forbids it anyway, that is all that can be asserted.

#include "common/net/send_batch.h"

#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/net/block.h"
#include "common/net/connection.h"
#include "tests/support/forbidden_call.h"

namespace minivault::net {
namespace {

struct Pair {
  UniqueFd server;
  UniqueFd client;
};

Pair socket_pair() {
  std::array<int, 2> ends{};
  CPPUNIT_ASSERT_EQUAL(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()));
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// All that can be read now.
std::string heard(const UniqueFd& client) {
  std::string all;
  std::array<char, 65'536> bytes;
  for (ssize_t got = 0; (got = ::read(client.get(), bytes.data(), bytes.size())) > 0;) {
    all.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return all;
}

/// In a process of its own, which may be forbidden things.
template <typename Check>
void assert_in_child(Check check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 7 : 1);
  int status = 0;
  CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
  CPPUNIT_ASSERT(WIFEXITED(status));
  CPPUNIT_ASSERT_EQUAL(7, WEXITSTATUS(status));
}

}  // namespace

class SendBatchTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SendBatchTest);
  CPPUNIT_TEST(is_there_where_the_kernel_offers_it);
  CPPUNIT_TEST(is_not_there_where_it_is_forbidden);
  CPPUNIT_TEST(each_socket_gets_its_own_bytes_in_round_after_round);
  CPPUNIT_TEST(a_full_socket_takes_a_part_and_nothing_follows_later);
  CPPUNIT_TEST(a_client_that_is_gone_is_told_and_the_others_are_served);
  CPPUNIT_TEST(a_ring_that_fails_has_sent_nothing_and_is_not_asked_again);
  CPPUNIT_TEST(a_connection_takes_in_what_became_of_its_bytes);
  CPPUNIT_TEST(a_connection_that_may_not_send_adds_nothing);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    if (Result<SendBatch> made = SendBatch::create(); made) batch_ = std::move(*made);
  }

  void is_there_where_the_kernel_offers_it() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL;
    const UniqueFd ring(static_cast<int>(::syscall(__NR_io_uring_setup, 8, &params)));
    CPPUNIT_ASSERT_EQUAL(static_cast<bool>(ring), batch_.available());
  }

  void is_not_there_where_it_is_forbidden() {
    assert_in_child(
        [] { return test::forbid_system_call(__NR_io_uring_setup) && !SendBatch::create().has_value(); });
  }

  void each_socket_gets_its_own_bytes_in_round_after_round() {
    if (!batch_.available()) return;
    std::vector<Pair> pairs;
    while (pairs.size() < SendBatch::kMost) pairs.push_back(socket_pair());
    for (int round = 0; round < 5; ++round) {
      std::vector<std::string> texts;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        texts.push_back(std::string(i + 1, 'a') + std::to_string(round));
      }
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        CPPUNIT_ASSERT(!batch_.full());
        batch_.add(pairs[i].server.get(), texts[i], &texts[i]);
      }
      CPPUNIT_ASSERT(batch_.full());
      const std::map<void*, int> results = run();
      CPPUNIT_ASSERT_EQUAL(texts.size(), results.size());
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        CPPUNIT_ASSERT_EQUAL(static_cast<int>(texts[i].size()), results.at(&texts[i]));
        CPPUNIT_ASSERT_EQUAL(texts[i], heard(pairs[i].client));
      }
    }
    CPPUNIT_ASSERT(run().empty());
  }

  /// Else it would leave when its bytes have long become somebody else's.
  void a_full_socket_takes_a_part_and_nothing_follows_later() {
    if (!batch_.available()) return;
    const Pair pair = socket_pair();
    const std::string large(8 << 20, 'v');
    batch_.add(pair.server.get(), large, this);
    const int taken = run().at(this);
    CPPUNIT_ASSERT(taken > 0 && static_cast<std::size_t>(taken) < large.size());
    batch_.add(pair.server.get(), large, this);
    CPPUNIT_ASSERT_EQUAL(-EAGAIN, run().at(this));
    CPPUNIT_ASSERT_EQUAL(static_cast<std::size_t>(taken), heard(pair.client).size());
    batch_.add(pair.server.get(), "next", this);
    CPPUNIT_ASSERT_EQUAL(4, run().at(this));
    CPPUNIT_ASSERT_EQUAL(std::string("next"), heard(pair.client));
  }

  void a_client_that_is_gone_is_told_and_the_others_are_served() {
    if (!batch_.available()) return;
    std::array<Pair, 3> pairs{socket_pair(), socket_pair(), socket_pair()};
    pairs[1].client.reset();
    for (Pair& pair : pairs) batch_.add(pair.server.get(), "answer", &pair);
    const std::map<void*, int> results = run();
    CPPUNIT_ASSERT_EQUAL(6, results.at(&pairs[0]));
    CPPUNIT_ASSERT_EQUAL(-EPIPE, results.at(&pairs[1]));
    CPPUNIT_ASSERT_EQUAL(6, results.at(&pairs[2]));
    CPPUNIT_ASSERT_EQUAL(std::string("answer"), heard(pairs[2].client));
    CPPUNIT_ASSERT(batch_.available());
  }

  /// Nothing is lost or sent twice: each connection still has its bytes, and sends them itself.
  void a_ring_that_fails_has_sent_nothing_and_is_not_asked_again() {
    if (!batch_.available()) return;
    const Pair plain = socket_pair();
    Pair pair = socket_pair();
    Connection connection(std::move(pair.server), pool_);
    CPPUNIT_ASSERT(connection.output().append("answer"));
    assert_in_child([&] {
      Result<SendBatch> batch = SendBatch::create();
      if (!batch || !connection.send_together(0, *batch, &connection)) return false;
      batch->add(plain.server.get(), "other", nullptr);
      std::map<void*, int> results;
      if (!test::forbid_system_call(__NR_io_uring_enter)) return false;
      const Status done = batch->run([&](void* owner, int result) { results[owner] = result; });
      if (done || done.error().message != "io_uring failed: Operation not permitted") return false;
      const std::map<void*, int> interrupted{{nullptr, -EINTR}, {&connection, -EINTR}};
      return results == interrupted && !batch->available() && connection.sent_together(-EINTR) &&
             connection.send(0) == Connection::Sent::kAll;
    });
    CPPUNIT_ASSERT_EQUAL(std::string("answer"), heard(pair.client));
    CPPUNIT_ASSERT_EQUAL(std::string(), heard(plain.client));
  }

  void a_connection_takes_in_what_became_of_its_bytes() {
    if (!batch_.available()) return;
    Pair pair = socket_pair();
    Connection connection(std::move(pair.server), pool_);
    const std::string large(8 << 20, 'v');
    CPPUNIT_ASSERT(connection.output().append(large));
    CPPUNIT_ASSERT(connection.send_together(0, batch_, &connection));
    const int taken = run().at(&connection);
    CPPUNIT_ASSERT(connection.sent_together(taken));
    CPPUNIT_ASSERT(!connection.writable());
    CPPUNIT_ASSERT_EQUAL(large.size() - static_cast<std::size_t>(taken), connection.output().backlog());
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint64_t>(taken), connection.bytes_sent());

    CPPUNIT_ASSERT(connection.sent_together(-EINTR));  // as a ring that failed would have it
    CPPUNIT_ASSERT(connection.writable());
    CPPUNIT_ASSERT_EQUAL(large.size() - static_cast<std::size_t>(taken), connection.output().backlog());
    pair.client.reset();
    CPPUNIT_ASSERT(connection.send_together(0, batch_, &connection));
    CPPUNIT_ASSERT(!connection.sent_together(run().at(&connection)));
  }

  void a_connection_that_may_not_send_adds_nothing() {
    if (!batch_.available()) return;
    Pair pair = socket_pair();
    Connection connection(std::move(pair.server), pool_);
    CPPUNIT_ASSERT(!connection.send_together(9, batch_, &connection));
    CPPUNIT_ASSERT(connection.output().append("now"));
    connection.output().hold(7);
    CPPUNIT_ASSERT(connection.output().append("later"));
    CPPUNIT_ASSERT(connection.send_together(6, batch_, &connection));
    CPPUNIT_ASSERT(connection.sent_together(run().at(&connection)));
    CPPUNIT_ASSERT_EQUAL(std::string("now"), heard(pair.client));
    CPPUNIT_ASSERT(!connection.send_together(6, batch_, &connection));
    CPPUNIT_ASSERT(run().empty());

    const std::string borrowed(OutputBuffer::kBorrowFrom, 'b');  // a second piece: send()'s
    CPPUNIT_ASSERT(connection.output().append_borrowed(borrowed));
    CPPUNIT_ASSERT(!connection.send_together(7, batch_, &connection));
    CPPUNIT_ASSERT(connection.send(7) == Connection::Sent::kAll);
    CPPUNIT_ASSERT_EQUAL("later" + borrowed, heard(pair.client));
  }

 private:
  std::map<void*, int> run() {
    std::map<void*, int> results;
    const auto note = [&](void* owner, int result) {
      CPPUNIT_ASSERT(results.insert({owner, result}).second);
    };
    CPPUNIT_ASSERT(batch_.run(note));
    return results;
  }

  BlockPool pool_;
  SendBatch batch_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SendBatchTest, "send_batch_test");

}  // namespace minivault::net
