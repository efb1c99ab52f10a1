#include "common/protocol/http_target.h"

#include <cppunit/extensions/HelperMacros.h>

#include "tests/protocol/exact_copy.h"

namespace {

using minivault::protocol::HttpTarget;
using minivault::protocol::parse_target;
using minivault::test::ExactCopy;
using Kind = HttpTarget::Kind;

/// Goal: a path names one key and one only, whatever way it is written.
class HttpTargetTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HttpTargetTest);
  CPPUNIT_TEST(test_plain_keys);
  CPPUNIT_TEST(test_percent_codes);
  CPPUNIT_TEST(test_bad_percent_codes);
  CPPUNIT_TEST(test_query_is_cut_off);
  CPPUNIT_TEST(test_reserved_names);
  CPPUNIT_TEST(test_any_key_prefix);
  CPPUNIT_TEST(test_key_required);
  CPPUNIT_TEST(test_longest_key);
  CPPUNIT_TEST(test_absolute_form);
  CPPUNIT_TEST(test_other_forms_are_refused);
  CPPUNIT_TEST(test_plain_path_is_not_copied);
  CPPUNIT_TEST_SUITE_END();

  static void expect(std::string_view target, Kind kind, std::string_view key) {
    const ExactCopy copy(target);
    std::string scratch;
    const HttpTarget parsed = parse_target(copy.view(), scratch);
    CPPUNIT_ASSERT_MESSAGE(std::string(target), parsed.kind == kind);
    CPPUNIT_ASSERT_EQUAL(std::string(key), std::string(parsed.key));
  }

  static void expect_bad(std::string_view target, int status, std::string_view error) {
    const ExactCopy copy(target);
    std::string scratch;
    const HttpTarget parsed = parse_target(copy.view(), scratch);
    CPPUNIT_ASSERT_MESSAGE(std::string(target.substr(0, 100)), parsed.kind == Kind::kBad);
    CPPUNIT_ASSERT_EQUAL(status, parsed.status);
    CPPUNIT_ASSERT_EQUAL(std::string(error), std::string(parsed.error));
  }

  void test_plain_keys() {
    expect("/key", Kind::kKey, "key");
    expect("/a/b/c", Kind::kKey, "a/b/c");
    expect("/a/", Kind::kKey, "a/");
    expect("//", Kind::kKey, "/");
    expect("/../x", Kind::kKey, "../x");
    expect("/a+b", Kind::kKey, "a+b");
    expect("/\xC3\xA9", Kind::kKey, "\xC3\xA9");
  }

  void test_percent_codes() {
    expect("/a%20b", Kind::kKey, "a b");
    expect("/%2F%2f", Kind::kKey, "//");
    expect("/%3F", Kind::kKey, "?");
    expect("/%25", Kind::kKey, "%");
    expect("/%2525", Kind::kKey, "%25");
    expect("/%00%fF", Kind::kKey, std::string_view("\0\xFF", 2));
  }

  void test_bad_percent_codes() {
    for (const char* target : {"/%", "/a%2", "/%zz", "/%2g", "/%%20", "/a%?20", "/% 20"}) {
      expect_bad(target, 400, "bad percent code in path");
    }
  }

  void test_query_is_cut_off() {
    std::string scratch;
    const HttpTarget parsed = parse_target("/a?b=%zz?c", scratch);
    CPPUNIT_ASSERT(parsed.key == "a" && parsed.query == "b=%zz?c");
    expect("/health?verbose", Kind::kHealth, "health");
  }

  void test_reserved_names() {
    expect("/health", Kind::kHealth, "health");
    expect("/metrics", Kind::kMetrics, "metrics");
    expect("/%68ealth", Kind::kHealth, "health");
    expect("/_/members", Kind::kReserved, "_/members");
    expect("/_/", Kind::kReserved, "_/");
    expect("/_%2Fmembers", Kind::kReserved, "_/members");
    expect("/_/kv", Kind::kReserved, "_/kv");
    expect("/_", Kind::kKey, "_");
    expect("/health/", Kind::kKey, "health/");
    expect("/Health", Kind::kKey, "Health");
  }

  void test_any_key_prefix() {
    expect("/_/kv/health", Kind::kKey, "health");
    expect("/_/kv/metrics", Kind::kKey, "metrics");
    expect("/_/kv/_/kv/x", Kind::kKey, "_/kv/x");
    expect("/_/kv/%2F", Kind::kKey, "/");
    expect("/_/kv//", Kind::kKey, "/");
  }

  void test_key_required() {
    for (const char* target :
         {"/", "/?x", "/_/kv/", "/_/kv/?x", "http://host", "http://host/", "http://host?x"}) {
      expect_bad(target, 400, "key required");
    }
  }

  void test_longest_key() {
    const std::string longest(65'535, 'k');
    expect("/" + longest, Kind::kKey, longest);
    expect("/_/kv/" + longest, Kind::kKey, longest);
    expect_bad("/" + longest + "k", 414, "key longer than 65535 bytes");
    std::string codes = "/";
    for (int i = 0; i < 65'535; ++i) codes += "%6b";
    expect(codes, Kind::kKey, longest);
    expect_bad(codes + "%6b", 414, "key longer than 65535 bytes");
  }

  void test_absolute_form() {
    expect("http://localhost:3000/key", Kind::kKey, "key");
    expect("HTTPS://Host/a%20b?q", Kind::kKey, "a b");
    expect("http://host/health", Kind::kHealth, "health");
  }

  void test_other_forms_are_refused() {
    for (const char* target : {"", "*", "key", "host:80", "ftp://host/key", "http:/key", "%2Fkey"}) {
      expect_bad(target, 400, "bad request target");
    }
  }

  void test_plain_path_is_not_copied() {
    const std::string target = "/key";
    std::string scratch = "untouched";
    const HttpTarget parsed = parse_target(target, scratch);
    CPPUNIT_ASSERT(parsed.key.data() == target.data() + 1);
    CPPUNIT_ASSERT_EQUAL(std::string("untouched"), scratch);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HttpTargetTest, "http_target_test");

}  // namespace
