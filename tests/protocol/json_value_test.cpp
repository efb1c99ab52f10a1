#include "common/protocol/json_value.h"

#include <cppunit/extensions/HelperMacros.h>

#include "tests/protocol/exact_copy.h"

namespace {

using minivault::Code;
using namespace minivault::protocol;
using minivault::test::ExactCopy;

/// Goal: the text of X goes in and out unchanged, and nothing that is not JSON passes for it.
class JsonValueTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(JsonValueTest);
  CPPUNIT_TEST(test_exact_text_of_every_kind);
  CPPUNIT_TEST(test_white_space_around);
  CPPUNIT_TEST(test_plain_text_and_what_only_looks_like_it);
  CPPUNIT_TEST(test_last_value_wins);
  CPPUNIT_TEST(test_nested_value_does_not_count);
  CPPUNIT_TEST(test_escaped_name_counts);
  CPPUNIT_TEST(test_missing_field);
  CPPUNIT_TEST(test_invalid_json);
  CPPUNIT_TEST(test_every_truncation);
  CPPUNIT_TEST(test_invalid_utf8);
  CPPUNIT_TEST(test_zero_bytes);
  CPPUNIT_TEST(test_deep_nesting);
  CPPUNIT_TEST(test_is_json);
  CPPUNIT_TEST(test_is_utf8);
  CPPUNIT_TEST(test_json_string);
  CPPUNIT_TEST(test_data);
  CPPUNIT_TEST(test_base64_padding);
  CPPUNIT_TEST_SUITE_END();

  static void expect(std::string_view body, std::string_view value) {
    const ExactCopy copy(body);
    const auto found = find_value_field(copy.view());
    CPPUNIT_ASSERT_MESSAGE(std::string(body), found);
    CPPUNIT_ASSERT_EQUAL(std::string(value), std::string(*found));
  }

  static void expect_error(std::string_view body, std::string_view error) {
    const ExactCopy copy(body);
    const auto found = find_value_field(copy.view());
    CPPUNIT_ASSERT_MESSAGE(std::string(body.substr(0, 100)), !found);
    CPPUNIT_ASSERT(found.error().code == Code::kInvalidArgument);
    CPPUNIT_ASSERT_EQUAL(std::string(error), found.error().message);
  }

  static std::string data(std::string_view value, bool marked = false) {
    std::string out;
    append_data(out, value, marked);
    return out;
  }

  void test_exact_text_of_every_kind() {
    for (const char* value : {"1", "-0.50e+10", "\"\"", "\"a\\u0041\\n\"", "true", "false", "null", "{}",
                              "[]", "{ \"a\" : [ {} , [ ] ] }", "[[[{}]]]", "{\"x\":{\"y\":{}}}", "1e300",
                              "123456789012345678901234567890", "\"\xC3\xA9\""}) {
      expect("{\"value\":" + std::string(value) + "}", value);
      expect("{\"a\":0,\"value\":" + std::string(value) + ",\"b\":{}}", value);
    }
  }

  void test_white_space_around() {
    expect(" \r\n{ \"value\" \t:\n [ 1 ,2 ]  , \"x\" : 2 }\n ", "[ 1 ,2 ]");
    expect("{\"value\" : 5\n}", "5");
  }

