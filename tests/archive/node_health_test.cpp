// Goal: whatever answers as a node's health, `minivault status` and `cluster` go on. Method: a server that
// says what no node says.

#include "common/admin/node_health.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/client/fake_server.h"
#include "tests/support/child_process.h"

namespace minivault::test {

class NodeHealthTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(NodeHealthTest);
  CPPUNIT_TEST(members_of_another_kind_are_empty);
  CPPUNIT_TEST(the_progress_of_a_repair_is_a_share);
  CPPUNIT_TEST(members_are_listed);
  CPPUNIT_TEST(a_member_is_the_peer_at_its_address);
  CPPUNIT_TEST(of_two_members_at_an_address_none_is_taken_for_the_peer);
  CPPUNIT_TEST(who_may_be_a_peer_without_id_is_not_called_lost);
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

  /// What `minivault cluster` shows of a node with these peers and members.
  static std::string shown(const std::string& peers, const std::string& members) {
    const std::string json = R"({"quorum":{},"peers":[)" + peers + R"(],"members":[)" + members + "]}";
    const FakeServer server([&](RawConnection& connection, unsigned) {
      (void)receive_request(connection);
      connection.send(ok_answer(json));
    });
    const Finished done = run({minivault_binary(), "cluster", server.address().text()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    return done.out;
  }
  static std::string member(const std::string& id, const std::string& address, const std::string& state) {
    return R"({"id":")" + id + R"(","address":")" + address + R"(","state":")" + state + R"("})";
  }
  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  static constexpr const char* kLost = "no peer says to be it: forget it if its disk is gone";
  static constexpr const char* kMayBe = "may be a peer above whose id is not known";

 public:
  void members_of_another_kind_are_empty() {
    const Result<rapidjson::Document> health = health_that_says(R"({"quorum":{"needed":"two"},"peers":[7]})");
    CPPUNIT_ASSERT(health.has_value());
    const rapidjson::Value& peer = (*health)["peers"][0];
    CPPUNIT_ASSERT_EQUAL(std::string(), admin::text_of(peer, "state"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, admin::number_of(peer, "lag_bytes"));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, admin::number_of((*health)["quorum"], "needed"));
  }

  // It is done when nothing is said of it any more, not when an estimate is reached.
  void the_progress_of_a_repair_is_a_share() {
    const auto progress_of = [](const std::string& peer) {
      const auto health = health_that_says(R"({"quorum":{},"peers":[)" + peer + "]}");
      return admin::repair_progress_of((*health)["peers"][0]);
    };
    CPPUNIT_ASSERT_EQUAL(std::string("41%"), progress_of(R"({"repair_keys":419,"repair_keys_of":1000})"));
    CPPUNIT_ASSERT_EQUAL(std::string("0%"), progress_of(R"({"repair_keys":0,"repair_keys_of":1000})"));
    CPPUNIT_ASSERT_EQUAL(std::string("99%"), progress_of(R"({"repair_keys":1000,"repair_keys_of":1000})"));
    CPPUNIT_ASSERT_EQUAL(std::string("99%"), progress_of(R"({"repair_keys":9000,"repair_keys_of":1000})"));
    CPPUNIT_ASSERT_EQUAL(std::string(), progress_of(R"({"repair_keys":0,"repair_keys_of":0})"));
    CPPUNIT_ASSERT_EQUAL(std::string(), progress_of("{}"));  // of older nodes
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

  void a_member_is_the_peer_at_its_address() {
    const std::string out =
        shown(R"({"address":"a:1","state":"unreachable"})",
              member("01", "a:1", "unreachable") + "," + member("02", "b:1", "not_called"));
    CPPUNIT_ASSERT_MESSAGE(out, has(out, "  01  ") && has(out, "a:1 ") && has(out, "  not called "));
    CPPUNIT_ASSERT_MESSAGE(out, out.find("a:1 ") == out.rfind("a:1 "));
    CPPUNIT_ASSERT_MESSAGE(out, has(out, kLost) && !has(out, kMayBe));
  }

  // Whoever reads its id there forgets the wrong one.
  void of_two_members_at_an_address_none_is_taken_for_the_peer() {
    const std::string unheard =
        member("01", "name:1", "unreachable") + "," + member("02", "name:1", "unreachable");
    const std::string out = shown(R"({"address":"name:1","state":"unreachable"})", unheard);
    const std::string peer = out.substr(out.find("\nname:1") + 1);
    CPPUNIT_ASSERT_MESSAGE(out, !has(peer.substr(0, peer.find('\n')), "01"));
    CPPUNIT_ASSERT_MESSAGE(out, has(peer, " 01 ") && has(peer, " 02 "));
    CPPUNIT_ASSERT_MESSAGE(out, has(out, kMayBe) && !has(out, kLost));
    // Also where one of them has answered: it may do so at that address.
    const std::string other =
        shown(R"({"address":"b:1","id":"01","state":"streaming"},{"address":"name:1","state":"unreachable"})",
              unheard);
    CPPUNIT_ASSERT_MESSAGE(other, has(other, kMayBe) && !has(other, kLost));
  }

  // Listed by one address, noted by another.
  void who_may_be_a_peer_without_id_is_not_called_lost() {
    const std::string noted = member("01", "name:1", "itself") + "," + member("02", "name:1", "not_called");
    std::string out = shown(R"({"address":"b:1","state":"unreachable"})", noted);
    CPPUNIT_ASSERT_MESSAGE(out, has(out, " 02 ") && has(out, kMayBe) && !has(out, kLost));
    out =
        shown(R"({"address":"b:1","id":"03","state":"streaming"},{"address":"c:1","state":"itself"})", noted);
    CPPUNIT_ASSERT_MESSAGE(out, has(out, " 02 ") && has(out, kLost) && !has(out, kMayBe));
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
