// The Date header: RFC 9110's own example, and what a changing second changes.

#include "common/protocol/http_date.h"

#include <cppunit/extensions/HelperMacros.h>

#include <ctime>
#include <string>

#include "common/protocol/http_response.h"

namespace minivault::protocol {

class HttpDateTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HttpDateTest);
  CPPUNIT_TEST(is_written_as_the_standard_says);
  CPPUNIT_TEST(follows_the_second);
  CPPUNIT_TEST(stands_in_every_kind_of_head);
  CPPUNIT_TEST_SUITE_END();

 public:
  void is_written_as_the_standard_says() {
    DateLine line;
    CPPUNIT_ASSERT_EQUAL(std::string("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
                         std::string(line.at(784'111'777)));
    CPPUNIT_ASSERT_EQUAL(std::string("Date: Thu, 29 Feb 2024 23:59:59 GMT\r\n"),
                         std::string(line.at(1'709'251'199)));
  }

  void follows_the_second() {
    DateLine line;
    const std::string_view first = line.at(0);
    CPPUNIT_ASSERT_EQUAL(std::string("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"), std::string(first));
    CPPUNIT_ASSERT(line.at(1).data() == first.data());
    CPPUNIT_ASSERT_EQUAL(std::string("Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n"), std::string(first));
    const std::time_t before = std::time(nullptr);
    const std::string now(line.now());
    DateLine other;
    bool found = false;
    for (std::time_t second = before - 1; second <= std::time(nullptr); ++second)
      found = found || now == other.at(second);
    CPPUNIT_ASSERT_MESSAGE(now, found);
  }

  void stands_in_every_kind_of_head() {
    DateLine line;
    const ResponseForm form{.date = line.at(784'111'777)};
    std::string ok;
    std::string error;
    std::string not_modified;
    append_success(ok, 200, form);
    append_json_error(error, 404, "not found", form);
    append_not_modified(not_modified, form, "ETag: \"x\"\r\n");
    for (const std::string& answer : {ok, error, not_modified}) {
      const std::string head = answer.substr(0, answer.find("\r\n\r\n") + 2);
      CPPUNIT_ASSERT_MESSAGE(head,
                             head.find("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n") != std::string::npos);
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HttpDateTest, "http_date_test");

}  // namespace minivault::protocol
