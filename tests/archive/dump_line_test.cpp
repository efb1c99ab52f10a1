// Goal: what dump writes, load reads back, byte for byte; a line that is not one is refused, saying why.
// Method: named cases and random bytes.

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "common/admin/dump_line.h"
#include "common/admin/line_reader.h"
#include "common/protocol/json_value.h"
#include "tests/support/bytes.h"
#include "tests/support/seed.h"

namespace minivault::admin {
namespace {

class DumpLineTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DumpLineTest);
  CPPUNIT_TEST(test_text);
  CPPUNIT_TEST(test_round_trip);
  CPPUNIT_TEST(test_a_character_that_ends_beyond_the_value);
  CPPUNIT_TEST(test_refused_lines);
  CPPUNIT_TEST(test_no_line_is_longer);
  CPPUNIT_TEST(test_lines_are_bounded);
  CPPUNIT_TEST(test_deep_nesting_is_no_crash);
  CPPUNIT_TEST_SUITE_END();

  static std::string line_of(std::string_view key, std::string_view value, std::uint8_t flags = 0) {
    std::string line;
    append_dump_line(line, {store::Operation::kSet, flags, {18'000'000'000'000'000'000U, 0xAB}, key, value});
    return line;
  }

 public:
  void test_text() {
    const std::string version = ",\"version\":\"18000000000000000000@00000000000000ab\"}\n";
    CPPUNIT_ASSERT_EQUAL("{\"key\":\"k\",\"value\":\"v\"" + version, line_of("k", "v"));
    CPPUNIT_ASSERT_EQUAL("{\"key\":\"k\",\"value\":\"[1, 2]\",\"json\":true" + version,
                         line_of("k", "[1, 2]", 1));
    CPPUNIT_ASSERT_EQUAL("{\"key\":{\"base64\":\"/w==\"},\"value\":\"\"" + version, line_of("\xFF", ""));
    CPPUNIT_ASSERT_EQUAL("{\"key\":\"\\u0000\\n\",\"value\":\"\xC3\xA9\"" + version,
                         line_of(std::string("\0\n", 2), "\xC3\xA9"));
  }

