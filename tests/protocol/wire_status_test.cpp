#include "common/protocol/wire_status.h"

#include <cppunit/extensions/HelperMacros.h>

#include "common/protocol/http_response.h"

namespace {

using minivault::Code;
using namespace minivault::protocol;

/// Goal: every code has its answer on both protocols.
class WireStatusTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(WireStatusTest);
  CPPUNIT_TEST(test_every_code);
  CPPUNIT_TEST(test_promised_statuses);
  CPPUNIT_TEST_SUITE_END();

  void test_every_code() {
    static_assert(static_cast<int>(Code::kBusy) == 13, "a code was added: is it the last one below?");
    for (int number = 0; number <= static_cast<int>(Code::kBusy); ++number) {
      const auto code = static_cast<Code>(number);
      CPPUNIT_ASSERT_EQUAL(int(kStatusError), int(binary_status(code)));
      CPPUNIT_ASSERT(http_status(code) >= 400 && http_status(code) < 600);
      CPPUNIT_ASSERT(reason_phrase(http_status(code)) != "Unknown");
    }
  }

  void test_promised_statuses() {
    CPPUNIT_ASSERT_EQUAL(404, http_status(Code::kNotFound));
    CPPUNIT_ASSERT_EQUAL(409, http_status(Code::kExists));
    CPPUNIT_ASSERT_EQUAL(401, http_status(Code::kUnauthorized));
    CPPUNIT_ASSERT_EQUAL(413, http_status(Code::kTooLarge));
    CPPUNIT_ASSERT_EQUAL(429, http_status(Code::kRateLimited));
    CPPUNIT_ASSERT_EQUAL(503, http_status(Code::kOutcomeUnknown));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(WireStatusTest, "wire_status_test");

}  // namespace
