// Goal: `minivault status|config|reload|drain` say what is and do what they say, exit status included;
// nothing that they ask for shows a key. Method: the real commands against real nodes and a real cluster of
// two.

#include <cppunit/extensions/HelperMacros.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {
namespace {

bool says(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

Finished command(std::vector<std::string> words, const Environment& environment = {}) {
  words.insert(words.begin(), minivault_binary());
  return run(words, "", environment);
}

void assert_status(int status, const Finished& finished) {
  CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.out + finished.err, status, finished.status);
}

/// One line on standard error, with this in it.
void assert_refused(int status, const Finished& finished, const std::string& why) {
  assert_status(status, finished);
  CPPUNIT_ASSERT_MESSAGE(finished.err, says(finished.err, why));
  CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.err, finished.err.size() - 1, finished.err.find('\n'));
}

std::string nobody() {
  return "127.0.0.1:" + std::to_string(free_port());
}

/// Two nodes that know each other.
struct Pair {
  Pair() {
    for (int i = 0; i < 2; ++i) addresses.push_back(nobody());
    const std::string list = addresses[0] + "," + addresses[1];
    for (const std::string& address : addresses) {
      const std::vector<std::string> flags{"-port", address.substr(address.find(':') + 1), "-public-url",
                                           address};
      nodes.push_back(
          std::make_unique<Node>(NodeOptions{.flags = flags, .environment = {{"CLUSTER_NODES", list}}}));
    }
  }
  std::vector<std::string> addresses;
  std::vector<std::unique_ptr<Node>> nodes;
};

}  // namespace

class OperationsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(OperationsTest);
  CPPUNIT_TEST(status_finds_every_node);
  CPPUNIT_TEST(status_tells_by_its_exit);
  CPPUNIT_TEST(status_watches);
  CPPUNIT_TEST(config_of_a_node_is_what_it_was_started_with);
  CPPUNIT_TEST(config_needs_the_key);
  CPPUNIT_TEST(config_of_flags_is_what_a_node_would_have);
  CPPUNIT_TEST(reload_waits_until_it_is_done);
  CPPUNIT_TEST(reload_says_why_not);
  CPPUNIT_TEST(drain_ends_the_node_in_order);
  CPPUNIT_TEST(a_second_drain_waits_with_the_first);
  CPPUNIT_TEST(without_a_node_it_says_so);
  CPPUNIT_TEST(somebody_else_may_not);
  CPPUNIT_TEST(answers_carry_the_date);
  CPPUNIT_TEST_SUITE_END();

 public:
  void status_finds_every_node() {
    Pair pair;
    Finished table;
    eventually("both are healthy", [&] {
      table = command({"status", pair.addresses[0]});
      return table.status == 0;
    });
    CPPUNIT_ASSERT_EQUAL_MESSAGE(table.out, std::ptrdiff_t{3},
                                 std::count(table.out.begin(), table.out.end(), '\n'));
    for (const std::string& address : pair.addresses)
      CPPUNIT_ASSERT_MESSAGE(table.out, says(table.out, address));
    CPPUNIT_ASSERT_MESSAGE(table.out, says(table.out, "2/2"));

    // Each worker keeps its health for a moment: another one may still say what was before.
    Finished json;
    eventually("both say so", [&] {
      json = command({"status", "-json", pair.addresses[1], pair.addresses[0]});
      return json.status == 0;
    });
    const auto parsed = parse_json(json.out);
    CPPUNIT_ASSERT_EQUAL(rapidjson::SizeType{2}, parsed["nodes"].Size());
    CPPUNIT_ASSERT_EQUAL(pair.addresses[1], std::string(parsed["nodes"][0]["address"].GetString()));
    for (const auto& node : parsed["nodes"].GetArray()) {
      CPPUNIT_ASSERT_EQUAL(std::string("healthy"), std::string(node["status"].GetString()));
      CPPUNIT_ASSERT_EQUAL(std::string(node["node"].GetString()),
                           std::string(node["health"]["node"].GetString()));
    }
    // By another name of the same node, it is still two.
    const std::string other = "localhost" + pair.addresses[0].substr(pair.addresses[0].find(':'));
    CPPUNIT_ASSERT_EQUAL(rapidjson::SizeType{2},
                         parse_json(command({"status", "-json", other}).out)["nodes"].Size());
  }

  void status_tells_by_its_exit() {
    Pair pair;
    eventually("both are healthy", [&] { return command({"status", pair.addresses[0]}).status == 0; });
    CPPUNIT_ASSERT_EQUAL(0, pair.nodes[1]->stop());
    const Finished half = command({"status", pair.addresses[0]});
    assert_status(1, half);
    CPPUNIT_ASSERT_MESSAGE(half.out, says(half.out, "unreachable") && says(half.out, pair.addresses[1]));
    CPPUNIT_ASSERT_EQUAL(0, pair.nodes[0]->stop());
    assert_status(7, command({"status", pair.addresses[0], pair.addresses[1]}));
    assert_refused(2, command({"status"}), "want the ADDRESS");
    assert_status(2, command({"repair", "-json", pair.addresses[0]}));
  }

  /// Until nobody reads it any more.
  void status_watches() {
    const Node node;
    const Finished twice =
        run({"/bin/sh", "-c", "\"$0\" status -watch \"$1\" | head -n 4", minivault_binary(), node.address()});
    assert_status(0, twice);
    const std::size_t first = twice.out.find("ADDRESS");
    CPPUNIT_ASSERT(first == 0 && twice.out.find("ADDRESS", 1) != std::string::npos);
  }

  void config_of_a_node_is_what_it_was_started_with() {
    Node node({.flags = {"-auth", "secret"}, .environment = {{"MINIVAULT_RATELIMIT", "777"}}});
    (void)node.directory().write("minivault.conf", "write-timeout = 7s\n");
    const Finished before = command({"config", node.address(), "-auth", "secret"});
    assert_status(0, before);
    CPPUNIT_ASSERT_MESSAGE(before.out,
                           has_line(before.out, "ratelimit = 777", "environment MINIVAULT_RATELIMIT"));
    CPPUNIT_ASSERT_MESSAGE(before.out, has_line(before.out, "procs = 2", "flag -procs"));
    CPPUNIT_ASSERT_MESSAGE(before.out, has_line(before.out, "write-timeout = 5s", "default"));
    CPPUNIT_ASSERT_MESSAGE(before.out, says(before.out, "# auth = (hidden)") && !says(before.out, "secret"));
    node.reload();
    const Finished after = command({"config", "-auth", "secret", node.address()});
    CPPUNIT_ASSERT_MESSAGE(after.out, has_line(after.out, "write-timeout = 7s", "minivault.conf:1"));
    (void)node.directory().write("minivault.conf", "sync = none\n");
    node.reload();
    const Finished kept = command({"config", "-auth", "secret", node.address()});
    CPPUNIT_ASSERT_MESSAGE(kept.out, says(kept.out, "# sync: as before, until the next start"));
  }

  void config_needs_the_key() {
    const Node node({.flags = {"-auth", "secret", "-authmode", "none"}});
    CPPUNIT_ASSERT_EQUAL(401, http(node.port(), http_request("GET", "/_/config")).status);
    const Finished refused = command({"config", node.address()});
    assert_refused(1, refused, "unauthorized");
    CPPUNIT_ASSERT_EQUAL(
        405,
        http(node.port(), http_upload("PUT", "/_/config", "x", {"Authorization: Bearer secret"})).status);
    assert_refused(1, command({"config", nobody()}), "refused");
  }

  void config_of_flags_is_what_a_node_would_have() {
    const Environment environment{{"MINIVAULT_CACHE", "9MB"}};
    const std::vector<std::string> flags{"-config", "", "-port", "4711"};
    std::vector<std::string> config{"config"};
    config.insert(config.end(), flags.begin(), flags.end());
    const Finished shown = command(config, environment);
    assert_status(0, shown);
    CPPUNIT_ASSERT_MESSAGE(shown.out, has_line(shown.out, "port = 4711", "flag -port"));
    std::vector<std::string> check = flags;
    check.emplace_back("-check-config");
    CPPUNIT_ASSERT_EQUAL(command(check, environment).out, shown.out);
    assert_refused(2, command({"config", "-config", "", "-port", "many"}), "port (flag -port)");
  }

  void reload_waits_until_it_is_done() {
    const Node node;
    for (int round = 0; round < 3; ++round) {
      const std::vector<pid_t> before = node.children("worker");
      const Finished done = command({"reload", node.data()});
      assert_status(0, done);
      CPPUNIT_ASSERT_EQUAL(std::string("reloaded\n"), done.out);
      const std::vector<pid_t> after = node.children("worker");
      CPPUNIT_ASSERT_EQUAL(std::size_t{2}, after.size());
      for (const pid_t pid : after) CPPUNIT_ASSERT(std::count(before.begin(), before.end(), pid) == 0);
    }
    // Where the configuration says which directory is meant.
    assert_status(0,
                  command({"reload"}, {{"MINIVAULT_DATA", node.data()}, {"MINIVAULT_CONFIG", "/dev/null"}}));
  }

  void reload_says_why_not() {
    const Node node;
    const std::vector<pid_t> before = node.children();
    (void)node.directory().write("minivault.conf", "authmode = nonsense\n");
    assert_refused(1, command({"reload", node.data()}), "authmode");
    CPPUNIT_ASSERT(node.children() == before);
    (void)node.directory().write("minivault.conf", "");
    assert_status(0, command({"reload", node.data()}));
  }

  void drain_ends_the_node_in_order() {
    Node node;
    RawConnection connection(node.port());
    CPPUNIT_ASSERT(connection.exchange(set_frame("k", "v"), 5) == kOk);
    const Finished done = command({"drain", node.data()});
    assert_status(0, done);
    CPPUNIT_ASSERT_EQUAL(std::string("drained and stopped\n"), done.out);
    CPPUNIT_ASSERT_EQUAL(0, node.supervisor().wait());
    node.start();
    RawConnection again(node.port());
    CPPUNIT_ASSERT(again.exchange(get_frame("k"), 6) == value_answer("v"));
  }

  /// A request that is not whole keeps the drain waiting; hurried, the node would end without its answer.
  void a_second_drain_waits_with_the_first() {
    Node node;
    RawConnection slow(node.port());
    CPPUNIT_ASSERT(slow.exchange(set_frame("k", "v"), 5) == kOk);
    const std::string request = set_frame("k", "later");
    slow.send(request.substr(0, 8));
    const Finished first = command({"drain", node.data(), "-timeout", "100ms"});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(first.err, 1, first.status);
    const Finished second = command({"drain", node.data(), "-timeout", "100ms"});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(second.err, 1, second.status);
    CPPUNIT_ASSERT_MESSAGE(second.err, says(second.err, "still draining"));
    slow.send(request.substr(8));
    CPPUNIT_ASSERT(slow.receive_until_close() == kOk);
    CPPUNIT_ASSERT_EQUAL(0, node.supervisor().wait());
  }

  void without_a_node_it_says_so() {
    Node node;
    const std::string data = node.data();
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    for (const char* word : {"reload", "drain"}) {
      assert_refused(7, command({word, data}), "no node runs on " + data);
      assert_refused(7, command({word, "/no/such/directory"}), "no node runs on /no/such/directory");
      assert_refused(2, command({word, data, data}), "want one DATA");
    }
    node.start();
    node.kill();
    assert_refused(7, command({"drain", data}), "no node runs on " + data);
    node.start();
  }

  /// Root can be somebody else for a moment; who is not root meets a node of their own, which they may end.
  void somebody_else_may_not() {
    Node node;
    if (::geteuid() != 0) return assert_status(0, command({"drain", node.data()}));
    const TemporaryDirectory open;
    CPPUNIT_ASSERT_EQUAL(0, ::chmod(open.path().c_str(), 0755));
    const std::string program = open.file("minivault");  // where others can reach it
    std::filesystem::copy_file(minivault_binary(), program);
    const Finished refused =
        run({"/usr/bin/setpriv", "--reuid", "nobody", "--clear-groups", program, "drain", node.data()});
    assert_status(4, refused);
    CPPUNIT_ASSERT_MESSAGE(refused.err, says(refused.err, "Permission denied"));
    RawConnection connection(node.port());
    CPPUNIT_ASSERT(connection.exchange(set_frame("k", "v"), 5) == kOk);
  }

  void answers_carry_the_date() {
    const Node node;
    for (const char* target : {"/health", "/no-such-key", "/_/config", "/%zz"}) {
      const HttpResponse answer = http(node.port(), http_request("GET", target));
      CPPUNIT_ASSERT_MESSAGE(target, answer.header("date").ends_with(" GMT"));
      CPPUNIT_ASSERT_EQUAL(std::string("Thu, 01 Jan 1970 00:00:00 GMT").size(), answer.header("date").size());
    }
  }

 private:
  /// A line that begins with `setting` and ends with its origin.
  static bool has_line(const std::string& text, const std::string& setting, const std::string& origin) {
    const std::size_t at = ("\n" + text).find("\n" + setting + " ");
    if (at == std::string::npos) return false;
    return text.substr(at, text.find('\n', at) - at).ends_with(origin);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(OperationsTest, "operations_test");

}  // namespace minivault::test
