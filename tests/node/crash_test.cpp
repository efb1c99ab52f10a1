// Goal: no process of the node can die at a moment that loses an acknowledged write or leaves anything stuck.
// Method: SIGKILL at random moments of random processes, or of the whole node, under a pipelined load that
// remembers what was acknowledged; afterwards every key holds its acknowledged value or one that was sent
// later, and the node reads and writes. Seconds for each storm: MINIVAULT_CRASH_SECONDS.

#include <cppunit/extensions/HelperMacros.h>

#include <iostream>

#include "tests/node/load.h"
#include "tests/support/http.h"
#include "tests/support/node.h"
#include "tests/support/seed.h"

namespace minivault::test {

namespace {

using Clock = std::chrono::steady_clock;

enum class Victim { kWorker, kCheckpointer, kNode };

/// Between two deaths: from "while it still starts" to "long since at full speed".
void wait_a_random_while(std::mt19937_64& random) {
  std::this_thread::sleep_for(milliseconds(random() % 2 == 0 ? random() % 30 : random() % 500));
}

void kill_child(const Node& node, const std::string& role, std::mt19937_64& random) {
  const std::vector<pid_t> pids = node.children(role);
  if (!pids.empty()) ::kill(pids[random() % pids.size()], SIGKILL);
}

void strike(Node& node, Load& load, Victim victim, std::mt19937_64& random) {
  switch (victim) {
    case Victim::kWorker:
      return kill_child(node, "worker", random);
    case Victim::kCheckpointer:
      return kill_child(node, "checkpointer", random);
    case Victim::kNode:
      node.kill();
      node.start();
      load.moved_to(node.port());
  }
}

}  // namespace

class CrashTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CrashTest);
  CPPUNIT_TEST(the_load_notices_a_loss);
  CPPUNIT_TEST(workers_die);
  CPPUNIT_TEST(the_checkpointer_dies);
  CPPUNIT_TEST(the_node_dies);
  CPPUNIT_TEST(everything_dies);
  CPPUNIT_TEST(everything_dies_with_sync_interval);
  CPPUNIT_TEST(everything_dies_without_sync);
  CPPUNIT_TEST_SUITE_END();

 public:
  // The judge judged: what somebody else takes away or turns back behind the load's back is found.
  void the_load_notices_a_loss() {
    for (const bool turn_back : {false, true}) {
      const Node node;
      Load load(node.port(), 1, 1);
      load.await_answers(2'000);
      load.stop_and_verify();
      CPPUNIT_ASSERT(load.violations().empty());
      auto thief = client::Connection::open({"127.0.0.1", node.port()}, {}).value();
      for (int i = 0; i < 100; ++i) {
        const std::string key = "writer0/" + std::to_string(i);
        CPPUNIT_ASSERT((turn_back ? thief.set(key, "an old value") : thief.remove(key)).has_value());
      }
      load.stop_and_verify();
      CPPUNIT_ASSERT(load.violations().size() > 50);
    }
  }

  void workers_die() { storm({Victim::kWorker}); }
  void the_checkpointer_dies() { storm({Victim::kCheckpointer}); }
  void the_node_dies() { storm({Victim::kNode}); }
  void everything_dies() { storm({Victim::kWorker, Victim::kWorker, Victim::kCheckpointer, Victim::kNode}); }

  // What these modes put at risk is a power cut; the death of processes takes nothing that was acknowledged.
  void everything_dies_with_sync_interval() {
    storm({Victim::kWorker, Victim::kCheckpointer, Victim::kNode}, "interval:50");
  }
  void everything_dies_without_sync() {
    storm({Victim::kWorker, Victim::kCheckpointer, Victim::kNode}, "none");
  }

 private:
  static void storm(const std::vector<Victim>& victims, const std::string& sync = "always") {
    const std::uint64_t chosen = seed();
    std::mt19937_64 random(chosen);
    Node node({.flags = {"-sync", sync}});
    Load load(node.port(), chosen);
    load.await_answers(100);
    const auto end = Clock::now() + std::chrono::seconds(environment_number("MINIVAULT_CRASH_SECONDS", 3));
    unsigned deaths = 0;
    for (; Clock::now() < end; ++deaths) {
      wait_a_random_while(random);
      strike(node, load, victims[random() % victims.size()], random);
    }
    load.await_answers(100);  // nothing is stuck: every writer goes on
    load.stop_and_verify();
    report(load, deaths);
    // A stop without a checkpointer leaves no clean end, and says so by its status.
    eventually("its checkpointer is back",
               [&] { return http(node.port(), http_request("GET", "/health")).status == 200; });
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    node.start();
    load.moved_to(node.port());
    load.stop_and_verify();
    report(load, deaths);
  }

  static void report(const Load& load, unsigned deaths) {
    const Load::Counts counts = load.counts();
    std::cerr << deaths << " deaths, " << counts.acknowledged << " requests answered, " << counts.unanswered
              << " not, " << counts.reconnects << " reconnects\n";
    for (const std::string& what : load.violations()) std::cerr << "VIOLATION " << what << '\n';
    CPPUNIT_ASSERT_MESSAGE("see the violations above", load.violations().empty());
    CPPUNIT_ASSERT(counts.acknowledged > 0);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CrashTest, "crash_test");

}  // namespace minivault::test
