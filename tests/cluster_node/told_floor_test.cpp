// Goal: the stable floor rises by what all members say under one set, and counts once it is on disk. Method:
// a real node beside a fake one, of whose word nothing else keeps the floor; all syncs held up.

#include <array>
#include <csignal>

#include "common/core/clock.h"
#include "tests/cluster_node/clients.h"
#include "tests/cluster_node/fake_node.h"

namespace minivault::test {
namespace {

/// Two members, both complete, with a tombstone.
struct Two {
  FakeNode other;
  Cluster cluster{{.nodes = 1, .flags = {"-procs", "1"}, .start = false}};
  std::uint64_t hlc = 0;  ///< up to this the fake one could say that it holds all

  Two() {
    cluster.start(0, {{"CLUSTER_NODES", ""}});
    other.call(cluster.port(0));
    cluster.await_reachable(0, 2);
    CPPUNIT_ASSERT(connect(cluster, 0).remove("k"));
    eventually("it is in the base", [&] { return cluster.health(0)["tombstones"].GetUint64() == 1; });
    hlc = wall_ms() << store::kHlcCounterBits;
    other.call(cluster.port(0), hlc);
  }

  [[nodiscard]] std::uint64_t floor() const { return cluster.health(0)["floor_hlc"].GetUint64(); }

  /// The fake one has told so often that the node has long looked at it.
  void await_words() const {
    const unsigned pulses = other.pulses();
    eventually("it tells", [&] { return other.pulses() > pulses + 10; });
  }
};

}  // namespace

class ToldFloorTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ToldFloorTest);
  CPPUNIT_TEST(a_word_under_another_set_raises_no_floor);
  CPPUNIT_TEST(a_floor_is_on_disk_before_it_counts);
  CPPUNIT_TEST_SUITE_END();

 public:
  // Somebody may have come in that one of the two does not count yet.
  void a_word_under_another_set_raises_no_floor() {
    Two two;
    two.other.say([&](FakeNode::Words& words) {
      words.knows_another_set = true;
      words.holds_up_to = two.hlc;
    });
    two.await_words();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, two.floor());
    two.other.say([](FakeNode::Words& words) { words.knows_another_set = false; });
    eventually("the floor rises", [&] { return two.floor() > 0; });
  }

  // Else a start could know less than what it had purged before. The checkpointer syncs the log; it stands
  // still, and who would end it for that.
  void a_floor_is_on_disk_before_it_counts() {
    Two two;
    Node& node = two.cluster.node(0);
    const std::array<pid_t, 2> stopped{node.child("checkpointer"), node.supervisor().pid()};
    for (const pid_t pid : stopped) ::kill(pid, SIGSTOP);
    two.other.say([&](FakeNode::Words& words) { words.holds_up_to = two.hlc; });
    two.await_words();
    const std::uint64_t before = two.floor();
    for (const pid_t pid : stopped) ::kill(pid, SIGCONT);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, before);
    eventually("the floor rises", [&] { return two.floor() > 0; });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ToldFloorTest, "told_floor_test");

}  // namespace minivault::test
