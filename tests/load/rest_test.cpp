// Goal: after a fill the measurement waits for what it left the server to do, as long as that takes and not
// for ever. Method: servers whose health is the test's; a process that works until the test has seen it.

#include "common/load/rest.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <string>

#include "common/core/clock.h"
#include "common/core/unique_fd.h"
#include "common/load/cpu_time.h"
#include "tests/client/fake_server.h"

namespace minivault::load {
namespace {

using std::chrono::milliseconds;
using test::FakeServer;
using test::RawConnection;

std::string health(unsigned tail, unsigned checkpoint) {
  return R"({"log":{"tail":)" + std::to_string(tail) + R"(,"checkpoint":)" + std::to_string(checkpoint) +
         "}}";
}

/// The n-th health that is asked for, n from 1 on, is what `tell` says; "" is an error.
FakeServer::Script tells(std::atomic<unsigned>& asked, std::function<std::string(unsigned)> tell) {
  return [&asked, tell = std::move(tell)](RawConnection& connection, unsigned) {
    for (;;) {
      (void)test::receive_request(connection);
      const std::string told = tell(++asked);
      connection.send(told.empty() ? test::kErrorAnswer : test::ok_answer(told));
    }
  };
}

bool rests(const FakeServer& server, milliseconds limit = test::kPatience) {
  Options options;
  options.servers = {server.address()};
  return await_rest(options, {}, limit, [] { return true; });
}

}  // namespace

class RestTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RestTest);
  CPPUNIT_TEST(a_node_is_waited_for_until_its_base_has_all);
  CPPUNIT_TEST(a_node_that_never_gets_there_is_given_up);
  CPPUNIT_TEST(who_tells_nothing_is_not_waited_for);
  CPPUNIT_TEST(a_process_is_waited_for_until_it_does_nothing);
  CPPUNIT_TEST_SUITE_END();

 public:
  /// Also while others write.
  void a_node_is_waited_for_until_its_base_has_all() {
    std::atomic<unsigned> asked = 0;
    const FakeServer server(tells(asked, [](unsigned n) { return health(1000 + n, n < 5 ? 1001 : 1002); }));
    CPPUNIT_ASSERT(rests(server));
    CPPUNIT_ASSERT_EQUAL(5U, asked.load());
  }

  void a_node_that_never_gets_there_is_given_up() {
    std::atomic<unsigned> asked = 0;
    const FakeServer server(tells(asked, [](unsigned) { return health(1000, 999); }));
    CPPUNIT_ASSERT(!rests(server, milliseconds(400)));
    Options options;
    options.servers = {server.address()};
    CPPUNIT_ASSERT(!await_rest(options, {}, test::kPatience, [] { return false; }));
  }

  void who_tells_nothing_is_not_waited_for() {
    for (const char* told :
         {"", "{}", "no", R"({"log":1})", R"({"log":{"tail":5}})", R"({"log":{"tail":5,"checkpoint":-1}})"}) {
      std::atomic<unsigned> asked = 0;
      const FakeServer server(tells(asked, [told](unsigned) { return std::string(told); }));
      CPPUNIT_ASSERT(rests(server));
      CPPUNIT_ASSERT_EQUAL(1U, asked.load());
    }
  }

  void a_process_is_waited_for_until_it_does_nothing() {
    std::array<int, 2> ends{};
    CPPUNIT_ASSERT_EQUAL(0, ::pipe(ends.data()));
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
      while (own_cpu_time().total_s() < 1.5) {
      }
      (void)!::write(write_end.get(), "x", 1);
      ::pause();
      ::_exit(0);
    }
    write_end.reset();
    Options options;
    options.protocol = Protocol::kResp;
    const bool busy = !await_rest(options, std::span(&child, 1), milliseconds(1), [] { return true; });
    const bool rested = await_rest(options, std::span(&child, 1), 3 * test::kPatience, [] { return true; });
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CPPUNIT_ASSERT(busy);
    CPPUNIT_ASSERT(rested);
    char byte = 0;
    CPPUNIT_ASSERT_EQUAL(ssize_t{1}, ::read(read_end.get(), &byte, 1));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RestTest, "rest_test");

}  // namespace minivault::load
