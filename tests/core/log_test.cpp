// Goal: a line of the log is one line, and its fields can be read back, whatever a message holds. Method:
// standard error goes to a pipe while a line is written.

#include "common/core/log.h"

#include <cppunit/extensions/HelperMacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "common/core/unique_fd.h"

namespace minivault {

class LogTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LogTest);
  CPPUNIT_TEST(says_when_who_and_what);
  CPPUNIT_TEST(values_that_could_be_misread_are_quoted);
  CPPUNIT_TEST(no_byte_breaks_the_line);
  CPPUNIT_TEST(what_is_below_the_level_is_not_written);
  CPPUNIT_TEST(the_style_can_lie_in_shared_memory);
  CPPUNIT_TEST(a_flood_says_how_much_it_was);
  CPPUNIT_TEST_SUITE_END();

 public:
  void says_when_who_and_what() {
    const std::string line = written("started", {{"port", 3000}, {"path", "/data"}});
    // 2026-11-21T05:30:01.123Z info NAME[PID] started port=3000 path=/data
    CPPUNIT_ASSERT_EQUAL('T', line.at(10));
    CPPUNIT_ASSERT_EQUAL(std::string("Z info "), line.substr(23, 7));
    const std::string who = '[' + std::to_string(::getpid()) + "] started port=3000 path=/data\n";
    CPPUNIT_ASSERT_MESSAGE(line, line.ends_with(who));
  }

  void values_that_could_be_misread_are_quoted() {
    const auto value = [](const char* text) {
      const std::string line = written("e", {{"f", text}});
      return line.substr(line.find(" f=") + 3);
    };
    CPPUNIT_ASSERT_EQUAL(std::string("a-b/c:1\n"), value("a-b/c:1"));
    CPPUNIT_ASSERT_EQUAL(std::string("\"\"\n"), value(""));
    CPPUNIT_ASSERT_EQUAL(std::string("\"a b\"\n"), value("a b"));
    CPPUNIT_ASSERT_EQUAL(std::string("\"a=b\"\n"), value("a=b"));
    CPPUNIT_ASSERT_EQUAL(std::string("\"say \\\"a\\\\b\\\"\"\n"), value("say \"a\\b\""));
  }

  void no_byte_breaks_the_line() {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    const std::string line = written("e", {{"f", all}});
    const auto is_control = [](unsigned char byte) { return byte < 0x20 || byte == 0x7F; };
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, std::count_if(line.begin(), line.end(), is_control));
    CPPUNIT_ASSERT(line.ends_with("\"\n"));
  }

  void what_is_below_the_level_is_not_written() {
    CPPUNIT_ASSERT(!logs(LogLevel::kDebug) && logs(LogLevel::kInfo));
    set_log_style({.least = LogLevel::kWarning});
    const std::string nothing = written("e", {});
    const bool info = logs(LogLevel::kInfo);
    set_log_style({});
    CPPUNIT_ASSERT_EQUAL(std::string(), nothing);
    CPPUNIT_ASSERT(!info);
    CPPUNIT_ASSERT(written("e", {}) != "");
  }

  void the_style_can_lie_in_shared_memory() {
    static std::atomic<std::uint32_t> word;  // outlives the process's last line
    share_log_style(word);
    CPPUNIT_ASSERT(written("e", {}).starts_with("20"));
    set_log_style({.format = LogFormat::kJson});
    const std::uint32_t json = word.load();
    set_log_style({});
    CPPUNIT_ASSERT(json != word.load());
    word.store(json);  // as another process would
    const std::string line = written("e", {});
    set_log_style({});
    CPPUNIT_ASSERT_MESSAGE(line, line.starts_with("{\"time\":"));
  }

  void a_flood_says_how_much_it_was() {
    std::size_t lines = 0;
    for (std::size_t i = 0; i < 100; ++i) lines += written("flood", {}).empty() ? 0 : 1;
    CPPUNIT_ASSERT_MESSAGE(std::to_string(lines), lines >= 20 && lines < 30);
    CPPUNIT_ASSERT(written("another", {}) != "");
  }

 private:
  static std::string written(std::string_view event, std::initializer_list<LogField> fields) {
    std::array<int, 2> ends{};
    CPPUNIT_ASSERT_EQUAL(0, ::pipe(ends.data()));
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const UniqueFd before(::dup(STDERR_FILENO));
    ::dup2(writer.get(), STDERR_FILENO);
    log_line(LogLevel::kInfo, event, fields);
    ::dup2(before.get(), STDERR_FILENO);
    writer.reset();
    std::array<char, 4096> bytes{};
    const ssize_t count = ::read(reader.get(), bytes.data(), bytes.size());
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LogTest, "log_test");

}  // namespace minivault
