// Goal: on a full disk a write is taken as long as the log has room, also the first after a pause, and
// refused at once, with the true reason, when it has none. Method: a node that is told that its disk is full,
// whose clock is set and whose checkpointer is held by the test (board_node.h); its patience is longer than
// the test's, so who is refused was not refused for having waited.

#include <cppunit/extensions/HelperMacros.h>

#include <string>

#include "common/core/clock.h"
#include "common/store/node_clock.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/worker/board_node.h"

namespace minivault::test {
namespace {

constexpr unsigned kWorkerSlot = 1;

Config patient(SyncMode::Kind sync) {
  Config config;
  config.write_timeout = 10 * kPatience;
  config.sync.kind = sync;
  return config;
}

std::string key_of(int number) {
  return "key" + std::to_string(number);
}

}  // namespace

class WriteRoomTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(WriteRoomTest);
  CPPUNIT_TEST(a_full_disk_takes_the_first_write_after_a_pause);
  CPPUNIT_TEST(a_full_log_on_a_full_disk_refuses_at_once);
  CPPUNIT_TEST_SUITE_END();

 public:
  /// Which waits for one sync: what versions may be given is used up.
  void a_full_disk_takes_the_first_write_after_a_pause() {
    constexpr std::int64_t kPauseUs = 60'000'000;
    const BoardNode node(patient(SyncMode::Kind::kAlways));
    RawConnection client(node.port());
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame("key", "value"), 5));
    shared::AppendLock& append = node.state().append;
    for (const std::int64_t pauses : {1, 2}) {
      node.state().base_full.store(1);
      append.clock_offset.store(store::hlc_of_us(wall_minus_boot_us() + pauses * kPauseUs));
      CPPUNIT_ASSERT(append.hlc_ceiling.load() < store::node_clock(append));
      const std::string frame = pauses == 1 ? delete_frame("key") : set_frame("key", "again");
      CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(frame, 5));
    }
    CPPUNIT_ASSERT_EQUAL(value_answer("again"), client.exchange(get_frame("key"), 10));
  }

  void a_full_log_on_a_full_disk_refuses_at_once() {
    const BoardNode node(patient(SyncMode::Kind::kNone));
    node.state().append.hlc_ceiling.store(store::kEndOfTime);  // nothing waits for a sync
    node.hold_disk();
    node.state().base_full.store(1);
    RawConnection client(node.port());
    const std::string value(1'000'000, 'v');
    int stored = 0;
    while (client.exchange(set_frame(key_of(stored), value), 5) == kOk) ++stored;
    CPPUNIT_ASSERT(stored >= 12 && stored <= 16);
    const std::string octets = std::string("Content-Type: ") + kOctets;
    assert_refused(http(node.port(), http_upload("PUT", "/more", value, {octets})), 503,
                   "no space left on the device");
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(delete_frame(key_of(0)), 5));  // that fits

    // Who waits for room when the disk turns out to be full is told then.
    node.state().base_full.store(0);
    node.state().append.paced_until_ns.store(0);
    client.send(set_frame(key_of(stored), value));
    const auto& ticket = node.state().slots[kWorkerSlot].space_ticket;
    eventually("it waits for room", [&] { return ticket.load() != 0; });
    node.state().base_full.store(1);
    CPPUNIT_ASSERT_EQUAL(kError, client.receive(5));

    node.state().base_full.store(0);
    node.release_disk();
    CPPUNIT_ASSERT_EQUAL(kOk, client.exchange(set_frame(key_of(stored), value), 5));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(WriteRoomTest, "write_room_test");

}  // namespace minivault::test
