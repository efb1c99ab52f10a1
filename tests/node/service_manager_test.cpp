// Goal: a service manager hears the truth, in time and in order: READY when clients are served and not
// before, RELOADING and READY around a reload, STOPPING, and signs of life only while every role lives.
// Method: a fake notify socket; real nodes; roles that SIGSTOP holds.

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "tests/support/frames.h"
#include "tests/support/node.h"
#include "tests/support/notify_socket.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {
namespace {

std::uint64_t monotonic_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

/// The number behind `name=` in a message.
std::uint64_t number_in(const std::string& message, const std::string& name) {
  const std::size_t at = message.find(name + "=");
  CPPUNIT_ASSERT_MESSAGE(message, at != std::string::npos);
  return std::stoull(message.substr(at + name.size() + 1));
}

/// A directory with a socket in it, and a node that is told of it.
struct Managed {
  explicit Managed(Environment environment = {}, const std::string& name = "")
      : manager(name.empty() ? directory.file("notify") : name) {
    environment["NOTIFY_SOCKET"] = manager.name();
    node = std::make_unique<Node>(NodeOptions{.environment = std::move(environment)});
  }

  TemporaryDirectory directory;
  NotifySocket manager;
  std::unique_ptr<Node> node;
};

}  // namespace

class ServiceManagerTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceManagerTest);
  CPPUNIT_TEST(ready_means_that_clients_are_served);
  CPPUNIT_TEST(an_abstract_socket_will_do);
  CPPUNIT_TEST(a_reload_is_told_from_begin_to_end);
  CPPUNIT_TEST(a_reload_that_fails_is_told_too);
  CPPUNIT_TEST(a_stop_is_told);
  CPPUNIT_TEST(nobody_listens_and_nothing_happens);
  CPPUNIT_TEST(a_hung_role_silences_the_watchdog_and_is_replaced);
  CPPUNIT_TEST(a_watchdog_of_somebody_else_is_left_alone);
  CPPUNIT_TEST_SUITE_END();

 public:
  void ready_means_that_clients_are_served() {
    Managed managed;
    const std::size_t ready = managed.manager.await("READY=1");
    RawConnection connection(managed.node->port());
    CPPUNIT_ASSERT(connection.exchange(set_frame("k", "v"), 5) == kOk);
    const auto& told = managed.manager.messages();
    CPPUNIT_ASSERT_MESSAGE(told[0], !has_line_like(told[0], "READY"));
    CPPUNIT_ASSERT_MESSAGE(told[ready],
                           has_line(told[ready], "STATUS=serving with 2 workers; no other members"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, managed.manager.count("READY=1"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, managed.manager.count("STATUS=recovered, starting workers"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, managed.manager.count("WATCHDOG=1"));  // nobody asked for it
  }

  void an_abstract_socket_will_do() {
    Managed managed({}, "@minivault-test-" + std::to_string(::getpid()));
    managed.manager.await("READY=1");
  }

  void a_reload_is_told_from_begin_to_end() {
    Managed managed;
    const std::size_t first = managed.manager.await("READY=1");
    const std::vector<pid_t> before = managed.node->children("worker");
    const std::uint64_t earliest_us = monotonic_us();
    managed.node->supervisor().signal(SIGHUP);
    const std::size_t reloading = managed.manager.await("RELOADING=1", first);
    const std::uint64_t told_us = number_in(managed.manager.messages()[reloading], "MONOTONIC_USEC");
    CPPUNIT_ASSERT(told_us >= earliest_us && told_us <= monotonic_us());
    const std::size_t ready = managed.manager.await("READY=1", first + 1);
    CPPUNIT_ASSERT(ready > reloading);
    const std::vector<pid_t> after = managed.node->children("worker");
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, after.size());
    for (const pid_t pid : after) CPPUNIT_ASSERT(std::count(before.begin(), before.end(), pid) == 0);
  }

  void a_reload_that_fails_is_told_too() {
    Managed managed;
    const std::size_t first = managed.manager.await("READY=1");
    (void)managed.node->directory().write("minivault.conf", "authmode = nonsense\n");
    managed.node->supervisor().signal(SIGHUP);
    const std::size_t reloading = managed.manager.await("RELOADING=1", first);
    const std::size_t ready = managed.manager.await("READY=1", reloading);
    const std::string& told = managed.manager.messages()[ready];
    CPPUNIT_ASSERT_MESSAGE(told, has_line_like(told, "STATUS=configuration not reloaded: "));
    CPPUNIT_ASSERT_MESSAGE(told, told.find("nonsense") != std::string::npos);
  }

  void a_stop_is_told() {
    Managed managed;
    managed.manager.await("READY=1");
    CPPUNIT_ASSERT_EQUAL(0, managed.node->stop());
    const std::size_t stopping = managed.manager.await("STOPPING=1");
    CPPUNIT_ASSERT(managed.manager.await("STATUS=draining: finishing what was received") > stopping);
    CPPUNIT_ASSERT(managed.manager.await("STATUS=draining: writing the last checkpoint") > stopping);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, managed.manager.count("STOPPING=1"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, managed.manager.count("READY=1", stopping));
  }

  void nobody_listens_and_nothing_happens() {
    const TemporaryDirectory directory;
    for (const std::string& name : {directory.file("nobody"), std::string("vsock:2:1"), std::string("@")}) {
      Node node({.environment = {{"NOTIFY_SOCKET", name}, {"WATCHDOG_USEC", "nonsense"}}});
      RawConnection connection(node.port());
      CPPUNIT_ASSERT(connection.exchange(set_frame("k", "v"), 5) == kOk);
      CPPUNIT_ASSERT_EQUAL(0, node.stop());
    }
  }

  /// One node for each role: all hang at the same time.
  void a_hung_role_silences_the_watchdog_and_is_replaced() {
    const Environment watchdog{{"WATCHDOG_USEC", "4000000"}};
    std::vector<std::unique_ptr<Managed>> nodes;
    std::vector<std::vector<pid_t>> held;
    const std::vector<std::string> roles{"checkpointer", "replicator", "worker"};
    for (const std::string& role : roles) {
      nodes.push_back(std::make_unique<Managed>(watchdog));
      Managed& managed = *nodes.back();
      const std::size_t sign = managed.manager.await("WATCHDOG=1");
      managed.manager.await("WATCHDOG=1", sign + 1);  // it keeps coming
      held.push_back(managed.node->children(role));
      for (const pid_t pid : held.back()) suspend(pid);
    }
    for (std::size_t i = 0; i < roles.size(); ++i) {
      NotifySocket& manager = nodes[i]->manager;
      const std::size_t seen = manager.messages().size();
      const auto killed = nodes[i]->node->supervisor().line([](const std::string& line) {
        return line.find("child_standing_still_killed") != std::string::npos;
      });
      CPPUNIT_ASSERT_MESSAGE(roles[i], killed.has_value());
      // Ten seconds, of which the first two count as life: two signs at most instead of five.
      CPPUNIT_ASSERT_MESSAGE(roles[i], manager.count("WATCHDOG=1", seen) <= 2);
      eventually(roles[i] + " is replaced", [&] {
        const std::vector<pid_t> now = nodes[i]->node->children(roles[i]);
        return now.size() == held[i].size() && std::none_of(now.begin(), now.end(), [&](pid_t pid) {
                 return std::count(held[i].begin(), held[i].end(), pid);
               });
      });
      manager.await("WATCHDOG=1", manager.messages().size());
    }
  }

  void a_watchdog_of_somebody_else_is_left_alone() {
    Managed managed(Environment{{"WATCHDOG_USEC", "200000"}, {"WATCHDOG_PID", "1"}});
    Managed ours(Environment{{"WATCHDOG_USEC", "200000"}});
    std::size_t sign = 0;
    for (int i = 0; i < 3; ++i) sign = ours.manager.await("WATCHDOG=1", sign) + 1;
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, managed.manager.count("WATCHDOG=1"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ServiceManagerTest, "service_manager_test");

}  // namespace minivault::test
