// Goal: what the cluster tests stand on works: callers are told apart, clocks are as wrong as they were set,
// nodes and directories come and go. Method: one node that knows of no other, and this process as a caller.

#include <cppunit/extensions/HelperMacros.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/cluster.h"
#include "tests/support/cluster_callers.h"
#include "tests/support/frames.h"

namespace minivault::test {
namespace {

ClusterOptions alone() {
  ClusterOptions options;
  options.nodes = 1;
  options.environment = {{"CLUSTER_NODES", ""}};
  return options;
}

void set(Cluster& cluster, const std::string& key) {
  RawConnection client(cluster.port(0));
  CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame(key, "value"), 5));
}

/// Of the only key, in milliseconds since 1970.
std::int64_t stamp(const std::string& dump) {
  const auto json = parse_json(dump.substr(0, dump.find('\n')));
  return static_cast<std::int64_t>(std::stoull(json["version"].GetString()) >> 16U);
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A node looks at its clock several times a second.
void await_stamps(Cluster& cluster, milliseconds ahead) {
  eventually("it stamps by the clock that it was given", [&] {
    set(cluster, "k");
    return std::abs(stamp(cluster.dump(0)) - now_ms() - ahead.count()) < 60'000;
  });
}

}  // namespace

class FixtureTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FixtureTest);
  CPPUNIT_TEST(a_socket_is_traced_to_its_process);
  CPPUNIT_TEST(a_stranger_gets_through_no_proxy);
  CPPUNIT_TEST(clocks_are_wrong_as_told);
  CPPUNIT_TEST(a_node_is_killed_restarted_and_wiped);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_socket_is_traced_to_its_process() {
    Cluster cluster(alone());
    const RawConnection client(cluster.port(0));
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&address), &size);
    const std::uint64_t here = socket_between(ntohs(address.sin_port), cluster.port(0));
    CPPUNIT_ASSERT(here != 0);
    CPPUNIT_ASSERT(family_has_socket(::getpid(), here));
    CPPUNIT_ASSERT(!family_has_socket(::getpid(), here + 1'000'000'000));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, socket_between(1, cluster.port(0)));

    const pid_t node = cluster.node(0).supervisor().pid();
    CPPUNIT_ASSERT(!family_has_socket(node, here));
    eventually("the accepting end belongs to the node", [&] {
      return family_has_socket(node, socket_between(cluster.port(0), ntohs(address.sin_port)));
    });
  }

  // Only nodes do: whoever is none has no link that could fail.
  void a_stranger_gets_through_no_proxy() {
    const Cluster cluster(alone());
    const std::string address = cluster.address(0);
    const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(address.find(':') + 1)));
    std::string answer;
    try {
      RawConnection stranger(port);
      stranger.send(health_frame());
      answer = stranger.receive_until_close();
    } catch (const std::runtime_error&) {
      // reset before it was made, or before it was asked
    }
    CPPUNIT_ASSERT_EQUAL(std::string(), answer);
  }

  void clocks_are_wrong_as_told() {
    Cluster cluster(alone());
    constexpr milliseconds kHour{3'600'000};
    await_stamps(cluster, milliseconds(0));
    cluster.set_clock(0, kHour);
    await_stamps(cluster, kHour);
    cluster.stop(0);
    cluster.wipe(0);
    cluster.set_clock(0, -kHour);
    cluster.start(0);
    await_stamps(cluster, -kHour);
  }

  void a_node_is_killed_restarted_and_wiped() {
    Cluster cluster(alone());
    set(cluster, "k");
    cluster.kill(0);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0}, cluster.port(0));
    CPPUNIT_ASSERT((parse_dump(cluster.dump(0)) == Content{{"k", "value"}}));
    cluster.start(0);
    CPPUNIT_ASSERT((cluster.converge() == Content{{"k", "value"}}));
    cluster.restart(0);
    cluster.await_reachable(0, 1);
    cluster.stop(0);
    cluster.wipe(0);
    cluster.start(0);
    CPPUNIT_ASSERT(cluster.converge().empty());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FixtureTest, "fixture_test");

}  // namespace minivault::test
