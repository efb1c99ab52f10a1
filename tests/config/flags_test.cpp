// The two texts that settings are written in: the command line as Go's flag package reads it, and the file.

#include "common/config/flags.h"

#include <cppunit/extensions/HelperMacros.h>

#include <vector>

using namespace minivault;
using namespace minivault::settings;

namespace {

using Arguments = std::vector<const char*>;

CommandLine flags(const Arguments& arguments) {
  const auto result = parse_flags(arguments);
  CPPUNIT_ASSERT_MESSAGE(result ? "" : result.error().message, result.has_value());
  return *result;
}

std::string flags_error(const Arguments& arguments) {
  const auto result = parse_flags(arguments);
  CPPUNIT_ASSERT_MESSAGE("was accepted", !result.has_value());
  CPPUNIT_ASSERT(result.error().code == Code::kInvalidArgument);
  CPPUNIT_ASSERT(result.error().message.find('\n') == std::string::npos);
  return result.error().message;
}

GivenSettings file(std::string_view content) {
  const auto result = parse_config_file("mv.conf", content);
  CPPUNIT_ASSERT_MESSAGE(result ? "" : result.error().message, result.has_value());
  return *result;
}

std::string file_error(std::string_view content) {
  const auto result = parse_config_file("mv.conf", content);
  CPPUNIT_ASSERT_MESSAGE("was accepted", !result.has_value());
  CPPUNIT_ASSERT(result.error().code == Code::kInvalidArgument);
  return result.error().message;
}

}  // namespace

class FlagsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FlagsTest);
  CPPUNIT_TEST(all_four_forms_of_a_flag);
  CPPUNIT_TEST(every_setting_is_a_flag);
  CPPUNIT_TEST(a_value_may_begin_with_a_dash_or_be_empty);
  CPPUNIT_TEST(switches_take_a_value_only_behind_equals);
  CPPUNIT_TEST(the_last_of_equal_flags_counts);
  CPPUNIT_TEST(actions);
  CPPUNIT_TEST(unknown_flags_and_words_are_named);
  CPPUNIT_TEST(a_missing_value_is_named);
  CPPUNIT_TEST(file_lines_comments_and_blanks);
  CPPUNIT_TEST(file_without_a_last_newline_and_with_carriage_returns);
  CPPUNIT_TEST(file_errors_name_the_line);
  CPPUNIT_TEST(a_broken_line_is_not_shown);
  CPPUNIT_TEST(quoted_is_one_short_line);
  CPPUNIT_TEST_SUITE_END();

 public:
  void all_four_forms_of_a_flag() {
    const Given expected{"80", "flag -port"};
    CPPUNIT_ASSERT(flags({"-port", "80"}).given.at("port") == expected);
    CPPUNIT_ASSERT(flags({"-port=80"}).given.at("port") == expected);
    CPPUNIT_ASSERT(flags({"--port", "80"}).given.at("port") == expected);
    CPPUNIT_ASSERT(flags({"--port=80"}).given.at("port") == expected);
    CPPUNIT_ASSERT(flags({}).given.empty());
  }

  void every_setting_is_a_flag() {
    for (const Setting& setting : all_settings()) {
      const std::string flag = "-" + std::string(setting.name) + "=x";
      CPPUNIT_ASSERT_EQUAL(std::string("x"), flags({flag.c_str()}).given.at(std::string(setting.name)).text);
    }
  }

  void a_value_may_begin_with_a_dash_or_be_empty() {
    CPPUNIT_ASSERT_EQUAL(std::string("-port"), flags({"-auth", "-port"}).given.at("auth").text);
    CPPUNIT_ASSERT_EQUAL(std::string(""), flags({"-auth", ""}).given.at("auth").text);
    CPPUNIT_ASSERT_EQUAL(std::string(""), flags({"-auth="}).given.at("auth").text);
    CPPUNIT_ASSERT_EQUAL(std::string("a=b"), flags({"-auth=a=b"}).given.at("auth").text);
  }

  void switches_take_a_value_only_behind_equals() {
    CPPUNIT_ASSERT_EQUAL(std::string("true"), flags({"-async"}).given.at("async").text);
    CPPUNIT_ASSERT_EQUAL(std::string("false"), flags({"-async=false"}).given.at("async").text);
    const auto both = flags({"--async", "-port", "80"});
    CPPUNIT_ASSERT_EQUAL(std::string("80"), both.given.at("port").text);
    CPPUNIT_ASSERT_EQUAL(
        std::string(
            "unexpected argument \"false\": the value of a switch needs an equals sign, -async=false"),
        flags_error({"-async", "false"}));
  }

  void the_last_of_equal_flags_counts() {
    CPPUNIT_ASSERT_EQUAL(std::string("2"), flags({"-port", "1", "--port=2"}).given.at("port").text);
  }

  void actions() {
    CPPUNIT_ASSERT(flags({}).action == Action::kRun);
    CPPUNIT_ASSERT(flags({"-help"}).action == Action::kHelp);
    CPPUNIT_ASSERT(flags({"-h"}).action == Action::kHelp);
    CPPUNIT_ASSERT(flags({"--version"}).action == Action::kVersion);
    CPPUNIT_ASSERT(flags({"-port", "80", "-check-config"}).action == Action::kCheckConfig);
    CPPUNIT_ASSERT(flags({"-check-config=false"}).action == Action::kRun);
    CPPUNIT_ASSERT(flags({"-help", "rubbish"}).action == Action::kHelp);
    CPPUNIT_ASSERT_EQUAL(
        std::string("version (flag -version): \"maybe\" is not accepted; accepted: true or false"),
        flags_error({"-version=maybe"}));
  }

  void unknown_flags_and_words_are_named() {
    CPPUNIT_ASSERT_EQUAL(std::string("unknown flag \"-prot\"; see minivault -help"),
                         flags_error({"-prot", "80"}));
    CPPUNIT_ASSERT_EQUAL(std::string("unknown flag \"-Port=80\"; see minivault -help"),
                         flags_error({"-Port=80"}));
    CPPUNIT_ASSERT_EQUAL(std::string("unknown flag \"---port\"; see minivault -help"),
                         flags_error({"---port"}));
    CPPUNIT_ASSERT_EQUAL(std::string("unknown flag \"-=1\"; see minivault -help"), flags_error({"-=1"}));
    for (const char* word : {"start", "-", "--", ""}) {
      CPPUNIT_ASSERT_EQUAL(
          "unexpected argument \"" + std::string(word) + "\": a flag begins with a dash; see minivault -help",
          flags_error({word}));
    }
  }

  void a_missing_value_is_named() {
    CPPUNIT_ASSERT_EQUAL(
        std::string("port (flag -port): the value is missing; accepted: a number from 0 to 65535"),
        flags_error({"-async", "-port"}));
  }

  void file_lines_comments_and_blanks() {
    const auto given =
        file("# a comment\n\n  port = 80  # another\n\tauth=a=b#c\nasync = true\nauth-file =\n");
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, given.size());
    CPPUNIT_ASSERT((given.at("port") == Given{"80", "mv.conf:3"}));
    CPPUNIT_ASSERT((given.at("auth") == Given{"a=b#c", "mv.conf:4"}));
    CPPUNIT_ASSERT((given.at("async") == Given{"true", "mv.conf:5"}));
    CPPUNIT_ASSERT((given.at("auth-file") == Given{"", "mv.conf:6"}));
    CPPUNIT_ASSERT(file("").empty());
    CPPUNIT_ASSERT(file("\n\n#").empty());
  }

  void file_without_a_last_newline_and_with_carriage_returns() {
    const auto given = file("port = 80\r\n\r\nhttp = 81");
    CPPUNIT_ASSERT_EQUAL(std::string("80"), given.at("port").text);
    CPPUNIT_ASSERT((given.at("http") == Given{"81", "mv.conf:3"}));
  }

  void file_errors_name_the_line() {
    CPPUNIT_ASSERT_EQUAL(std::string("mv.conf:2: unknown setting \"prot\"; see minivault -help"),
                         file_error("# one\nprot = 80\n"));
    CPPUNIT_ASSERT_EQUAL(std::string("mv.conf:3: port is already set at mv.conf:1"),
                         file_error("port = 80\nhttp = 81\nport = 80\n"));
    CPPUNIT_ASSERT_EQUAL(std::string("mv.conf:1: unknown setting \"\"; see minivault -help"),
                         file_error("= 80"));
    CPPUNIT_ASSERT_EQUAL(std::string("mv.conf:1: port: a value is written without quotes"),
                         file_error("port = \"80\""));
    for (const std::string name : {"config", "accept-loss"}) {
      CPPUNIT_ASSERT_EQUAL("mv.conf:1: " + name + " is taken from a flag or the environment, not from a file",
                           file_error(name + " = true"));
    }
    CPPUNIT_ASSERT_EQUAL(std::string("mv.conf:1: unknown setting \"help\"; see minivault -help"),
                         file_error("help = true"));
  }

  void a_broken_line_is_not_shown() {
    CPPUNIT_ASSERT_EQUAL(std::string("mv.conf:1: expected name = value"), file_error("auth secret"));
  }

  void quoted_is_one_short_line() {
    CPPUNIT_ASSERT_EQUAL(std::string("\"a?b\""), quoted("a\nb"));
    CPPUNIT_ASSERT_EQUAL('"' + std::string(200, 'x') + "...\"", quoted(std::string(5000, 'x')));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FlagsTest, "flags_test");
