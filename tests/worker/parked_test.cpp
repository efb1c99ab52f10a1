// Goal: a client whose answer waits for the disk and that is gone before its next write is settled is waited
// for no more, and hurts nobody. Method: the disk and the pace of writers are the test's (board_node.h).

#include <cppunit/extensions/HelperMacros.h>

#include <string>

#include "common/core/clock.h"
#include "tests/support/frames.h"
#include "tests/worker/board_node.h"

namespace minivault::test {
namespace {

Config patient() {
  Config config;
  config.write_timeout = 3 * kPatience;
  return config;
}

/// Sends a write and waits until it is in the log; where that ends.
shared::Lsn write(const BoardNode& node, RawConnection& client, const std::string& key) {
  const shared::Lsn before = node.tail();
  client.send(set_frame(key, "v"));
  eventually("the write is in the log", [&] { return node.tail() > before; });
  return node.tail();
}

}  // namespace

class ParkedTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ParkedTest);
  CPPUNIT_TEST(a_client_that_is_gone_with_a_write_in_the_queue_waits_for_no_mark);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_client_that_is_gone_with_a_write_in_the_queue_waits_for_no_mark() {
    const BoardNode node(patient());
    RawConnection reader(node.port());
    CPPUNIT_ASSERT_EQUAL(kOk, reader.exchange(set_frame("seen", "1"), 5));
    node.hold_disk();
    RawConnection gone(node.port());
    RawConnection other(node.port());
    const shared::Lsn first = write(node, gone, "first");
    const shared::Lsn second = write(node, other, "second");
    node.state().append.paced_until_ns.store(monotonic_ns() + 600'000'000'000);
    gone.send(set_frame("queued", "v"));
    pass_turns(reader);
    gone.reset();
    pass_turns(reader);
    reach(node, first);  // its answer leaves, and does not arrive
    pass_turns(reader);
    reach(node, second);
    CPPUNIT_ASSERT_EQUAL(kOk, other.receive(5));
    pass_turns(reader);

    node.state().append.paced_until_ns.store(0);
    node.release_disk();
    CPPUNIT_ASSERT_EQUAL(kOk, reader.exchange(set_frame("late", "v"), 5));
    CPPUNIT_ASSERT_EQUAL(value_answer("v"), reader.exchange(get_frame("queued"), 6));
    const auto& open = node.state().slots[kWorkerSlot].counters.connections_open;
    eventually("only those who are here are counted", [&] { return open.load() == 2; });
  }

 private:
  static constexpr unsigned kWorkerSlot = 1;

  /// The worker takes up what came first, first: once it has answered twice it has seen what was before.
  static void pass_turns(RawConnection& reader) {
    for (int i = 0; i < 2; ++i)
      CPPUNIT_ASSERT_EQUAL(value_answer("1"), reader.exchange(get_frame("seen"), 6));
  }

  static void reach(const BoardNode& node, shared::Lsn durable) {
    node.state().marks.durable.store(durable);
    node.ring_worker();
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ParkedTest, "parked_test");

}  // namespace minivault::test
