// Goal: nobody counts for the majority unseen: who cannot be found under any address is shown all the same,
// and can be forgotten. Method: nodes that are listed by their addresses and all say of themselves that they
// are to be called at one and the same name, as machines do whose -public-url was left at "localhost".

#include <algorithm>
#include <filesystem>

#include "tests/cluster_node/clients.h"
#include "tests/support/http_assert.h"
#include "tests/support/metrics.h"
#include "tests/support/processes.h"

namespace minivault::test {
namespace {

/// Three of them, at addresses that stay. The name is nobody's: each is to reach the others by the list
/// alone.
class NamelessNodes {
 public:
  NamelessNodes() {
    std::string list;
    std::vector<std::uint16_t> ports;
    for (int i = 0; i < 3; ++i) {
      ports.push_back(free_port());
      list += (list.empty() ? "127.0.0.1:" : ",127.0.0.1:") + std::to_string(ports.back());
    }
    const std::string name = "localhost:" + std::to_string(free_port());
    for (const std::uint16_t port : ports) {
      nodes_.push_back(std::make_unique<Node>(
          NodeOptions{.flags = {"-port", std::to_string(port), "-public-url", name, "-procs", "1"},
                      .environment = {{"CLUSTER_NODES", list}}}));
    }
  }

  Node& operator[](std::size_t i) { return *nodes_[i]; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  [[nodiscard]] rapidjson::Document health(std::size_t i) const {
    return parse_json(http(nodes_[i]->port(), http_request("GET", "/health")).body);
  }
  [[nodiscard]] std::string id(std::size_t i) const { return health(i)["node"].GetString(); }

  /// That all are well, and a write needs so many of them.
  void await(unsigned needed) const {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      eventually("node " + std::to_string(i) + " is well and needs " + std::to_string(needed), [&] {
        const auto says = health(i);
        return says["quorum"]["needed"].GetUint() == needed && says["quorum"]["reachable"].GetUint() == 3 &&
               says["complete"].GetBool();
      });
    }
  }

  /// From its second start on a node is a member as it calls itself, not as it was listed.
  void become_nameless() {
    await(2);
    for (const auto& node : nodes_) {
      CPPUNIT_ASSERT_EQUAL(0, node->stop());
      node->start();
      await(2);
    }
  }
  void await_unheard(std::size_t i, double count) const {
    eventually("/metrics counts it",
               [&] { return Metrics(nodes_[i]->port())["minivault_members_unheard"] == count; });
  }
  /// What `minivault cluster` says of a member at node i; empty: nothing.
  [[nodiscard]] std::string line_of(const std::string& member, std::size_t i) const {
    const Finished list = run({minivault_binary(), "cluster", nodes_[i]->address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(list.err, 0, list.status);
    const std::size_t at = list.out.find(' ' + member + "  ");  // not the first line, which is of node i
    return at == std::string::npos ? "" : list.out.substr(at, list.out.find('\n', at) - at);
  }
  /// Its state among the members in node i's health.
  [[nodiscard]] std::string state_of(const std::string& member, std::size_t i) const {
    const auto says = health(i);
    for (const auto& each : says["members"].GetArray()) {
      if (each["id"].GetString() == member) return each["state"].GetString();
    }
    return "";
  }

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace

class GhostTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(GhostTest);
  CPPUNIT_TEST(a_ghost_under_ones_own_name_is_shown);
  CPPUNIT_TEST(a_member_that_has_not_answered_is_named_by_its_id);
  CPPUNIT_TEST(one_that_is_merely_down_is_not_called_lost);
  CPPUNIT_TEST_SUITE_END();

 public:
  // A node with a new disk does not come to the address of the member that it was, and nobody calls that one,
  // for it has everybody's own name: 3 of 4 are needed instead of 2 of 3, whatever becomes of it.
  void a_ghost_under_ones_own_name_is_shown() {
    NamelessNodes nodes;
    nodes.become_nameless();
    const std::string ghost = nodes.id(2);
    CPPUNIT_ASSERT_EQUAL(std::string("streaming"), nodes.state_of(ghost, 0));
    nodes[2].kill();
    std::filesystem::remove_all(nodes[2].data());
    nodes[2].start();
    nodes.await(3);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      // One that was told the name by a caller dials it.
      const std::string state = nodes.state_of(ghost, i);
      CPPUNIT_ASSERT_MESSAGE(state, state == "not_called" || state == "unreachable");
      CPPUNIT_ASSERT_MESSAGE("node " + std::to_string(i) + " names it", !nodes.line_of(ghost, i).empty());
      CPPUNIT_ASSERT_EQUAL(std::string("itself"), nodes.state_of(nodes.id(i), i));
      nodes.await_unheard(i, 1);
    }
    const Finished done = run({minivault_binary(), "cluster", "forget", ghost, nodes[0].address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    // It waits until that has happened.
    CPPUNIT_ASSERT_EQUAL(std::string(), nodes.line_of(ghost, 0));
    nodes.await(2);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      CPPUNIT_ASSERT_EQUAL(std::string(), nodes.state_of(ghost, i));
      nodes.await_unheard(i, 0);
    }
    assert_done(http(nodes[2].port(), http_upload("PUT", "/k", R"({"value":1})")));
  }

  // After a start nobody has said yet who it is: who is to be forgotten is known from the members.
  void a_member_that_has_not_answered_is_named_by_its_id() {
    Cluster cluster({.flags = {"-procs", "1"}});
    cluster.await_quorum();
    const std::string gone = cluster.health(2)["node"].GetString();
    cluster.kill(2);
    cluster.restart(0);
    cluster.await_reachable(0, 2);
    const Finished list = run({minivault_binary(), "cluster", cluster.node(0).address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(list.err, 0, list.status);
    CPPUNIT_ASSERT_MESSAGE(list.out, list.out.find(' ' + gone + "  unreachable") != std::string::npos);
    const Finished done = run({minivault_binary(), "cluster", "forget", gone, cluster.node(0).address()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    CPPUNIT_ASSERT_EQUAL(2U, cluster.health(0)["members"].Size());
  }

  // Listed by an address, noted by the name that all say to have: which of the two rows is which is not
  // known.
  void one_that_is_merely_down_is_not_called_lost() {
    NamelessNodes nodes;
    nodes.become_nameless();
    const std::string down = nodes.id(2);
    nodes[2].kill();
    CPPUNIT_ASSERT_EQUAL(0, nodes[0].stop());
    nodes[0].start();
    eventually("it has found the other",
               [&] { return nodes.health(0)["quorum"]["reachable"].GetUint() == 2; });
    const std::string line = nodes.line_of(down, 0);
    CPPUNIT_ASSERT_MESSAGE(line, line.find("may be a peer above whose id is not known") != std::string::npos);
    nodes[2].start();
    eventually("it is known again", [&] { return nodes.state_of(down, 0) == "streaming"; });
    CPPUNIT_ASSERT(nodes.line_of(down, 0).find("counts for the majority") == std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(GhostTest, "ghost_test");

}  // namespace minivault::test
