// Goal: what dump writes, load reads back, byte for byte; a line that is not one is refused, saying why.
// Method: named cases and random bytes.

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>

#include "common/admin/dump_line.h"
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
      const std::string line = line_of(key, value, static_cast<std::uint8_t>(i % 3 == 0 ? 1 : 0));
      CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1}, std::count(line.begin(), line.end(), '\n'));
      const auto parsed = parse_dump_line(line);
      CPPUNIT_ASSERT_MESSAGE(line, parsed.has_value());
      CPPUNIT_ASSERT(parsed->key == key && parsed->value == value && parsed->is_json == (i % 3 == 0));
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

  void test_deep_nesting_is_no_crash() {
    CPPUNIT_ASSERT(!parse_dump_line(std::string(1'000'000, '[')));
    CPPUNIT_ASSERT(
        !parse_dump_line("{\"key\":" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(DumpLineTest, "dump_line_test");

}  // namespace
}  // namespace minivault::admin
