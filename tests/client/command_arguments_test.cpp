// Goal: the command line means what the usage text says, and everything else is refused before anything is
// sent.

#include "common/client/command_arguments.h"

#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <vector>

#include "common/client/command_line.h"

namespace minivault::client {

using Action = Command::Action;
using Arguments = std::vector<std::string_view>;

class CommandArgumentsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CommandArgumentsTest);
  CPPUNIT_TEST(reads_each_command);
  CPPUNIT_TEST(takes_flags_anywhere_with_one_dash_or_two);
  CPPUNIT_TEST(takes_a_value_that_begins_with_a_dash);
  CPPUNIT_TEST(refuses_wrong_usage);
  CPPUNIT_TEST(reads_durations);
  CPPUNIT_TEST(knows_its_words);
  CPPUNIT_TEST_SUITE_END();

 public:
  void reads_each_command() {
    const Command get = parsed({"get", "localhost:3000", "k"});
    CPPUNIT_ASSERT(get.action == Action::kGet);
    CPPUNIT_ASSERT(get.address == (Address{"localhost", 3000}));
    CPPUNIT_ASSERT_EQUAL(std::string("k"), get.key);

    const Command set = parsed({"set", "localhost:3000", "k", "v"});
    CPPUNIT_ASSERT(set.action == Action::kSet);
    CPPUNIT_ASSERT_EQUAL(std::string("v"), set.value.value());
    CPPUNIT_ASSERT(!parsed({"set", "localhost:3000", "k"}).value);
    CPPUNIT_ASSERT_EQUAL(std::string(), parsed({"set", "localhost:3000", "k", ""}).value.value());

    CPPUNIT_ASSERT(parsed({"del", "localhost:3000", "k"}).action == Action::kDelete);
    CPPUNIT_ASSERT(parsed({"health", "http://localhost:3000"}).action == Action::kHealth);
  }

  void takes_flags_anywhere_with_one_dash_or_two() {
    const Command first = parsed({"set", "-auth", "secret", "--timeout=250ms", "h:1", "k", "-file", "/f"});
    CPPUNIT_ASSERT_EQUAL(std::string("secret"), first.auth_key);
    CPPUNIT_ASSERT_EQUAL(std::string("/f"), first.value_file.value());
    CPPUNIT_ASSERT(first.time_out == std::chrono::milliseconds(250));
    const Command second = parsed({"get", "h:1", "k", "--auth-file", "/key"});
    CPPUNIT_ASSERT_EQUAL(std::string("/key"), second.auth_file.value());
    CPPUNIT_ASSERT_EQUAL(std::string("a=b"), parsed({"get", "h:1", "k", "-auth=a=b"}).auth_key);
  }

  void takes_a_value_that_begins_with_a_dash() {
    CPPUNIT_ASSERT_EQUAL(std::string("-5"), parsed({"set", "h:1", "k", "--", "-5"}).value.value());
    CPPUNIT_ASSERT_EQUAL(std::string("-"), parsed({"set", "h:1", "k", "-"}).value.value());
  }

  void refuses_wrong_usage() {
    refused({}, "get, set, del, health");
    refused({"put", "h:1", "k"}, "get, set, del, health");
    refused({"get", "h:1"}, "get ADDRESS KEY");
    refused({"get", "h:1", "k", "v"}, "get ADDRESS KEY");
    refused({"health", "h:1", "k"}, "health ADDRESS");
    refused({"get", "h:1", ""}, "key is empty");
    refused({"get", "h", "k"}, "host:port");
    refused({"get", "h:1", "k", "-wat"}, "-wat");
    refused({"get", "h:1", "k", "-auth"}, "-auth needs a value");
    refused({"get", "h:1", "k", "-timeout", "5"}, "-timeout");
    refused({"get", "h:1", "k", "-file", "/f"}, "-file is for set");
    CPPUNIT_ASSERT(!parse_command(std::array<std::string_view, 3>{"get", "h:1", "k"})->of_quorum);
    const std::array<std::string_view, 5> quorum{"get", "-consistency", "quorum", "h:1", "k"};
    CPPUNIT_ASSERT(parse_command(quorum)->of_quorum);
    refused({"get", "h:1", "k", "-consistency=all"}, "-consistency: want local or quorum");
    refused({"set", "h:1", "k", "v", "-consistency", "quorum"}, "-consistency is for get");
    refused({"set", "h:1", "k", "v", "-file", "/f"}, "want one of them");
    refused({"get", "h:1", "k", "-auth", "a", "-auth-file", "/f"}, "want one of them");
    refused({"set", "h:1", "k", "-5"}, "after --");
  }

  void reads_durations() {
    using std::chrono::milliseconds;
    CPPUNIT_ASSERT(parse_duration("250ms").value() == milliseconds(250));
    CPPUNIT_ASSERT(parse_duration("5s").value() == milliseconds(5'000));
    CPPUNIT_ASSERT(parse_duration("2m").value() == milliseconds(120'000));
    CPPUNIT_ASSERT(parse_duration("1h").value() == milliseconds(3'600'000));
    CPPUNIT_ASSERT(parse_duration("1m30s").value() == milliseconds(90'000));
    for (const char* text : {"", "5", "s", "0", "0s", "-1s", "5 s", "5sx", "9999999999999999s"}) {
      CPPUNIT_ASSERT_MESSAGE(text, !parse_duration(text).has_value());
    }
  }

  void knows_its_words() {
    for (const char* word : {"get", "set", "del", "health"}) CPPUNIT_ASSERT_MESSAGE(word, is_command(word));
    for (const char* word : {"", "-port", "check", "GET", "delete"})
      CPPUNIT_ASSERT_MESSAGE(word, !is_command(word));
  }

 private:
  static Command parsed(const Arguments& arguments) {
    auto command = parse_command(arguments);
    CPPUNIT_ASSERT_MESSAGE(command ? "" : command.error().message, command.has_value());
    return *command;
  }

  static void refused(const Arguments& arguments, const std::string& naming) {
    const auto command = parse_command(arguments);
    CPPUNIT_ASSERT_MESSAGE(naming, !command.has_value());
    CPPUNIT_ASSERT(command.error().code == Code::kInvalidArgument);
    CPPUNIT_ASSERT_MESSAGE(command.error().message,
                           command.error().message.find(naming) != std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CommandArgumentsTest, "command_arguments_test");

}  // namespace minivault::client
