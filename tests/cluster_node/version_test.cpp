// Goal: nodes whose builds do not speak the same version of the protocol between nodes refuse each other, say
// so in log and health, and harm nobody. Method: a real node, and in place of the other build its side of the
// conversation, by hand.

#include <algorithm>
#include <chrono>

#include "common/cluster/message.h"
#include "tests/client/fake_server.h"
#include "tests/cluster_node/clients.h"
#include "tests/support/frames.h"

namespace minivault::test {
namespace {

constexpr std::uint32_t kOther = cluster::kProtocolVersion - 1;
/// Attempts that come before the back-off has reached a second: 50, 100, 200, 400 and 800 ms behind the
/// first.
constexpr unsigned kFewShortOnes = 6;
constexpr const char* kRefusal = "the peer speaks version 1 of the protocol between nodes";

/// An older build: refuses every hello for its version.
void refuse_all(RawConnection& connection, unsigned /*number*/) {
  while (true) {
    const SeenRequest request = receive_request(connection);
    if (request.key != cluster::kHello) return;
    connection.send(ok_answer(cluster::encode_refusal(cluster::Reply::kOtherVersion, kRefusal)));
  }
}

std::string ask(RawConnection& connection, const std::string& hello) {
  connection.send(keyed_frame('\4', cluster::kHello) + little_endian(hello.size(), 4) + '\0' + hello);
  const std::string head = connection.receive(5);
  CPPUNIT_ASSERT_EQUAL('\0', head[0]);
  const auto size = static_cast<std::uint8_t>(head[1]) | static_cast<std::uint8_t>(head[2]) << 8U;
  return connection.receive(static_cast<std::size_t>(size));
}

}  // namespace

class VersionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(VersionTest);
  CPPUNIT_TEST(a_refusal_for_the_version_is_told_and_no_storm);
  CPPUNIT_TEST(a_caller_of_another_version_is_refused);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_refusal_for_the_version_is_told_and_no_storm() {
    const FakeServer other(refuse_all);
    const std::string address = "127.0.0.1:" + std::to_string(other.address().port);
    Node node({.environment = {{"CLUSTER_NODES", address}}});
    const auto peer_is_refused = [&] {
      const rapidjson::Document health = health_of(node);
      const auto peers = health["peers"].GetArray();
      return peers.Size() == 1 && std::string(peers[0]["state"].GetString()) == "refused" &&
             std::string(peers[0]["last_error"].GetString()) == kRefusal;
    };
    eventually("health tells", peer_is_refused);
    eventually("the log, too", [&] { return lines_with(node, kRefusal) > 0; });
    // However long ten more take on this machine: their back-offs double up to a second.
    constexpr unsigned kAttempts = 10;
    const auto began = std::chrono::steady_clock::now();
    const unsigned before = other.accepted();
    eventually("it is tried again and again", [&] { return other.accepted() >= before + kAttempts; });
    const unsigned attempts = other.accepted() - before;
    const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(attempts) + " in " + std::to_string(took.count()) + " ms",
                           took.count() >= (attempts - kFewShortOnes) * 900);
    CPPUNIT_ASSERT(lines_with(node, kRefusal) <= 2);  // once a minute
    CPPUNIT_ASSERT(peer_is_refused());
    CPPUNIT_ASSERT_EQUAL(std::string("degraded"), std::string(health_of(node)["status"].GetString()));
  }

  // Whatever stands behind the version: what it means only that version knows.
  void a_caller_of_another_version_is_refused() {
    const Node node;
    for (const std::uint32_t version : {kOther, cluster::kProtocolVersion + 1}) {
      for (const std::string& rest : {std::string(), std::string(300, '\xff')}) {
        RawConnection connection(node.port());
        const std::string answer = ask(connection, little_endian(version, 4) + rest);
        CPPUNIT_ASSERT_EQUAL(static_cast<char>(cluster::Reply::kOtherVersion), answer.at(0));
        for (const std::uint32_t named : {version, cluster::kProtocolVersion}) {
          CPPUNIT_ASSERT_MESSAGE(answer,
                                 answer.find("version " + std::to_string(named)) != std::string::npos);
        }
        CPPUNIT_ASSERT_EQUAL(kOk, connection.exchange(set_frame("k", "v"), 5));  // the connection goes on
      }
    }
    CPPUNIT_ASSERT_EQUAL(rapidjson::SizeType{0}, health_of(node)["peers"].GetArray().Size());
  }

 private:
  static rapidjson::Document health_of(const Node& node) {
    return parse_json(http(node.port(), http_request("GET", "/health")).body);
  }

  static std::ptrdiff_t lines_with(Node& node, const std::string& text) {
    const auto lines = node.supervisor().lines();
    return std::count_if(lines.begin(), lines.end(),
                         [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(VersionTest, "version_test");

}  // namespace minivault::test
