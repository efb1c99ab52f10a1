// Goal: what a line says can be read back by a program, in either format, whatever it holds; and an event
// that repeats fills no disk and is not forgotten. Method: lines made of named damage and of every byte, read
// back by hand (text) and by a JSON parser.

#include "common/core/log_format.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidjson/document.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "common/core/log_repeats.h"
#include "common/core/unique_fd.h"

namespace minivault {

class LogFormatTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LogFormatTest);
  CPPUNIT_TEST(text_says_when_who_and_what);
  CPPUNIT_TEST(json_says_the_same);
  CPPUNIT_TEST(json_is_json_whatever_it_holds);
  CPPUNIT_TEST(bytes_that_are_no_text_are_told_by_number);
  CPPUNIT_TEST(numbers_stay_numbers_and_names_stay_apart);
  CPPUNIT_TEST(the_journal_gets_priorities);
  CPPUNIT_TEST(the_journal_is_known_by_its_stream);
  CPPUNIT_TEST(repeats_are_few_and_counted);
  CPPUNIT_TEST(another_event_is_not_held_back);
  CPPUNIT_TEST_SUITE_END();

 public:
  void text_says_when_who_and_what() {
    CPPUNIT_ASSERT_EQUAL(
        std::string("2026-11-21T05:30:01.123Z warning worker 1[7] lost peer=n:1 reason=\"no answer\"\n"),
        line({}, LogLevel::kWarning, {{"peer", "n:1"}, {"reason", "no answer"}}));
  }

  void json_says_the_same() {
    CPPUNIT_ASSERT_EQUAL(
        std::string(R"({"time":"2026-11-21T05:30:01.123Z","level":"warning","role":"worker 1","process":7,)"
                    R"("event":"lost","peer":"n:1","reason":"no answer"})"
                    "\n"),
        line(kJson, LogLevel::kWarning, {{"peer", "n:1"}, {"reason", "no answer"}}));
  }

  void json_is_json_whatever_it_holds() {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    for (const std::string& text :
         {all, std::string("\xC3"), std::string("\xED\xA0\x80"), std::string("\"\\")}) {
      const std::string written = line(kJson, LogLevel::kInfo, {{"f", text}});
      CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, std::count(written.begin(), written.end(), '\n'));
      rapidjson::Document json;
      json.Parse<rapidjson::kParseValidateEncodingFlag>(written.data(), written.size());
      CPPUNIT_ASSERT_MESSAGE(written, !json.HasParseError() && json.IsObject());
      CPPUNIT_ASSERT(json["f"].IsString());
    }
  }

  void bytes_that_are_no_text_are_told_by_number() {
    const auto value = [](const LogStyle& style, const char* text) {
      const std::string written = line(style, LogLevel::kInfo, {{"f", text}});
      const std::string name = style.format == LogFormat::kJson ? "\"f\":" : " f=";
      return written.substr(written.find(name) + name.size());
    };
    CPPUNIT_ASSERT_EQUAL(std::string("\"a\\x0ab\\xff\"\n"), value({}, "a\nb\xFF"));
    CPPUNIT_ASSERT_EQUAL(std::string("\"a\\\\x0ab\\\\xff\"}\n"), value(kJson, "a\nb\xFF"));
    CPPUNIT_ASSERT_EQUAL(std::string("\"Zürich\"\n"), value({}, "Zürich"));
    CPPUNIT_ASSERT_EQUAL(std::string("\"Zürich\"}\n"), value(kJson, "Zürich"));
  }

  void numbers_stay_numbers_and_names_stay_apart() {
    const std::string written = line(kJson, LogLevel::kInfo, {{"port", 3000}, {"level", "x"}, {"n", "1"}});
    rapidjson::Document json;
    json.Parse(written.data(), written.size());
    CPPUNIT_ASSERT_EQUAL(3000, json["port"].GetInt());
    CPPUNIT_ASSERT_EQUAL(std::string("info"), std::string(json["level"].GetString()));
    CPPUNIT_ASSERT_EQUAL(std::string("x"), std::string(json["level_"].GetString()));
    CPPUNIT_ASSERT(json["n"].IsString());
  }

  void the_journal_gets_priorities() {
    const LogStyle text{.journal = true};
    const LogStyle json{.format = LogFormat::kJson, .journal = true};
    CPPUNIT_ASSERT_EQUAL(std::string("<3>error worker 1[7] lost\n"), line(text, LogLevel::kError, {}));
    CPPUNIT_ASSERT_EQUAL(std::string("<4>warning worker 1[7] lost\n"), line(text, LogLevel::kWarning, {}));
    CPPUNIT_ASSERT_EQUAL(std::string("<6>info worker 1[7] lost\n"), line(text, LogLevel::kInfo, {}));
    CPPUNIT_ASSERT_EQUAL(std::string("<7>debug worker 1[7] lost\n"), line(text, LogLevel::kDebug, {}));
    CPPUNIT_ASSERT(line(json, LogLevel::kError, {}).starts_with("<3>{\"time\":\"2026-"));
  }

  void the_journal_is_known_by_its_stream() {
    std::array<int, 2> ends{};
    CPPUNIT_ASSERT_EQUAL(0, ::pipe(ends.data()));
    const UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    struct stat status {};
    CPPUNIT_ASSERT_EQUAL(0, ::fstat(writer.get(), &status));
    const std::string device = std::to_string(status.st_dev);
    const std::string own = device + ':' + std::to_string(status.st_ino);
    CPPUNIT_ASSERT(is_journal(writer.get(), own.c_str()));
    CPPUNIT_ASSERT(!is_journal(writer.get(), nullptr));
    CPPUNIT_ASSERT(!is_journal(writer.get(), ""));
    CPPUNIT_ASSERT(!is_journal(writer.get(), (own + "x").c_str()));
    CPPUNIT_ASSERT(!is_journal(writer.get(), (device + ":1").c_str()));  // redirected since
    CPPUNIT_ASSERT(!is_journal(-1, own.c_str()));
  }

  void repeats_are_few_and_counted() {
    LogRepeats repeats;
    constexpr std::uint64_t kStart = 1'000'000;
    std::uint64_t written = 0;
    for (int i = 0; i < 1'000; ++i) written += repeats.judge("e", kStart).written ? 1 : 0;
    CPPUNIT_ASSERT_EQUAL(LogRepeats::kBurst, written);
    CPPUNIT_ASSERT(!repeats.judge("e", kStart + LogRepeats::kEveryMs - 1).written);
    const LogRepeats::Verdict next = repeats.judge("e", kStart + LogRepeats::kEveryMs);
    CPPUNIT_ASSERT(next.written);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1'001 - LogRepeats::kBurst}, next.suppressed);
    CPPUNIT_ASSERT(!repeats.judge("e", kStart + LogRepeats::kEveryMs).written);
    const LogRepeats::Verdict later = repeats.judge("e", kStart + 1'000 * LogRepeats::kEveryMs);
    CPPUNIT_ASSERT(later.written);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, later.suppressed);
  }

  void another_event_is_not_held_back() {
    LogRepeats repeats;
    for (int i = 0; i < 100; ++i) (void)repeats.judge("e", 1);
    const LogRepeats::Verdict other = repeats.judge("f", 1);
    CPPUNIT_ASSERT(other.written);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, other.suppressed);
  }

 private:
  static constexpr LogStyle kJson{.format = LogFormat::kJson};

  static std::string line(const LogStyle& style, LogLevel level, const std::vector<LogField>& fields) {
    return format_log_line(style, {1'795'239'001'123, "worker 1", 7}, level, "lost", fields);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LogFormatTest, "log_format_test");

}  // namespace minivault
