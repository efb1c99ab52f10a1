// Goal: whatever answers as a node's health, `minivault status` and `cluster` go on. Method: a server that
// says what no node says.

#include "common/admin/node_health.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/client/fake_server.h"

namespace minivault::test {

class NodeHealthTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(NodeHealthTest);
  CPPUNIT_TEST(members_of_another_kind_are_empty);
  CPPUNIT_TEST(members_are_listed);
  CPPUNIT_TEST(what_is_no_health_is_refused);
  CPPUNIT_TEST(what_is_shown_moves_no_terminal);
  CPPUNIT_TEST_SUITE_END();

  static Result<rapidjson::Document> health_that_says(const std::string& json) {
    const FakeServer server([&](RawConnection& connection, unsigned) {
      (void)receive_request(connection);
      connection.send(ok_answer(json));
    });
    admin::Arguments arguments;
    arguments.time_out = kPatience;
    return admin::health_at(arguments, server.address().text());
  }

 public:
  void members_of_another_kind_are_empty() {
    const Result<rapidjson::Document> health = health_that_says(R"({"quorum":{"needed":"two"},"peers":[7]})");
    CPPUNIT_ASSERT(health.has_value());
    const rapidjson::Value& peer = (*health)["peers"][0];
    CPPUNIT_ASSERT_EQUAL(std::string(), admin::text_of(peer, "state"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, admin::number_of(peer, "lag_bytes"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, admin::number_of((*health)["quorum"], "needed"));
  }

  // Older nodes say nothing of them.
  void members_are_listed() {
    const auto members_that = [](const std::string& says) {
      const auto health =
          health_that_says(R"({"quorum":{},"peers":[{"repair_owed":true},{"repair_owed":1}])" + says + "}");
      CPPUNIT_ASSERT(admin::is_true((*health)["peers"][0], "repair_owed"));
      CPPUNIT_ASSERT(!admin::is_true((*health)["peers"][1], "repair_owed"));
      CPPUNIT_ASSERT(!admin::is_true((*health)["peers"], "repair_owed"));
      return admin::members_in(*health);
    };
    CPPUNIT_ASSERT(members_that("").empty());
    CPPUNIT_ASSERT(members_that(R"(,"members":7)").empty());
    const auto members = members_that(R"(,"members":[{"id":"01","address":"a:1","state":"itself"},8])");
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, members.size());
    CPPUNIT_ASSERT(members[0].id == "01" && members[0].address == "a:1" && members[0].state == "itself");
    CPPUNIT_ASSERT(members[1].id.empty() && members[1].address.empty());
  }

  void what_is_no_health_is_refused() {
    for (const std::string& json :
         {std::string("[]"), std::string("{}"), std::string(R"({"quorum":[],"peers":[]})"),
          std::string(R"({"quorum":{},"peers":{}})"), "{\"quorum\":" + std::string(2'000'000, '[')}) {
      CPPUNIT_ASSERT_MESSAGE(json.substr(0, 40), !health_that_says(json));
    }
  }

  void what_is_shown_moves_no_terminal() {
    const Result<rapidjson::Document> health =
        health_that_says(R"({"quorum":{},"peers":[],"status":"\u001b[2Jhealthy"})");
    CPPUNIT_ASSERT_EQUAL(std::string("?[2Jhealthy"), admin::text_of(*health, "status"));
    CPPUNIT_ASSERT_EQUAL(std::string("a = ?\nb?"), admin::printable("a = \x1b\nb\x7f", admin::Lines::kMany));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(NodeHealthTest, "node_health_test");

}  // namespace minivault::test
