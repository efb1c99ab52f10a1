// Goal: a node starts, stops, reloads and survives its children as DESIGN.md says, and refuses a wrong start
// clearly. Method: signals to the real processes, and clients that notice every refused connection and every
// lost answer.

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>

#include "tests/node/load.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"

namespace minivault::test {

namespace {

constexpr milliseconds kDrain{10'000};  // SIGTERM promises an end within it

std::string ask(RawConnection& connection, const std::string& request, std::size_t size = 5) {
  return connection.exchange(request, size);
}

Finished run_node(const std::vector<std::string>& flags, const Environment& environment = {}) {
  std::vector<std::string> command{minivault_binary(), "-bind", "127.0.0.1", "-port", "0", "-log", "16"};
  command.insert(command.end(), flags.begin(), flags.end());
  return run(command, "", environment);
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool is_refused(std::uint16_t port) {
  try {
    const RawConnection connection(port);
    return false;
  } catch (const std::exception&) {
    return true;
  }
}

void assert_no_violations(const Load& load) {
  for (const std::string& what : load.violations()) CPPUNIT_FAIL(what);
}

/// A client that connects anew for every few requests, as many programs do, and is never turned away.
class NewcomerLoop {
 public:
  explicit NewcomerLoop(std::uint16_t port)
      : thread_([this, port](const std::stop_token& stop) { run(port, stop); }) {}

  [[nodiscard]] unsigned served() const { return served_; }
  [[nodiscard]] std::string stop() {
    thread_.request_stop();
    thread_.join();
    return failure_;
  }

 private:
  void run(std::uint16_t port, const std::stop_token& stop) {
    try {
      while (!stop.stop_requested()) {
        const std::string value = std::to_string(served_);
        RawConnection connection(port);
        const std::string expected = kOk + value_answer(value);
        if (connection.exchange(set_frame("newcomer", value) + get_frame("newcomer"), expected.size()) !=
            expected) {
          throw std::runtime_error("a wrong answer");
        }
        ++served_;
      }
    } catch (const std::exception& error) {
      failure_ = error.what();
    }
  }

  std::atomic<unsigned> served_ = 0;
  std::string failure_;
  std::jthread thread_;
};

}  // namespace

class LifecycleTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LifecycleTest);
  CPPUNIT_TEST(keeps_everything_over_a_restart);
  CPPUNIT_TEST(finishes_what_it_received);
  CPPUNIT_TEST(stops_under_load);
  CPPUNIT_TEST(turns_newcomers_away_while_it_drains);
  CPPUNIT_TEST(a_second_node_on_the_directory_is_refused);
  CPPUNIT_TEST(a_port_in_use_is_refused);
  CPPUNIT_TEST(a_wrong_setting_creates_nothing);
  CPPUNIT_TEST(answers_help_version_and_check);
  CPPUNIT_TEST(reloads_under_load);
  CPPUNIT_TEST(a_reload_takes_new_settings_and_refuses_wrong_ones);
  CPPUNIT_TEST(leaves_no_orphan);
  CPPUNIT_TEST(starts_every_child_again);
  CPPUNIT_TEST(names_its_processes);
  CPPUNIT_TEST(keeps_what_it_shares_out_of_core_dumps);
  CPPUNIT_TEST_SUITE_END();

 public:
  void keeps_everything_over_a_restart() {
    Node node;
    {
      RawConnection connection(node.port());
      for (int i = 0; i < 500; ++i) {
        CPPUNIT_ASSERT(ask(connection, set_frame("key" + std::to_string(i), std::to_string(i * i))) == kOk);
      }
      CPPUNIT_ASSERT(ask(connection, delete_frame("key7")) == kOk);
      assert_done(http(node.port(), http_upload("PUT", "/json", R"({"value":{"a": 1}})")));
    }
    for (int round = 0; round < 3; ++round) {
      CPPUNIT_ASSERT_EQUAL(0, node.stop(kDrain));
      node.start();
      RawConnection connection(node.port());
      for (int i = 0; i < 500; ++i) {
        const std::string answer = i == 7 ? kError : value_answer(std::to_string(i * i));
        CPPUNIT_ASSERT(ask(connection, get_frame("key" + std::to_string(i)), answer.size()) == answer);
      }
      assert_data(http(node.port(), http_request("GET", "/json")), R"({"a": 1})");
    }
  }