  /// The usual body is found without the parser: every byte at every place of its text, and whatever stands
  /// around it, must come out as the parser would say.
  void test_plain_text_and_what_only_looks_like_it() {
    for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 16U, 30U}) {
      const std::string plain(size, 'x');
      expect("{\"value\":\"" + plain + "\"}", '"' + plain + '"');
      expect(" {\t\"value\" :\r\n \"" + plain + "\" } ", '"' + plain + '"');
      expect("{\"value\":\"" + plain + "\",\"value\":1}", "1");
      for (const char* damaged : {"", "\"", "\"]", "\"}}", "\"}x", "\",}", "\" \"}"}) {
        expect_error("{\"value\":\"" + plain + damaged, "invalid json");
      }
      for (unsigned byte = 0; byte < 256; ++byte) {
        for (std::size_t at = 0; at < size; ++at) expect_byte_in_text(plain, at, static_cast<char>(byte));
      }
    }
    expect_error("{\"values\":\"x\"}", "missing value field");
    expect_error("{\"value\"\"x\"}", "invalid json");
    expect_error("{\"value\":\"x\"}" + std::string(1, '\0'), "invalid json");
  }

  static void expect_byte_in_text(std::string text, std::size_t at, char byte) {
    text[at] = byte;
    const std::string body = "{\"value\":\"" + text + "\"}";
    const auto code = static_cast<unsigned char>(byte);
    if (code < 0x20 || code >= 0x80 || byte == '"' || byte == '\\') {
      expect_error(body, "invalid json");  // alone, none of these is UTF-8, and "\x" is no escape
    } else {
      expect(body, '"' + text + '"');
    }
  }

  void test_last_value_wins() {
    expect("{\"value\":1,\"value\":[2],\"other\":3}", "[2]");
    expect("{\"value\":{\"value\":1},\"value\":2}", "2");
  }

  void test_nested_value_does_not_count() {
    expect("{\"a\":{\"value\":1},\"value\":2,\"b\":[{\"value\":3}]}", "2");
    expect("{\"value\":{\"value\":1}}", "{\"value\":1}");
    expect_error("{\"a\":{\"value\":1}}", kMissingValue);
  }

  void test_escaped_name_counts() { expect("{\"\\u0076alue\":7}", "7"); }

  void test_missing_field() {
    expect_error("{}", kMissingValue);
    expect_error("{\"Value\":1}", kMissingValue);
    expect_error("{\"a\":\"value\"}", kMissingValue);
  }

  void test_invalid_json() {
    for (const char* body : {"",
                             " ",
                             "value",
                             "[{\"value\":1}]",
                             "\"value\"",
                             "1",
                             "null",
                             "{\"value\":1}}",
                             "{\"value\":1} x",
                             "{\"value\":1}{\"value\":2}",
                             "{\"value\":01}",
                             "{\"value\":.5}",
                             "{\"value\":+1}",
                             "{\"value\":NaN}",
                             "{\"value\":1,}",
                             "{\"value\":1e400}",
                             "{\"value\":[1,]}",
                             "{value:1}",
                             "{'value':1}",
                             "{\"value\":'a'}",
                             "{\"value\" 1}",
                             "{\"value\":}",
                             "{\"value\":\"a\nb\"}",
                             "{\"value\":\"\\x\"}",
                             "{\"value\":\"\\ud800\"}",
                             "{\"value\":1 /* c */}",
                             "\xEF\xBB\xBF{\"value\":1}",
                             "{\"value\":tru}",
                             "{\"value\":]}",
                             "{\"value\":[}"}) {
      expect_error(body, kInvalidJson);
    }
  }

  void test_every_truncation() {
    const std::string body = "{\"a\":[1,{\"b\":null}],\"value\":{\"x\":\"\\u00e9\xC3\xA9\",\"y\":-1.5e3}}";
    for (std::size_t size = 0; size < body.size(); ++size) {
      expect_error(std::string_view(body).substr(0, size), kInvalidJson);
    }
    expect(body, "{\"x\":\"\\u00e9\xC3\xA9\",\"y\":-1.5e3}");
  }

  void test_invalid_utf8() {
    for (const char* text : {"\xFF", "\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
      expect_error("{\"value\":\"" + std::string(text) + "\"}", kInvalidJson);
      expect_error("{\"" + std::string(text) + "\":0,\"value\":1}", kInvalidJson);
    }
  }

  void test_zero_bytes() {
    using std::string_view_literals::operator""sv;
    expect_error("{\"value\":1}\0"sv, kInvalidJson);
    expect_error("{\"value\":1}\0garbage"sv, kInvalidJson);
    expect_error("{\"value\":\"\0\"}"sv, kInvalidJson);
    CPPUNIT_ASSERT(!is_json("1\0"sv));
    CPPUNIT_ASSERT(!is_json("\0"sv));
  }

  void test_deep_nesting() {
    const std::string open(9'000, '[');
    const std::string close(9'000, ']');
    expect("{\"value\":" + open + close + "}", open + close);
    expect_error("{\"value\":" + std::string(5'000'000, '[') + std::string(5'000'000, ']') + "}",
                 kInvalidJson);
    std::string objects;
    for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
    CPPUNIT_ASSERT(!is_json(objects));
  }

  void test_is_json() {
    for (const char* text : {"1", " 1 ", "\"a\"", "{}", "[1]\n", "null", "-5", "true"}) {
      CPPUNIT_ASSERT_MESSAGE(text, is_json(ExactCopy(text).view()));
    }
    for (const char* text :
         {"", " ", "a", "1 2", "nul", "-", "{", "1.", "hello", "\"", "12a", "[1", "{}{}"}) {
      CPPUNIT_ASSERT_MESSAGE(text, !is_json(ExactCopy(text).view()));
    }
  }

  void test_is_utf8() {
    for (const char* text :
         {"", "plain ascii, longer than eight", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
          "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF", "12345678\xC2\x80"}) {
      CPPUNIT_ASSERT_MESSAGE(text, is_utf8(ExactCopy(text).view()));
    }
    for (const char* text :
         {"\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
          "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "12345678\xC3", "\xE2\x82\xC0"}) {
      CPPUNIT_ASSERT(!is_utf8(ExactCopy(text).view()));
    }
  }

  void test_json_string() {
    std::string out;
    append_json_string(out, std::string_view("a\"\\\b\n\r\t\0\x1F\x7F/", 11));
    CPPUNIT_ASSERT_EQUAL(std::string("\"a\\\"\\\\\\u0008\\n\\r\\t\\u0000\\u001f\x7F/\""), out);
    CPPUNIT_ASSERT(is_json(out));
  }

  void test_data() {
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":true,\"data\":{\"a\": 1}}"), data("{\"a\": 1}", true));
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":true,\"data\":{\"a\": 1}}"), data("{\"a\": 1}"));
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":true,\"data\":123}"), data("123"));
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":true,\"data\":\"hello world\"}"), data("hello world"));
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":true,\"data\":\"\"}"), data(""));
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":true,\"data\":\"{broken\"}"), data("{broken"));
    CPPUNIT_ASSERT_EQUAL(std::string("{\"success\":true,\"data\":\"/wA=\",\"encoding\":\"base64\"}"),
                         data(std::string_view("\xFF\0", 2)));
  }

  void test_base64_padding() {
    const auto base64 = [](std::string_view bytes) {
      const std::string all = data(bytes);
      const std::size_t begin = std::string_view("{\"success\":true,\"data\":\"").size();
      return all.substr(begin, all.find('"', begin) - begin);
    };
    CPPUNIT_ASSERT_EQUAL(std::string("/w=="), base64("\xFF"));
    CPPUNIT_ASSERT_EQUAL(std::string("/2E="), base64("\xFF"
                                                     "a"));
    CPPUNIT_ASSERT_EQUAL(std::string("/2Fi"), base64("\xFF"
                                                     "ab"));
    CPPUNIT_ASSERT_EQUAL(std::string("/2FiYw=="), base64("\xFF"
                                                         "abc"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(JsonValueTest, "json_value_test");

}  // namespace
