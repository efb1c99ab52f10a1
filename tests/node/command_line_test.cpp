// Goal: `minivault get|set|del|health` does what its usage says, exit status and streams included.
// Method: the real binary as a client of a real node.

#include <cppunit/extensions/HelperMacros.h>

#include <random>

#include "tests/support/bytes.h"
#include "tests/support/http.h"
#include "tests/support/node.h"
#include "tests/support/seed.h"

namespace minivault::test {

class CommandLineTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CommandLineTest);
  CPPUNIT_TEST(sets_gets_and_deletes);
  CPPUNIT_TEST(carries_any_bytes);
  CPPUNIT_TEST(prints_health);
  CPPUNIT_TEST(authenticates);
  CPPUNIT_TEST(says_why_it_did_not);
  CPPUNIT_TEST(explains_wrong_usage);
  CPPUNIT_TEST(helps_when_asked);
  CPPUNIT_TEST_SUITE_END();

 public:
  void sets_gets_and_deletes() {
    const Node node;
    assert_silent(client({"set", node.address(), "key", "hello world"}));
    const Finished got = client({"get", node.address(), "key"});
    CPPUNIT_ASSERT_EQUAL(0, got.status);
    CPPUNIT_ASSERT_EQUAL(std::string("hello world"), got.out);  // no newline added: not a terminal
    CPPUNIT_ASSERT_EQUAL(std::string("hello world"),
                         client({"get", "http://" + node.address() + "/", "key"}).out);
    assert_silent(client({"del", node.address(), "key"}));
    assert_silent(client({"del", node.address(), "key"}));
    assert_failed(client({"get", node.address(), "key"}), 1, "not found");
  }

  void carries_any_bytes() {
    const Node node;
    std::mt19937_64 random(seed());
    const std::string bytes = random_bytes(random, 1'000'000);
    assert_silent(client({"set", node.address(), "stdin"}, bytes));
    CPPUNIT_ASSERT(client({"get", node.address(), "stdin"}).out == bytes);
    assert_silent(client({"set", node.address(), "file", "-file", node.directory().write("value", bytes)}));
    CPPUNIT_ASSERT(client({"get", node.address(), "file"}).out == bytes);
    assert_silent(client({"set", node.address(), "empty"}, ""));
    const Finished empty = client({"get", node.address(), "empty"});
    CPPUNIT_ASSERT_EQUAL(0, empty.status);
    CPPUNIT_ASSERT_EQUAL(std::string(), empty.out);
  }

  void prints_health() {
    const Node node;
    const Finished health = client({"health", node.address()});
    CPPUNIT_ASSERT_EQUAL(0, health.status);
    CPPUNIT_ASSERT_EQUAL(std::string("healthy"), std::string(parse_json(health.out)["status"].GetString()));
  }

  void authenticates() {
    const Node node({.flags = {"-auth", "secret", "-authmode", "all"}});
    assert_failed(client({"set", node.address(), "k", "v"}), 1, "refused");
    assert_failed(client({"get", node.address(), "k", "-auth", "wrong"}), 1, "key was refused");
    assert_silent(client({"set", node.address(), "k", "v", "-auth", "secret"}));
    const std::string file = node.directory().write("key", "secret\n");
    CPPUNIT_ASSERT_EQUAL(std::string("v"), client({"get", node.address(), "k", "--auth-file=" + file}).out);
    CPPUNIT_ASSERT_EQUAL(0, client({"health", node.address()}).status);  // health is public
  }

  void says_why_it_did_not() {
    const std::string nobody = "127.0.0.1:" + std::to_string(free_port());
    assert_failed(client({"get", nobody, "k"}), 1, "refused");
    assert_failed(client({"health", nobody}), 1, nobody);
    assert_failed(client({"set", nobody, "k", "-file", "/no/such/file"}), 1, "/no/such/file");
    assert_failed(client({"get", nobody, "k", "-auth-file", "/no/such/file"}), 1, "/no/such/file");
  }

  void explains_wrong_usage() {
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"get"},
                                               {"get", "localhost:1"},
                                               {"set", "localhost:1"},
                                               {"health"},
                                               {"get", "localhost", "k"},
                                               {"del", "localhost:1", "k", "v"},
                                               {"get", "localhost:1", "k", "-wat"}}) {
      const Finished finished = client(words);
      CPPUNIT_ASSERT_EQUAL(2, finished.status);
      CPPUNIT_ASSERT(finished.err.find("usage: minivault get") != std::string::npos);
      CPPUNIT_ASSERT_EQUAL(std::string(), finished.out);
    }
  }

  void helps_when_asked() {
    for (const char* flag : {"-help", "--help", "-h"}) {
      const Finished finished = client({"get", flag});
      CPPUNIT_ASSERT_EQUAL(0, finished.status);
      CPPUNIT_ASSERT(finished.out.starts_with("usage: minivault get"));
      CPPUNIT_ASSERT_EQUAL(std::string(), finished.err);
    }
    // Behind -- it is a value: here, of a node that is not there.
    const std::string nobody = "127.0.0.1:" + std::to_string(free_port());
    assert_failed(client({"set", nobody, "k", "--", "-help"}), 1, "refused");
  }

 private:
  static Finished client(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), minivault_binary());
    return run(words, input);
  }

  static void assert_silent(const Finished& finished) {
    CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.err, 0, finished.status);
    CPPUNIT_ASSERT_EQUAL(std::string(), finished.out + finished.err);
  }

  /// One line on standard error that says why, nothing on standard output.
  static void assert_failed(const Finished& finished, int status, const std::string& why) {
    CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.err, status, finished.status);
    CPPUNIT_ASSERT_EQUAL(std::string(), finished.out);
    CPPUNIT_ASSERT_MESSAGE(finished.err, finished.err.find(why) != std::string::npos);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.err, finished.err.size() - 1, finished.err.find('\n'));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CommandLineTest, "command_line_test");

}  // namespace minivault::test
