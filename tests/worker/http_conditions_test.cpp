// Goal: versions as HTTP clients see and ask for them: ETag, If-Match, If-None-Match.
// Method: requests as text to one node.

#include <cppunit/extensions/HelperMacros.h>

#include <string>

#include "tests/support/http_assert.h"
#include "tests/worker/board_node.h"

namespace minivault::test {

namespace {

const std::string kOne = R"({"value":1})";
const std::string kTwo = R"({"value":2})";

std::string etag_of(const BoardNode& node, const std::string& key, const Headers& headers = {}) {
  return http(node.port(), http_request("GET", "/" + key, headers)).header("etag");
}
HttpResponse put(const BoardNode& node, const std::string& key, const std::string& body,
                 const Headers& headers = {}) {
  return http(node.port(), http_upload("PUT", "/" + key, body, headers));
}
HttpResponse remove(const BoardNode& node, const std::string& key, const Headers& headers = {}) {
  return http(node.port(), http_request("DELETE", "/" + key, headers));
}

}  // namespace

class HttpConditionsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(HttpConditionsTest);
  CPPUNIT_TEST(a_version_has_one_tag);
  CPPUNIT_TEST(a_write_may_ask_for_a_version);
  CPPUNIT_TEST(a_write_may_ask_for_presence_or_absence);
  CPPUNIT_TEST(a_read_may_spare_what_is_known);
  CPPUNIT_TEST(what_makes_no_sense_is_named);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_version_has_one_tag() {
    const BoardNode node;
    assert_done(put(node, "k", kOne));
    const std::string tag = etag_of(node, "k");
    CPPUNIT_ASSERT_EQUAL_MESSAGE(tag, std::size_t{35}, tag.size());
    CPPUNIT_ASSERT(tag.front() == '"' && tag[17] == '-' && tag.back() == '"');
    CPPUNIT_ASSERT_EQUAL(tag, etag_of(node, "k", {std::string("Accept: ") + kOctets}));
    CPPUNIT_ASSERT_EQUAL(tag, etag_of(node, "k", {std::string("Accept: ") + kOctets, "Range: bytes=0-0"}));
    RawConnection client(node.port());
    client.send(http_request("HEAD", "/k"));
    CPPUNIT_ASSERT_EQUAL(tag, receive_http(client, false).header("etag"));
    assert_done(put(node, "k", kOne));  // the same value, another version
    CPPUNIT_ASSERT(tag != etag_of(node, "k"));
    CPPUNIT_ASSERT_EQUAL(std::string(), etag_of(node, "none"));
    const std::string large = "{\"value\":\"" + std::string(50'000, 'x') + "\"}";
    assert_done(put(node, "k", large));
    CPPUNIT_ASSERT_EQUAL(std::size_t{35}, etag_of(node, "k").size());
  }

  void a_write_may_ask_for_a_version() {
    const BoardNode node;
    assert_done(put(node, "k", kOne));
    const Headers match{"If-Match: " + etag_of(node, "k")};
    assert_done(put(node, "k", kTwo, match));
    assert_refused(put(node, "k", kOne, match), 412, "the condition does not hold");
    assert_refused(remove(node, "k", match), 412);
    assert_data(http(node.port(), http_request("GET", "/k")), "2");
    const Headers now{"If-Match: " + etag_of(node, "k")};
    assert_done(remove(node, "k", now));
    assert_refused(put(node, "k", kOne, now), 412);
    assert_refused(put(node, "k", kOne, {"If-Match: \"of another server\""}), 412);
    assert_refused(put(node, "k", kOne, {"If-Match: W/" + now[0].substr(10)}), 412);
    assert_refused(http(node.port(), http_request("GET", "/k")), 404);
  }

  void a_write_may_ask_for_presence_or_absence() {
    const BoardNode node;
    const Headers present{"If-Match: *"};
    const Headers absent{"If-None-Match: *"};
    assert_refused(put(node, "k", kOne, present), 412);
    assert_refused(remove(node, "k", present), 412);
    assert_done(put(node, "k", kOne, absent));
    assert_refused(put(node, "k", kTwo, absent), 412);
    assert_done(put(node, "k", kTwo, present));
    assert_data(http(node.port(), http_request("GET", "/k")), "2");
    assert_refused(remove(node, "k", absent), 412);
    assert_done(remove(node, "k", present));
    assert_done(put(node, "k", kOne, absent));  // deleted is absent
    assert_refused(http(node.port(), http_upload("POST", "/k", kOne)), 409, "exists");
    assert_refused(http(node.port(), http_upload("POST", "/k", kOne, absent)), 412);
  }

  void a_read_may_spare_what_is_known() {
    const BoardNode node;
    assert_done(put(node, "k", kOne));
    const std::string tag = etag_of(node, "k");
    RawConnection client(node.port());
    for (const std::string& known : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
      client.send(http_request("GET", "/k", {"If-None-Match: " + known}));
      const HttpResponse response = receive_http(client, false);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(known, 304, response.status);
      CPPUNIT_ASSERT_EQUAL(tag, response.header("etag"));
    }
    client.send(http_request("GET", "/k", {"If-None-Match: \"other\""}));
    assert_data(receive_http(client), "1");
  }

  void what_makes_no_sense_is_named() {
    const BoardNode node;
    assert_done(put(node, "k", kOne));
    assert_refused(put(node, "k", kTwo, {"If-Match: *", "If-None-Match: *"}), 400,
                   "If-Match and If-None-Match: want one of them");
    assert_refused(put(node, "k", kTwo, {"If-None-Match: \"tag\""}), 400, "If-None-Match of a write is *");
    for (const char* wrong : {"If-Match: tag", "If-Match: \"a\", \"b\"", "If-Match: \"", "If-Match: **"}) {
      assert_refused(put(node, "k", kTwo, {wrong}), 400, "If-Match is * or one ETag in its quotes");
    }
    assert_refused(http(node.port(), http_upload("POST", "/k", kTwo, {"If-Match: *"})), 400);
    // What a script sends whose variable was never set: it means a condition.
    for (const char* empty : {"If-Match:", "If-Match: ", "If-None-Match:"}) {
      assert_refused(put(node, "k", kTwo, {empty}), 400);
      assert_refused(remove(node, "k", {empty}), 400);
      assert_refused(http(node.port(), http_upload("POST", "/other", kTwo, {empty})), 400);
    }
    assert_refused(http(node.port(), http_request("GET", "/other")), 404);
    assert_data(http(node.port(), http_request("GET", "/k", {"If-None-Match:"})), "1");  // names no tag
    assert_data(http(node.port(), http_request("GET", "/k")), "1");
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(HttpConditionsTest, "http_conditions_test");

}  // namespace minivault::test