  void test_round_trip() {
    std::mt19937_64 random(test::seed());
    for (unsigned i = 0; i < 2'000; ++i) {
      std::string key = test::random_bytes(random, 1 + random() % 40);
      std::string value = test::random_bytes(random, random() % 300);
      if (i % 2 == 0) {  // text, so that the other form is used
        for (char& letter : key) letter = static_cast<char>(letter & 0x7F);
        for (char& letter : value) letter = static_cast<char>(letter & 0x7F);
      }
      const bool is_json = i % 6 == 0;  // then it is text
      if (is_json) {
        const std::string text = std::exchange(value, "");
        protocol::append_json_string(value, text);
      }
      const std::string line = line_of(key, value, static_cast<std::uint8_t>(is_json ? 1 : 0));
      CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, std::count(line.begin(), line.end(), '\n'));
      const auto parsed = parse_dump_line(line);
      CPPUNIT_ASSERT_MESSAGE(line, parsed.has_value());
      CPPUNIT_ASSERT(parsed->key == key && parsed->value == value && parsed->is_json == is_json);
    }
  }

  void test_a_character_that_ends_beyond_the_value() {
    const std::string bytes = "\xCA\xAF";
    const std::string line = line_of("k", std::string_view(bytes).substr(0, 1));
    CPPUNIT_ASSERT(line.find("\"value\":{\"base64\":\"yg==\"}") != std::string::npos);
  }

  void test_refused_lines() {
    const std::pair<const char*, const char*> kLines[] = {
        {"", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"{\"key\":\"k\",\"value\":\"v\"", "not a JSON object"},
        {"{\"key\":\"\xFF\",\"value\":\"v\"}", "not a JSON object"},
        {"{\"value\":\"v\"}", "no \"key\""},
        {"{\"key\":\"k\"}", "no \"value\""},
        {"{\"key\":\"\",\"value\":\"v\"}", "a key of 0 bytes"},
        {"{\"key\":\"k\",\"value\":1}", "\"value\" is neither"},
        {"{\"key\":\"k\",\"value\":{\"base64\":\"a\"}}", "\"value\": not base64"},
        {"{\"key\":\"k\",\"value\":{\"base64\":\"YQ\"}}", "\"value\": not base64"},
        {"{\"key\":\"k\",\"value\":{\"base64\":\"YQ==\",\"more\":1}}", "\"value\" is neither"},
        {"{\"key\":\"k\",\"value\":\"v\",\"json\":1}", "\"json\" is neither"},
        {R"({"key":"k","value":"[1","json":true})", "\"value\" is not JSON"},
        {R"({"key":"k","value":"1,\"value\":2","json":true})", "\"value\" is not JSON"},
        {R"({"key":"k","value":"1}{","json":true})", "\"value\" is not JSON"},
        {R"({"key":"k","value":"","json":true})", "\"value\" is not JSON"},
        {R"({"key":"k","key":"l","value":"v"})", "\"key\" is there 2 times"},
        {R"({"key":"k","value":"v","value":"v"})", "\"value\" is there 2 times"},
        {R"({"key":"k","value":"1","json":true,"json":false,"json":true})", "\"json\" is there 3 times"},
        {R"({"version":"","key":"k","version":"","value":"v"})", "\"version\" is there 2 times"},
    };
    for (const auto& [line, because] : kLines) {
      const auto parsed = parse_dump_line(line);
      CPPUNIT_ASSERT_MESSAGE(line, !parsed);
      CPPUNIT_ASSERT_MESSAGE(parsed.error().message,
                             parsed.error().message.find(because) != std::string::npos);
    }
    CPPUNIT_ASSERT(!parse_dump_line("{\"key\":\"" + std::string(65'536, 'k') + "\",\"value\":\"\"}"));
    CPPUNIT_ASSERT(parse_dump_line("{\"key\":\"" + std::string(65'535, 'k') + "\",\"value\":\"\"}"));
  }

  void test_no_line_is_longer() {
    for (const auto& [key, value] : {std::pair{std::string(65'535, '\0'), std::string(1'000, '\0')},
                                     {std::string(65'535, '\xFF'), std::string(1'000, '\xFF')}}) {
      const std::uint64_t length = line_of(key, value, 1).size() - 1;
      CPPUNIT_ASSERT(length <= longest_dump_line(1'000));
      CPPUNIT_ASSERT(key[0] != '\0' || length > 6 * 66'535);
    }
  }

  void test_lines_are_bounded() {
    for (const std::size_t longest : {std::size_t{1}, std::size_t{10}, std::size_t{200'000}}) {
      const std::string full(longest, 'x');
      std::istringstream in(full + "\n\n" + full.substr(1) + "\r\n" + full + "x\n");
      LineReader reader(in, longest);
      std::string line;
      for (const std::string& expected : {full, std::string(), full.substr(1) + "\r"}) {
        const Result<bool> is_there = reader.next(line);
        CPPUNIT_ASSERT(is_there && *is_there);
        CPPUNIT_ASSERT(expected == line);
      }
      const Result<bool> refused = reader.next(line);
      CPPUNIT_ASSERT(!refused);
      CPPUNIT_ASSERT_EQUAL("longer than " + std::to_string(longest) + " bytes", refused.error().message);
      std::istringstream last(full);
      LineReader until_the_end(last, longest);
      Result<bool> is_there = until_the_end.next(line);
      CPPUNIT_ASSERT(is_there && *is_there && line == full);
      is_there = until_the_end.next(line);
      CPPUNIT_ASSERT(is_there && !*is_there);
    }
  }

  void test_deep_nesting_is_no_crash() {
    CPPUNIT_ASSERT(!parse_dump_line(std::string(1'000'000, '[')));
    CPPUNIT_ASSERT(
        !parse_dump_line("{\"key\":" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(DumpLineTest, "dump_line_test");

}  // namespace
}  // namespace minivault::admin
