// Real processes under a real supervisor, with fake roles: deaths, stops, reloads, and a directory that two
// nodes want. Every wait is for something that can be seen, with a deadline.

#include "supervisor/supervisor.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <set>

#include "common/process/exit_code.h"
#include "tests/supervisor/fake_roles.h"
#include "tests/supervisor/node_process.h"
#include "tests/support/notify_socket.h"
#include "tests/support/processes.h"
#include "tests/support/raw_connection.h"
#include "tests/support/temporary_directory.h"

namespace minivault::test {
namespace {

using Pids = std::vector<pid_t>;

class SupervisorTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SupervisorTest);
  CPPUNIT_TEST(a_node_starts_serves_and_stops);
  CPPUNIT_TEST(children_begin_as_promised);
  CPPUNIT_TEST(workers_wait_for_the_recovery);
  CPPUNIT_TEST(a_killed_worker_is_replaced);
  CPPUNIT_TEST(a_killed_checkpointer_is_replaced_and_workers_stay);
  CPPUNIT_TEST(a_worker_that_crashes_again_and_again_does_not_stop_the_node);
  CPPUNIT_TEST(a_killed_supervisor_leaves_nobody_behind);
  CPPUNIT_TEST(a_second_node_on_the_directory_is_refused);
  CPPUNIT_TEST(a_refused_start_ends_the_node);
  CPPUNIT_TEST(a_failed_start_ends_the_node);
  CPPUNIT_TEST(a_port_in_use_is_an_error_and_starts_nothing);
  CPPUNIT_TEST(a_stop_during_the_recovery_is_obeyed);
  CPPUNIT_TEST(a_second_request_hurries_a_stop);
  CPPUNIT_TEST(a_worker_that_does_not_end_is_killed_within_the_promise);
  CPPUNIT_TEST(a_last_checkpoint_that_fails_shows_in_the_status);
  CPPUNIT_TEST(a_stop_waits_for_a_checkpointer_that_just_died);
  CPPUNIT_TEST(every_bell_is_rung_again_and_again);
  CPPUNIT_TEST(who_is_stopped_is_killed_and_replaced);
  CPPUNIT_TEST(who_pins_the_ring_is_killed);
  CPPUNIT_TEST(who_holds_the_append_lock_is_killed);
  CPPUNIT_TEST(a_reload_replaces_every_worker_and_refuses_nobody);
  CPPUNIT_TEST(a_reload_changes_the_number_of_workers);
  CPPUNIT_TEST(a_reload_that_cannot_be_read_changes_nothing);
  CPPUNIT_TEST(a_name_that_no_other_machine_can_call_is_warned_of);
  CPPUNIT_TEST(a_service_manager_hears_ready_when_every_child_is);
  CPPUNIT_TEST_SUITE_END();

  TemporaryDirectory directory_;

  [[nodiscard]] Config config(unsigned workers) const {
    Config config;
    config.port = 0;
    config.bind = "127.0.0.1";
    config.data_directory = directory_.file("data");
    config.log_bytes = 1 << 20;
    config.worker_processes = workers;
    return config;
  }

  static bool serves(std::uint16_t port) { return RawConnection(port).receive(1) == "k"; }

  static void stop_cleanly(NodeProcess& node) {
    node.send(SIGTERM);
    CPPUNIT_ASSERT_EQUAL(kExitOk, node.wait_for_end());
  }

  static void wait_for_others(const NodeProcess& node, const std::string& name, const Pids& before) {
    eventually(name + " replaced", [&] {
      const Pids now = node.children(name);
      return now.size() == before.size() && std::none_of(now.begin(), now.end(), [&](pid_t pid) {
               return std::count(before.begin(), before.end(), pid);
             });
    });
  }

 public:
  void setUp() override { reset_script(); }

