// Goal: versions as entity tags, and what the conditions of HTTP make of them, case by case.

#include "common/protocol/http_condition.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace minivault::protocol {

using Kind = Precondition::Kind;

class HttpConditionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HttpConditionTest);
  CPPUNIT_TEST(a_tag_is_the_version_in_hexadecimal);
  CPPUNIT_TEST(a_tag_becomes_its_version_again);
  CPPUNIT_TEST(conditions_case_by_case);
  CPPUNIT_TEST(a_read_knows_its_tag_in_a_list);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_tag_is_the_version_in_hexadecimal() {
    const EtagLine etag(0x0123456789abcdef, 0xfedcba9876543210);
    CPPUNIT_ASSERT_EQUAL(std::string("ETag: \"0123456789abcdef-fedcba9876543210\"\r\n"),
                         std::string(etag.line()));
    CPPUNIT_ASSERT_EQUAL(std::string("\"0123456789abcdef-fedcba9876543210\""), std::string(etag.tag()));
    CPPUNIT_ASSERT_EQUAL(std::string("\"0000000000000000-0000000000000001\""),
                         std::string(EtagLine(0, 1).tag()));
  }

  void a_tag_becomes_its_version_again() {
    for (const std::uint64_t hlc : {std::uint64_t{1}, std::uint64_t{0xffff'ffff'ffff'ffff}}) {
      const EtagLine etag(hlc, 77);
      const Precondition condition = parse_precondition(etag.tag(), {});
      CPPUNIT_ASSERT(condition.kind == Kind::kVersion);
      CPPUNIT_ASSERT_EQUAL(hlc, condition.hlc);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{77}, condition.origin);
    }
  }

  void conditions_case_by_case() {
    CPPUNIT_ASSERT(parse_precondition({}, {}).kind == Kind::kNone);
    CPPUNIT_ASSERT(parse_precondition("*", {}).kind == Kind::kPresent);
    CPPUNIT_ASSERT(parse_precondition({}, "*").kind == Kind::kAbsent);
    for (const char* never :
         {"\"\"", "\"x\"", "\"0123456789abcdef-fedcba987654321\"", "\"0123456789ABCDEF-fedcba9876543210\"",
          "\"0123456789abcdef_fedcba9876543210\"", "W/\"0123456789abcdef-fedcba9876543210\"",
          "\"+123456789abcdef-fedcba9876543210\""}) {
      CPPUNIT_ASSERT_MESSAGE(never, parse_precondition(never, {}).kind == Kind::kNever);
    }
    for (const char* bad : {"", "x", "\"", "\"a\", \"b\"", "W/", "W/x", "**", "\"a\"b\""}) {
      CPPUNIT_ASSERT_MESSAGE(bad, parse_precondition(bad, {}).kind == Kind::kBad);
      CPPUNIT_ASSERT(!parse_precondition(bad, {}).error.empty());
    }
    CPPUNIT_ASSERT(parse_precondition({}, "\"x\"").kind == Kind::kBad);
    CPPUNIT_ASSERT(parse_precondition({}, "").kind == Kind::kBad);
    CPPUNIT_ASSERT(parse_precondition("*", "*").kind == Kind::kBad);
    CPPUNIT_ASSERT(parse_precondition("*", "").kind == Kind::kBad);
  }

  void a_read_knows_its_tag_in_a_list() {
    const EtagLine etag(1, 2);
    const std::string tag(etag.tag());
    CPPUNIT_ASSERT(names_tag(tag, tag));
    CPPUNIT_ASSERT(names_tag("\"other\", W/" + tag, tag));
    CPPUNIT_ASSERT(names_tag("*", tag));
    CPPUNIT_ASSERT(!names_tag("\"other\"", tag));
    CPPUNIT_ASSERT(!names_tag(EtagLine(2, 2).tag(), tag));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HttpConditionTest, "http_condition_test");

}  // namespace minivault::protocol
