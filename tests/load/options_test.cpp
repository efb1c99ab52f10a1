// Goal: every flag reaches its option, and a wrong one is named.

#include "common/load/options.h"

#include <cppunit/extensions/HelperMacros.h>

#include "common/load/report.h"

namespace minivault::load {
namespace {

Result<Options> parse(std::vector<std::string_view> words) {
  return parse_options(words);
}

}  // namespace

class OptionsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(OptionsTest);
  CPPUNIT_TEST(an_address_is_enough);
  CPPUNIT_TEST(takes_every_flag);
  CPPUNIT_TEST(names_what_is_wrong);
  CPPUNIT_TEST(help_names_every_flag);
  CPPUNIT_TEST(reports_its_figures);
  CPPUNIT_TEST_SUITE_END();

 public:
  void an_address_is_enough() {
    const auto options = parse({"localhost:3000"});
    CPPUNIT_ASSERT(options.has_value());
    CPPUNIT_ASSERT(options->servers == (std::vector<client::Address>{{"localhost", 3000}}));
    CPPUNIT_ASSERT(options->protocol == Protocol::kBinary);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{50}, options->connections);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, options->get_percent);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, options->rate);
  }

  void takes_every_flag() {
    const auto options = parse({"-protocol",
                                "resp",
                                "a:1",
                                "-connections=7",
                                "--idle",
                                "8",
                                "-threads",
                                "2",
                                "-pipeline",
                                "64",
                                "-value-size",
                                "10K",
                                "-keys",
                                "5",
                                "-distribution=zipf",
                                "-get",
                                "0",
                                "-seed",
                                "3",
                                "b:2",
                                "-duration",
                                "250ms",
                                "-requests",
                                "9",
                                "-rate",
                                "10",
                                "-preload",
                                "-verify",
                                "-errors-ok",
                                "--json",
                                "-auth",
                                "-k",
                                "-server-pid",
                                "1",
                                "-server-pid=2",
                                "-settle",
                                "1s"});
    CPPUNIT_ASSERT_MESSAGE(options ? "" : options.error().message, options.has_value());
    CPPUNIT_ASSERT(options->servers == (std::vector<client::Address>{{"a", 1}, {"b", 2}}));
    CPPUNIT_ASSERT(options->protocol == Protocol::kResp && options->distribution == Distribution::kZipf);
    CPPUNIT_ASSERT(options->connections == 7 && options->idle == 8 && options->threads == 2);
    CPPUNIT_ASSERT(options->pipeline == 64 && options->keys == 5 && options->get_percent == 0);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10'240}, options->value_bytes);
    CPPUNIT_ASSERT(options->seed == 3 && options->requests == 9 && options->rate == 10);
    CPPUNIT_ASSERT(options->duration.count() == 250 && options->settle.count() == 1000);
    CPPUNIT_ASSERT(options->preload && options->verify && options->errors_ok && options->json);
    CPPUNIT_ASSERT_EQUAL(std::string("-k"), options->auth_key);
    CPPUNIT_ASSERT(options->server_pids == (std::vector<pid_t>{1, 2}));
    CPPUNIT_ASSERT(parse({"a:1", "-server-pid", "auto"})->find_server_pids);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, parse({"a:1", "-protocol", "resp", "-wait", "2"})->wait);
  }

  void names_what_is_wrong() {
    const std::vector<std::pair<std::vector<std::string_view>, std::string>> cases = {
        {{}, "address"},
        {{"localhost"}, "\"localhost\""},
        {{"a:1", "-wrong"}, "-wrong"},
        {{"a:1", "-keys"}, "-keys needs a value"},
        {{"a:1", "-keys", "0"}, "-keys 0"},
        {{"a:1", "-get", "101"}, "from 0 to 100"},
        {{"a:1", "-rate", "-1"}, "-rate -1"},
        {{"a:1", "-value-size", "101M"}, "-value-size 101M"},
        {{"a:1", "-value-size", "K"}, "-value-size K"},
        {{"a:1", "-protocol", "http2"}, "-protocol http2"},
        {{"a:1", "-distribution", "normal"}, "zipf"},
        {{"a:1", "-duration", "10"}, "duration"},
        {{"a:1", "-server-pid", "x"}, "process id"},
        {{"a:1", "-json=1"}, "-json takes no value"},
        {{"a:1", "-threads", "9", "-connections", "8"}, "-threads"},
        {{"a:1", "-server-pid", "auto", "-server-pid", "1"}, "-server-pid"},
        {{"a:1", "-server-pid", "auto", "-protocol", "resp"}, "auto"},
        {{"a:1", "-wait", "1"}, "-protocol resp"},
        {{"a:1", "-protocol", "resp", "-wait", "1", "-requests", "5"}, "-wait: not with"},
    };
    for (const auto& [words, named] : cases) {
      const auto options = parse(words);
      CPPUNIT_ASSERT_MESSAGE(named, !options.has_value());
      CPPUNIT_ASSERT_MESSAGE(options.error().message + " names " + named,
                             options.error().message.find(named) != std::string::npos);
    }
  }

  void help_names_every_flag() {
    CPPUNIT_ASSERT(parse({"-help"})->help);
    for (const std::string_view flag :
         {"-protocol", "-connections",  "-idle",       "-threads",  "-pipeline",  "-get",     "-value-size",
          "-keys",     "-distribution", "-duration",   "-requests", "-rate",      "-preload", "-verify",
          "-seed",     "-auth",         "-server-pid", "-settle",   "-errors-ok", "-json",    "-wait"}) {
      CPPUNIT_ASSERT_MESSAGE(std::string(flag), help_text().find(flag) != std::string_view::npos);
    }
  }

  void reports_its_figures() {
    Report report;
    report.options = parse({"a:1"}).value();
    report.tally.answered = 2'000'000;
    report.tally.latency.record(1500, 2'000'000);
    report.seconds = 2;
    report.server = {{10, 1, "worker 1", {0.5, 1.5}, {}}};
    const std::string text = text_of(report);
    for (const char* part :
         {"1,000,000/s", "p99 1.50", "server 1.00 (user 0.25, system 0.75)", "worker 1 [10]"}) {
      CPPUNIT_ASSERT_MESSAGE(part + (" in " + text), text.find(part) != std::string::npos);
    }
    CPPUNIT_ASSERT(text.find("errors") == std::string::npos);
    report.tally.refused = 3;
    CPPUNIT_ASSERT(text_of(report).find("refused 3") != std::string::npos);
    CPPUNIT_ASSERT(json_of(report).find("\"refused\": 3") != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(std::string("12,345"), grouped(12'345));
    CPPUNIT_ASSERT_EQUAL(std::string("123"), grouped(123));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(OptionsTest, "options_test");

}  // namespace minivault::load