  void finishes_what_it_received() {
    Node node;
    RawConnection connection(node.port());
    constexpr int kRequests = 1'000;
    std::string requests;
    for (int i = 0; i < kRequests; ++i) requests += set_frame("key" + std::to_string(i), "value");
    CPPUNIT_ASSERT(ask(connection, requests) == kOk);
    node.supervisor().signal(SIGTERM);
    const std::string rest = connection.receive_until_close();
    CPPUNIT_ASSERT_EQUAL(0, node.supervisor().wait(kDrain));
    CPPUNIT_ASSERT_EQUAL(std::size_t{(kRequests - 1) * 5}, rest.size());
    node.start();
    RawConnection reader(node.port());
    CPPUNIT_ASSERT(ask(reader, get_frame("key999"), 10) == value_answer("value"));
  }

  void stops_under_load() {
    Node node;
    Load load(node.port(), 1);
    for (int round = 0; round < 3; ++round) {
      load.await_answers(500);
      CPPUNIT_ASSERT_EQUAL(0, node.stop(kDrain));
      node.start();
      load.moved_to(node.port());
    }
    load.stop_and_verify();
    assert_no_violations(load);
  }

  void turns_newcomers_away_while_it_drains() {
    Node node;
    RawConnection unfinished(node.port());
    unfinished.send("GET /health HTTP/1.1\r\n");  // the drain waits for the rest of it
    CPPUNIT_ASSERT(unfinished.silent_for(milliseconds(50)));
    node.supervisor().signal(SIGTERM);
    eventually("new connections are refused", [&] { return is_refused(node.port()); });
    CPPUNIT_ASSERT(node.supervisor().running());
    unfinished.send("\r\n");
    CPPUNIT_ASSERT(says(unfinished.receive_until_close(), "200 OK"));
    CPPUNIT_ASSERT_EQUAL(0, node.supervisor().wait(kDrain));
  }

  void a_second_node_on_the_directory_is_refused() {
    const Node node;
    const Finished second = run_node({"-data", node.data()});
    CPPUNIT_ASSERT(second.status != 0);
    CPPUNIT_ASSERT_MESSAGE(second.err, says(second.err, node.data()));
    RawConnection connection(node.port());
    CPPUNIT_ASSERT(ask(connection, set_frame("still", "served")) == kOk);
  }

  void a_port_in_use_is_refused() {
    const Node node;
    const TemporaryDirectory directory;
    const std::string port = std::to_string(node.port());
    const Finished second = run_node({"-data", directory.file("data"), "-port", port});
    CPPUNIT_ASSERT(second.status != 0);
    CPPUNIT_ASSERT_MESSAGE(second.err, says(second.err, port));
  }

  void a_wrong_setting_creates_nothing() {
    const TemporaryDirectory directory;
    const std::string data = directory.file("data");
    const auto assert_wrong = [&](std::vector<std::string> flags, const std::string& naming,
                                  const Environment& environment = {}) {
      flags.insert(flags.begin(), {"-data", data});
      const Finished finished = run_node(flags, environment);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.err, 2, finished.status);
      CPPUNIT_ASSERT_MESSAGE(finished.err, says(finished.err, naming));
      CPPUNIT_ASSERT_MESSAGE(finished.err, finished.err.find('\n') == finished.err.size() - 1);  // one line
      CPPUNIT_ASSERT(!std::filesystem::exists(data));
    };
    assert_wrong({"-port", "70000"}, "port");
    assert_wrong({"-log", "lots"}, "log");
    assert_wrong({"-sync", "sometimes"}, "sync");
    assert_wrong({"-authmode", "reads"}, "authmode");
    assert_wrong({"-procs", "0"}, "procs");
    assert_wrong({"-max-value", "-1"}, "max-value");
    assert_wrong({"-no-such-flag"}, "no-such-flag");
    assert_wrong({"-config", directory.file("missing.conf")}, "missing.conf");
    assert_wrong({"-config", directory.write("bad.conf", "workers = many\n")}, "bad.conf");
    assert_wrong({}, "MINIVAULT_WORKERS", {{"MINIVAULT_WORKERS", "many"}});
  }