  void a_node_starts_serves_and_stops() {
    NodeProcess node(config(2));
    CPPUNIT_ASSERT(serves(node.wait_until_ready()));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, node.children("checkpointer").size());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, node.children("worker 1").size());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, node.children("worker 2").size());
    stop_cleanly(node);
    CPPUNIT_ASSERT(script().last_worker_end.load() != 0);
    CPPUNIT_ASSERT(script().last_worker_end.load() < script().checkpointer_end.load());
    CPPUNIT_ASSERT_EQUAL(2U, script().worker_starts.load());
    CPPUNIT_ASSERT_EQUAL(1U, script().checkpointer_starts.load());
  }

  void children_begin_as_promised() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC"}) ::setenv(name, "nonsense", 1);
    NodeProcess node(config(2));
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC"}) ::unsetenv(name);
    node.wait_until_ready();
    stop_cleanly(node);
    CPPUNIT_ASSERT_EQUAL(0U, script().wrong_signals.load());
    CPPUNIT_ASSERT_EQUAL(0U, script().wrong_environment.load());
    CPPUNIT_ASSERT_EQUAL(0U, script().checkpointer_listeners.load());
  }

  void workers_wait_for_the_recovery() {
    script().checkpointer_waits = true;
    NodeProcess node(config(2));
    eventually("the checkpointer starts", [] { return script().checkpointer_starts.load() == 1; });
    CPPUNIT_ASSERT_EQUAL(0U, script().worker_starts.load());
    for (int i = 0; i < 2; ++i) {  // a recovery that is killed is begun again
      const Pids before = node.children("checkpointer");
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, before.size());
      ::kill(before[0], SIGKILL);
      wait_for_others(node, "checkpointer", before);
    }
    CPPUNIT_ASSERT_EQUAL(0U, script().worker_starts.load());
    script().checkpointer_waits = false;
    CPPUNIT_ASSERT(serves(node.wait_until_ready()));
    stop_cleanly(node);
  }

  void a_killed_worker_is_replaced() {
    NodeProcess node(config(2));
    const std::uint16_t port = node.wait_until_ready();
    const Pids other = node.children("worker 1");
    const Pids before = node.children("worker 2");
    ::kill(before.at(0), SIGKILL);
    wait_for_others(node, "worker 2", before);
    eventually("its restarts are counted", [] { return script().restarts[2].load() == 1; });
    CPPUNIT_ASSERT(node.children("worker 1") == other);
    CPPUNIT_ASSERT(serves(port));
    node.wait_for_log("child_died child=\"worker 2\"");
    stop_cleanly(node);
  }

  void a_killed_checkpointer_is_replaced_and_workers_stay() {
    NodeProcess node(config(2));
    node.wait_until_ready();
    const Pids workers = node.children("worker");
    const Pids before = node.children("checkpointer");
    ::kill(before.at(0), SIGKILL);
    wait_for_others(node, "checkpointer", before);
    CPPUNIT_ASSERT(node.children("worker") == workers);
    stop_cleanly(node);
  }

  void a_worker_that_crashes_again_and_again_does_not_stop_the_node() {
    script().crashing_worker = 2;
    NodeProcess node(config(2));
    eventually("it crashed a few times", [] { return script().worker_starts.load() >= 5; });
    const Pids good = node.children("worker 1");
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, good.size());
    CPPUNIT_ASSERT(node.log().find(" ready port=") == std::string::npos);
    script().crashing_worker = 0;
    CPPUNIT_ASSERT(serves(node.wait_until_ready()));
    CPPUNIT_ASSERT(node.children("worker 1") == good);
    CPPUNIT_ASSERT_EQUAL(1U, script().checkpointer_starts.load());
    stop_cleanly(node);
  }

  void a_killed_supervisor_leaves_nobody_behind() {
    NodeProcess node(config(3));
    node.wait_until_ready();
    const Pids children = node.children();
    CPPUNIT_ASSERT_EQUAL(std::size_t{5}, children.size());
    node.send(SIGKILL);
    CPPUNIT_ASSERT_EQUAL(-SIGKILL, node.wait_for_end());
    eventually("all are gone", [&] { return std::none_of(children.begin(), children.end(), is_alive); });
    NodeProcess next(config(1));  // nothing in the directory is held any more
    CPPUNIT_ASSERT(serves(next.wait_until_ready()));
    stop_cleanly(next);
  }

  void a_second_node_on_the_directory_is_refused() {
    NodeProcess first(config(1));
    const std::uint16_t port = first.wait_until_ready();
    NodeProcess second(config(1));
    CPPUNIT_ASSERT_EQUAL(kExitFailure, second.wait_for_end());
    const std::string said = second.log();
    CPPUNIT_ASSERT_MESSAGE(said,
                           said.find(directory_.file("data") + " is in use by pid") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(said, said.find(std::to_string(first.pid())) != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, std::count(said.begin(), said.end(), '\n'));
    CPPUNIT_ASSERT(serves(port));
    CPPUNIT_ASSERT_EQUAL(1U, script().checkpointer_starts.load());
    stop_cleanly(first);
  }

  void a_refused_start_ends_the_node() {
    script().checkpointer_exit = kExitRefused;
    NodeProcess node(config(2));
    CPPUNIT_ASSERT_EQUAL(kExitRefused, node.wait_for_end());
    CPPUNIT_ASSERT_EQUAL(1U, script().checkpointer_starts.load());
    CPPUNIT_ASSERT_EQUAL(0U, script().worker_starts.load());
  }

  void a_failed_start_ends_the_node() {
    script().checkpointer_exit = kExitFailure;
    NodeProcess node(config(2));
    CPPUNIT_ASSERT_EQUAL(kExitFailure, node.wait_for_end());
    CPPUNIT_ASSERT_EQUAL(1U, script().checkpointer_starts.load());
    CPPUNIT_ASSERT_EQUAL(0U, script().worker_starts.load());
  }

  void a_port_in_use_is_an_error_and_starts_nothing() {
    NodeProcess first(config(1));
    Config taken = config(1);
    taken.port = first.wait_until_ready();
    taken.data_directory = directory_.file("other");
    NodeProcess second(taken);
    CPPUNIT_ASSERT_EQUAL(kExitFailure, second.wait_for_end());
    const std::string port = "127.0.0.1 port " + std::to_string(taken.port);
    CPPUNIT_ASSERT_MESSAGE(second.log(),
                           second.log().find(port + ": the port is in use") != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(1U, script().checkpointer_starts.load());
    stop_cleanly(first);
  }

  void a_stop_during_the_recovery_is_obeyed() {
    script().checkpointer_waits = true;
    NodeProcess node(config(2));
    eventually("the checkpointer starts", [] { return script().checkpointer_starts.load() == 1; });
    stop_cleanly(node);
    CPPUNIT_ASSERT_EQUAL(0U, script().worker_starts.load());
  }

  void a_second_request_hurries_a_stop() {
    script().workers_ignore_stop = true;
    NodeProcess node(config(2));
    node.wait_until_ready();
    const auto began = std::chrono::steady_clock::now();
    node.send(SIGTERM);
    node.wait_for_log(" draining");
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, node.children("worker").size());
    node.send(SIGINT);
    CPPUNIT_ASSERT_EQUAL(kExitOk, node.wait_for_end());
    CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < std::chrono::seconds(6));
    CPPUNIT_ASSERT_MESSAGE("the checkpointer ended in order", script().checkpointer_end.load() != 0);
  }

  void a_worker_that_does_not_end_is_killed_within_the_promise() {
    script().workers_ignore_stop = true;
    NodeProcess node(config(2));
    node.wait_until_ready();
    const auto began = std::chrono::steady_clock::now();
    stop_cleanly(node);
    const auto took = std::chrono::steady_clock::now() - began;
    CPPUNIT_ASSERT(took >= std::chrono::milliseconds(7'900));
    CPPUNIT_ASSERT(took < std::chrono::seconds(10));
    CPPUNIT_ASSERT(script().checkpointer_end.load() != 0);
  }

  void a_last_checkpoint_that_fails_shows_in_the_status() {
    script().checkpointer_final_exit = kExitFailure;
    NodeProcess node(config(1));
    node.wait_until_ready();
    node.send(SIGTERM);
    CPPUNIT_ASSERT_EQUAL(kExitFailure, node.wait_for_end());
  }

  /// Killed often enough for a long back-off: the stop comes while none is there.
  void a_stop_waits_for_a_checkpointer_that_just_died() {
    NodeProcess node(config(1));
    node.wait_until_ready();
    for (unsigned starts = 1; starts <= 5; ++starts) {
      eventually("a checkpointer is there", [&] { return script().checkpointer_starts.load() >= starts; });
      for (const pid_t pid : node.children("checkpointer")) ::kill(pid, SIGKILL);
    }
    eventually("none is there", [&] { return node.children("checkpointer").empty(); });
    const unsigned before = script().checkpointer_starts.load();
    stop_cleanly(node);
    CPPUNIT_ASSERT_EQUAL(before + 1, script().checkpointer_starts.load());
    CPPUNIT_ASSERT_MESSAGE("it made the last checkpoint", script().checkpointer_end.load() != 0);
  }

  /// Who is well and has nothing to do shows it, and is not taken for one that stands still.
  void every_bell_is_rung_again_and_again() {
    NodeProcess node(config(1));
    node.wait_until_ready();
    const unsigned before = script().replicator_rings.load();
    eventually("its bell was rung twice more",
               [&] { return script().replicator_rings.load() >= before + 2; });
    stop_cleanly(node);
  }

  void who_is_stopped_is_killed_and_replaced() {
    NodeProcess node(config(1));
    node.wait_until_ready();
    const Pids workers = node.children("worker");
    const Pids before = node.children("replicator");
    suspend(before.at(0));
    node.wait_for_log("child_standing_still_killed child_pid=" + std::to_string(before[0]));
    wait_for_others(node, "replicator", before);
    CPPUNIT_ASSERT(node.children("worker") == workers);
    stop_cleanly(node);
  }

  void who_pins_the_ring_is_killed() {
    NodeProcess node(config(2));
    const std::uint16_t port = node.wait_until_ready();
    script().pin_once = true;
    node.wait_for_log("child_pinning_log_killed");
    node.wait_for_log("child_died");
    eventually("two workers again", [&] { return node.children("worker").size() == 2; });
    eventually("three were started", [] { return script().worker_starts.load() == 3; });
    CPPUNIT_ASSERT(serves(port));
    stop_cleanly(node);
  }

  void who_holds_the_append_lock_is_killed() {
    NodeProcess node(config(2));
    node.wait_until_ready();
    script().lock_once = true;
    node.wait_for_log("child_holding_append_lock_killed");
    eventually("three were started", [] { return script().worker_starts.load() == 3; });
    CPPUNIT_ASSERT_EQUAL_MESSAGE("its successor in the slot is not accused", 0U, script().lock_holder.load());
    stop_cleanly(node);
    const std::string said = node.log();
    CPPUNIT_ASSERT_EQUAL_MESSAGE("only one was to blame", said.find("_killed "), said.rfind("_killed "));
  }

  void a_reload_replaces_every_worker_and_refuses_nobody() {
    NodeProcess node(config(3));
    const std::uint16_t port = node.wait_until_ready();
    const Pids before = node.children("worker");
    const Pids checkpointer = node.children("checkpointer");
    script().reload_workers = 3;
    script().reload_port = 1;
    node.send(SIGHUP);
    unsigned served = 0;
    do {  // however soon it is over
      CPPUNIT_ASSERT(serves(port));
      CPPUNIT_ASSERT(++served < 1'000'000);
    } while (node.log().find(" reloaded port=") == std::string::npos);
    const Pids after = node.children("worker");
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, after.size());
    for (const pid_t pid : after)
      CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{0}, std::count(before.begin(), before.end(), pid));
    CPPUNIT_ASSERT(node.children("checkpointer") == checkpointer);
    node.wait_for_log("setting_needs_restart setting=-port");
    CPPUNIT_ASSERT_EQUAL_MESSAGE("a planned end is no restart", 0U, script().restarts[1].load());
    stop_cleanly(node);
  }

  void a_reload_changes_the_number_of_workers() {
    NodeProcess node(config(1));
    const std::uint16_t port = node.wait_until_ready();
    for (const unsigned workers : {4U, 2U}) {
      script().reload_workers = workers;
      node.send(SIGHUP);
      node.wait_for_log("reloaded port=" + std::to_string(port) +
                        " http_port=0 address=127.0.0.1 workers=" + std::to_string(workers));
      CPPUNIT_ASSERT_EQUAL(std::size_t{workers}, node.children("worker").size());
      CPPUNIT_ASSERT(serves(port));
    }
    stop_cleanly(node);
  }

  void a_reload_that_cannot_be_read_changes_nothing() {
    NodeProcess node(config(2));
    const std::uint16_t port = node.wait_until_ready();
    const Pids before = node.children();
    node.send(SIGHUP);
    node.wait_for_log("configuration_not_reloaded error=\"the script says no\"");
    CPPUNIT_ASSERT(serves(port));
    CPPUNIT_ASSERT(node.children() == before);
    stop_cleanly(node);
  }

  // At the start and at each reload, where other machines are listed; not of nodes of this one.
  void a_name_that_no_other_machine_can_call_is_warned_of() {
    struct Case {
      std::string public_url;
      std::vector<std::string> listed;
      std::size_t warnings;
    };
    for (const Case& each :
         {Case{"localhost:3000", {"127.0.0.1:3001", "n2:3000"}, 2}, Case{"[::1]:3000", {"10.0.0.2:3000"}, 2},
          Case{"n1:3000", {"n2:3000", "localhost:3001"}, 0},
          Case{"localhost:3000", {"localhost:3001", "127.0.0.2:3000"}, 0}, Case{"localhost:3000", {}, 0}}) {
      Config named = config(1);
      named.public_url = each.public_url;
      named.cluster_nodes = each.listed;
      NodeProcess node(named);
      (void)node.wait_until_ready();
      script().reload_workers = 1;
      node.send(SIGHUP);
      node.wait_for_log("reloaded port=");
      const std::string log = node.log();
      std::size_t warnings = 0;
      for (std::size_t at = 0; (at = log.find("public_url_is_loopback public_url=", at)) != std::string::npos;
           ++at)
        ++warnings;
      CPPUNIT_ASSERT_EQUAL_MESSAGE(log, each.warnings, warnings);
      stop_cleanly(node);
    }
  }

  void a_service_manager_hears_ready_when_every_child_is() {
    NotifySocket manager(directory_.file("notify"));
    script().checkpointer_waits = true;
    script().crashing_worker = 2;
    ::setenv("NOTIFY_SOCKET", manager.name().c_str(), 1);
    NodeProcess node(config(2));
    ::unsetenv("NOTIFY_SOCKET");
    // As long as the recovery goes on.
    const std::size_t asked = manager.await("EXTEND_TIMEOUT_USEC=30000000");
    manager.await("EXTEND_TIMEOUT_USEC=30000000", asked + 1);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, manager.count("STATUS=recovering"));
    script().checkpointer_waits = false;
    manager.await("STATUS=recovered, starting workers");
    eventually("one worker serves, the other crashes", [] { return script().worker_starts.load() >= 4; });
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, manager.count("READY=1"));
    script().crashing_worker = 0;
    manager.await("READY=1");
    stop_cleanly(node);
    manager.await("STOPPING=1");
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SupervisorTest, "supervisor_test");

}  // namespace
}  // namespace minivault::test
