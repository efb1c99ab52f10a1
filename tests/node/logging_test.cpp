// Goal: the log holds no value and no secret, whatever happens; its settings do what they say, in all
// processes. Method: nodes at debug that are shown marked keys, values and secrets in every way, and killed;
// the lines of every one of their processes.

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"

namespace minivault::test {

namespace {

bool has(const std::string& line, const std::string& part) {
  return line.find(part) != std::string::npos;
}

std::size_t lines_with(const std::vector<std::string>& lines, const std::string& part) {
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(), [&](const std::string& line) { return has(line, part); }));
}

std::vector<std::string> node_command(const TemporaryDirectory& directory,
                                      const std::vector<std::string>& flags) {
  std::vector<std::string> command{minivault_binary(),
                                   "-config",
                                   directory.write("conf", ""),
                                   "-bind",
                                   "127.0.0.1",
                                   "-port",
                                   "0",
                                   "-data",
                                   directory.file("data"),
                                   "-log",
                                   "16",
                                   "-procs",
                                   "1"};
  command.insert(command.end(), flags.begin(), flags.end());
  return command;
}

}  // namespace

class LoggingTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LoggingTest);
  CPPUNIT_TEST(holds_no_value_and_no_secret);
  CPPUNIT_TEST(json_lines_are_json);
  CPPUNIT_TEST(the_journal_gets_priorities);
  CPPUNIT_TEST(a_reload_changes_the_level);
  CPPUNIT_TEST(refuses_what_it_does_not_know);
  CPPUNIT_TEST_SUITE_END();

 public:
  void holds_no_value_and_no_secret() {
    const std::string secret = "SECRET-7f3a";
    const std::string value = "VALUE-91bc";
    const std::string wrong = "WRONG-55aa";
    Node node({.flags = {"-auth", secret, "-authmode", "all", "-log-level", "debug", "-slowlog", "1ms"}});
    const Headers bearer{"Authorization: Bearer " + secret};
    talk(node, secret, value, wrong);
    for (const pid_t pid : node.children("worker")) ::kill(pid, SIGKILL);
    eventually("a worker serves again", [&] {
      try {
        return http(node.port(), http_request("GET", "/KEY", bearer)).status == 200;
      } catch (const std::runtime_error&) {
        return false;
      }
    });
    node.reload();
    talk(node, secret, value, wrong);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    const std::vector<std::string> lines = node.supervisor().lines();
    CPPUNIT_ASSERT(lines_with(lines, "slow_operation") > 0);
    CPPUNIT_ASSERT_MESSAGE("keys are told at debug", lines_with(lines, "key=KEY") > 0);
    for (const std::string& never : {secret, value, wrong}) {
      CPPUNIT_ASSERT_EQUAL_MESSAGE(never, std::size_t{0}, lines_with(lines, never));
    }
  }

  void json_lines_are_json() {
    const TemporaryDirectory directory;
    ChildProcess node(node_command(directory, {"-log-format", "json"}), {});
    CPPUNIT_ASSERT(node.line([](const std::string& line) { return has(line, R"("event":"ready")"); }));
    node.signal(SIGTERM);
    CPPUNIT_ASSERT_EQUAL(0, node.wait());
    std::size_t numbers = 0;
    for (const std::string& line : node.lines()) {
      const auto json = parse_json(line);
      for (const char* name : {"time", "level", "role", "event"}) {
        CPPUNIT_ASSERT_MESSAGE(line, json.IsObject() && json.HasMember(name) && json[name].IsString());
      }
      CPPUNIT_ASSERT_MESSAGE(line, json["process"].IsInt());
      numbers += json.HasMember("port") && json["port"].IsInt() ? 1 : 0;
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, numbers);
    for (const char* role : {"supervisor", "checkpointer", "worker 1"}) {
      CPPUNIT_ASSERT(lines_with(node.lines(), '"' + std::string(role) + '"') > 0);
    }
  }

  void the_journal_gets_priorities() {
    const TemporaryDirectory directory;
    std::vector<std::string> command{"/bin/sh", "-c",
                                     "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"", "sh"};
    const std::vector<std::string> itself = node_command(directory, {});
    command.insert(command.end(), itself.begin(), itself.end());
    ChildProcess node(command, {});
    CPPUNIT_ASSERT(node.line([](const std::string& line) { return has(line, "] ready "); }));
    node.signal(SIGTERM);
    CPPUNIT_ASSERT_EQUAL(0, node.wait());
    for (const std::string& line : node.lines()) {
      // Run by root, it warns.
      CPPUNIT_ASSERT_MESSAGE(line, line.starts_with("<6>info ") || line.starts_with("<4>warning "));
    }
  }

  void a_reload_changes_the_level() {
    Node node;
    const std::vector<pid_t> before = node.children("worker");
    (void)node.directory().write("minivault.conf", "log-level = warning\n");
    node.supervisor().signal(SIGHUP);
    eventually("the workers are replaced", [&] {
      const std::vector<pid_t> now = node.children("worker");
      return now.size() == 2 && std::none_of(now.begin(), now.end(), [&](pid_t pid) {
               return std::find(before.begin(), before.end(), pid) != before.end();
             });
    });
    const std::size_t seen = node.supervisor().lines().size();
    ::kill(node.children("worker").front(), SIGKILL);
    const auto died = node.supervisor().line([](const std::string& line) { return has(line, "child_died"); });
    CPPUNIT_ASSERT(died.has_value());
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    const std::vector<std::string> lines = node.supervisor().lines();
    for (std::size_t i = seen; i < lines.size(); ++i) {
      CPPUNIT_ASSERT_MESSAGE(lines[i], !has(lines[i], "Z info "));
    }
  }

  void refuses_what_it_does_not_know() {
    for (const auto& [flag, value] :
         {std::pair{"-log-level", "loud"}, {"-log-format", "xml"}, {"-slowlog", "10"}}) {
      const Finished finished = run({minivault_binary(), flag, value, "-check-config"});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(flag, 2, finished.status);
      CPPUNIT_ASSERT_MESSAGE(finished.err, has(finished.err, std::string(flag).substr(1)));
    }
  }

 private:
  /// Everything in which a value or a secret travels, some of it slow.
  static void talk(const Node& node, const std::string& secret, const std::string& value,
                   const std::string& wrong) {
    const pid_t checkpointer = node.child("checkpointer");
    suspend(checkpointer);
    RawConnection connection(node.port());
    CPPUNIT_ASSERT_EQUAL(kError, connection.exchange(auth_frame(wrong), 5));
    CPPUNIT_ASSERT_EQUAL(kError, connection.exchange(set_frame("KEY", value), 5));
    CPPUNIT_ASSERT_EQUAL(kOk, connection.exchange(auth_frame(secret), 5));
    connection.send(set_frame("KEY", value));
    CPPUNIT_ASSERT(connection.silent_for(milliseconds(20)));
    ::kill(checkpointer, SIGCONT);
    CPPUNIT_ASSERT_EQUAL(kOk, connection.receive(5));
    CPPUNIT_ASSERT_EQUAL(kError, connection.exchange(set_frame("KEY", value, '\1'), 5));
    CPPUNIT_ASSERT_EQUAL(value_answer(value), connection.exchange(get_frame("KEY"), 5 + value.size()));
    const Headers bearer{"Authorization: Bearer " + secret};
    const Headers bad{"Authorization: Bearer " + wrong};
    assert_done(http(node.port(), http_upload("PUT", "/KEY", "{\"value\":\"" + value + "\"}", bearer)));
    assert_refused(http(node.port(), http_upload("PUT", "/KEY", "{\"value\":" + value + "}", bearer)), 400);
    assert_refused(http(node.port(), http_request("GET", "/KEY", bad)), 401);
    assert_refused(http(node.port(), http_request("GET", "/metrics", bad)), 401);
    CPPUNIT_ASSERT_EQUAL(kError, RawConnection(node.port()).exchange('\7' + value, 5));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LoggingTest, "logging_test");

}  // namespace minivault::test