  void answers_help_version_and_check() {
    for (const char* flag : {"-help", "--version", "-check-config"}) {
      const TemporaryDirectory directory;
      const Finished finished = run_node({"-data", directory.file("data"), flag});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.err, 0, finished.status);
      CPPUNIT_ASSERT(!finished.out.empty());
      CPPUNIT_ASSERT(!std::filesystem::exists(directory.file("data")));
    }
  }

  void reloads_under_load() {
    Node node;
    Load load(node.port(), 2);
    NewcomerLoop newcomer(node.port());
    for (int round = 0; round < 5; ++round) {
      const std::vector<pid_t> before = node.children("worker");
      const unsigned served = newcomer.served();
      node.reload();
      for (const pid_t pid : node.children("worker"))
        CPPUNIT_ASSERT(std::count(before.begin(), before.end(), pid) == 0);
      load.await_answers(200);
      eventually("newcomers are served", [&] { return newcomer.served() > served; });
    }
    CPPUNIT_ASSERT_EQUAL(std::string(), newcomer.stop());
    load.stop_and_verify();
    assert_no_violations(load);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, node.children("worker").size());
  }

  void a_reload_takes_new_settings_and_refuses_wrong_ones() {
    Node node;
    (void)node.directory().write("minivault.conf", "auth = key\nauthmode = all\n");
    node.reload();
    assert_refused(http(node.port(), http_request("GET", "/k")), 401);

    (void)node.directory().write("minivault.conf", "authmode = nonsense\n");
    node.supervisor().signal(SIGHUP);
    CPPUNIT_ASSERT(
        node.supervisor().line([](const std::string& line) { return says(line, "nonsense"); }).has_value());
    assert_refused(http(node.port(), http_request("GET", "/k")), 401);
    assert_refused(http(node.port(), http_request("GET", "/k", {"Authorization: Bearer key"})), 404);
  }

  void leaves_no_orphan() {
    Node node;
    for (int round = 0; round < 3; ++round) {
      const std::vector<pid_t> children = node.children();
      CPPUNIT_ASSERT(children.size() >= 3);
      node.kill();   // fails when a child lives on
      node.start();  // and this one when something still holds the directory
    }
    CPPUNIT_ASSERT_EQUAL(0, node.stop(kDrain));
  }

  void starts_every_child_again() {
    Node node;
    RawConnection writer(node.port());
    CPPUNIT_ASSERT(ask(writer, set_frame("before", "it")) == kOk);
    for (const std::string role : {"worker 1", "worker 2", "checkpointer", "replicator"}) {
      const pid_t old = node.child(role);
      ::kill(old, SIGKILL);
      eventually(role + " is back", [&] {
        const std::vector<pid_t> pids = node.children(role);
        return pids.size() == 1 && pids.front() != old;
      });
      eventually("reads and writes are served", [&] { return reads_and_writes(node); });
    }
    const auto health = parse_json(http(node.port(), http_request("GET", "/health")).body);
    for (const auto& process : health["processes"].GetArray()) {
      CPPUNIT_ASSERT_EQUAL_MESSAGE(process["role"].GetString(), 1, process["restarts"].GetInt());
    }
  }

  void names_its_processes() {
    Node node;
    for (const char* role : {"worker 1", "worker 2", "checkpointer", "replicator"})
      CPPUNIT_ASSERT(is_alive(node.child(role)));
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, node.children().size());
  }

  /// A dump of one crashed process would write log, base and index to the disk: gigabytes, of clients' data.
  void keeps_what_it_shares_out_of_core_dumps() {
    Node node;
    RawConnection connection(node.port());
    CPPUNIT_ASSERT(ask(connection, set_frame("k", "v") + get_frame("none"), 10) == kOk + kError);
    for (const pid_t pid : node.children()) {
      const std::vector<std::string> dumped = shared_mappings_in_a_dump(pid);
      CPPUNIT_ASSERT_MESSAGE(dumped.empty() ? "" : dumped.front(), dumped.empty());
    }
  }

 private:
  /// Mappings of /proc/PID/smaps that are shared and not flagged "dd" (do not dump). At least the log, the
  /// base and the shared memory must be seen.
  static std::vector<std::string> shared_mappings_in_a_dump(pid_t pid) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/smaps");
    std::vector<std::string> dumped;
    std::string mapping;
    int seen = 0;
    for (std::string line; std::getline(maps, line);) {
      if (line.find('-') < line.find(' ')) mapping = line;
      if (!line.starts_with("VmFlags:")) continue;
      const bool is_large =
          says(mapping, "changes.log") || says(mapping, "base.mdb") || says(mapping, "/dev/zero");
      if (!is_large || says(mapping, "base.mdb-lock")) continue;
      ++seen;
      if (!says(line + ' ', " dd ")) dumped.push_back(mapping);
    }
    CPPUNIT_ASSERT(seen >= 3);
    return dumped;
  }

  static bool reads_and_writes(const Node& node) {
    try {
      RawConnection connection(node.port());
      const std::string answers = value_answer("it") + kOk;
      return ask(connection, get_frame("before") + set_frame("after", "it"), answers.size()) == answers;
    } catch (const std::exception&) {
      return false;  // the connection was one of the dying worker's
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LifecycleTest, "lifecycle_test");

}  // namespace minivault::test
