// Goal: answers to many clients that a turn has served leave by one system call where the kernel offers it,
// one by one where it does not or -io-uring=false says so, and what clients get is the same (the suite runs
// both ways, tests/CMakeLists.txt). Method: many connections ask at once, after the worker was stopped.

#include <cppunit/extensions/HelperMacros.h>

#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <list>
#include <string>
#include <vector>

#include "tests/support/forbidden_call.h"
#include "tests/support/frames.h"
#include "tests/support/node.h"
#include "tests/support/raw_connection.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr int kClients = 150;  // more than leave by one call

bool has_io_uring(const Node& node) {
  const std::filesystem::path open = "/proc/" + std::to_string(node.child("worker")) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(open)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry, gone) == "anon_inode:[io_uring]") return true;
  }
  return false;
}

/// In how many lines.
std::size_t log_says(Node& node, const std::string& text) {
  const std::vector<std::string> lines = node.supervisor().lines();
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(text) != std::string::npos;
  }));
}

}  // namespace

class SendTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SendTest);
  CPPUNIT_TEST(a_worker_uses_io_uring_unless_told_not_to_and_says_why_it_cannot);
  CPPUNIT_TEST(a_ring_that_fails_is_named_once_and_answers_leave_without_it);
  CPPUNIT_TEST(answers_of_one_turn_reach_each_client_in_order);
  CPPUNIT_TEST(clients_that_end_with_their_request_get_its_answer);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_worker_uses_io_uring_unless_told_not_to_and_says_why_it_cannot() {
    Node node({.flags = {"-procs", "1"}});
    const bool told_not_to = std::getenv("TESTED_IO_URING") != nullptr;
    CPPUNIT_ASSERT_EQUAL(!told_not_to && log_says(node, "sends go one by one") == 0, has_io_uring(node));
    const Node without({.flags = {"-procs", "1", "-io-uring=false"}});
    CPPUNIT_ASSERT(!has_io_uring(without));
  }

  /// By a thread of its own, which may make rings and not use them; so may the node that it starts.
  void a_ring_that_fails_is_named_once_and_answers_leave_without_it() {
    if (std::getenv("TESTED_IO_URING") != nullptr) return;
    std::async(std::launch::async, [] {
      CPPUNIT_ASSERT(forbid_system_call(__NR_io_uring_enter));
      Node node({.flags = {"-procs", "1"}});
      if (log_says(node, "cannot use io_uring") > 0) return;  // nor could it without the ban
      RawConnection client(node.port());
      for (int i = 0; i < 3; ++i) {
        CPPUNIT_ASSERT(client.exchange(set_frame("k", "v") + get_frame("k"), 11) == kOk + value_answer("v"));
      }
      eventually("it is in the log", [&] { return log_says(node, "io_uring failed") > 0; });
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_says(node, "io_uring failed: Operation not permitted"));
      CPPUNIT_ASSERT(!has_io_uring(node));
    }).get();
  }

  void answers_of_one_turn_reach_each_client_in_order() {
    const Node node({.flags = {"-procs", "1"}});
    std::list<RawConnection> clients = connected(node);
    for (int round = 0; round < 3; ++round) {
      const std::string value(static_cast<std::size_t>(1 + round * 3'000), static_cast<char>('a' + round));
      at_once(node, clients, [&](const std::string& key) {
        return set_frame(key, value) + get_frame(key) + get_frame("nobody") + set_frame(key, value + "!");
      });
      for (RawConnection& client : clients) {
        const std::string expected = kOk + value_answer(value) + kError + kOk;
        CPPUNIT_ASSERT(client.receive(expected.size()) == expected);
      }
    }
  }

  void clients_that_end_with_their_request_get_its_answer() {
    const Node node({.flags = {"-procs", "1"}});
    std::list<RawConnection> clients = connected(node);
    at_once(
        node, clients, [](const std::string& key) { return set_frame(key, "v") + get_frame(key); }, true);
    for (RawConnection& client : clients) {
      CPPUNIT_ASSERT(client.receive_until_close() == kOk + value_answer("v"));
    }
  }

 private:
  static std::list<RawConnection> connected(const Node& node) {
    std::list<RawConnection> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back(node.port());
      CPPUNIT_ASSERT(clients.back().exchange(get_frame("nobody"), 5) == kError);
    }
    return clients;
  }

  /// The worker finds the requests of all at the same time.
  template <typename Request>
  static void at_once(const Node& node, std::list<RawConnection>& clients, Request request,
                      bool and_end = false) {
    const pid_t worker = node.child("worker");
    CPPUNIT_ASSERT_EQUAL(0, ::kill(worker, SIGSTOP));
    eventually("the worker stands still", [&] { return is_stopped(worker); });
    int number = 0;
    for (RawConnection& client : clients) {
      client.send(request("key" + std::to_string(number++)));
      if (and_end) client.finish_sending();
    }
    CPPUNIT_ASSERT_EQUAL(0, ::kill(worker, SIGCONT));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SendTest, "send_test");

}  // namespace minivault::test
