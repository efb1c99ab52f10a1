// Goal: of several repairs that are due the one that cannot wait goes first, also where one that can is under
// way. Method: a node that takes calls and never answers, so that no repair ends by itself.

#include "replicator/repairs.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <vector>

#include "common/core/unique_fd.h"
#include "common/shared/region.h"
#include "tests/support/loopback_listener.h"

namespace minivault::replicator {
namespace {

/// Whoever calls is let in by the kernel, and waits.
class SilentNode {
 public:
  [[nodiscard]] const client::Address& address() const { return address_; }

 private:
  test::LoopbackListener listener_ = test::listen_on_loopback();
  client::Address address_{"127.0.0.1", listener_.port};
};

class RepairsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RepairsTest);
  CPPUNIT_TEST(what_is_pressing_does_not_wait_for_what_is_routine);
  CPPUNIT_TEST(what_is_pressing_is_not_ended);
  CPPUNIT_TEST(what_is_owed_goes_first);
  CPPUNIT_TEST(one_with_who_is_forgotten_is_ended);
  CPPUNIT_TEST(one_with_who_is_lost_keeps_nobody_back);
  CPPUNIT_TEST(one_with_who_is_back_soon_goes_on);
  CPPUNIT_TEST_SUITE_END();

  static constexpr std::uint64_t kIntervalMs = 1'000;

 public:
  void setUp() override {
    config_.repair_interval = std::chrono::milliseconds(kIntervalMs);
    auto region = shared::Region::create(1 << 16);
    CPPUNIT_ASSERT(region.has_value());
    region_.emplace(std::move(*region));
    shared::ClusterBoard& board = region_->state().cluster;
    repairs_.emplace(config_, 1, node_.address(), board);
    peers_ = {peer(2, board.peers[0]), peer(3, board.peers[1])};
    tick(1);
  }
  void tearDown() override {
    repairs_.reset();
    region_.reset();
  }

  void what_is_pressing_does_not_wait_for_what_is_routine() {
    tick(1 + kIntervalMs);
    CPPUNIT_ASSERT(repairs_->under_way(2));
    tick(2 + kIntervalMs);
    CPPUNIT_ASSERT(repairs_->under_way(2));  // though one with 3 is due, too
    peers_[1].lead = 7;
    tick(3 + kIntervalMs);
    CPPUNIT_ASSERT(repairs_->under_way(3) && !repairs_->under_way(2));
  }

  void what_is_pressing_is_not_ended() {
    peers_[0].lead = 7;
    tick(2);
    CPPUNIT_ASSERT(repairs_->under_way(2));
    peers_[1].owed = true;
    tick(3);
    CPPUNIT_ASSERT(repairs_->under_way(2));
  }

  void what_is_owed_goes_first() {
    peers_[0].lead = 7;
    peers_[1].owed = true;
    tick(2);
    CPPUNIT_ASSERT(repairs_->under_way(3));
  }

  void one_with_who_is_forgotten_is_ended() {
    peers_[0].owed = true;
    tick(2);
    cluster::MemberSet members;
    CPPUNIT_ASSERT(members.forget(3));
    repairs_->end_with_forgotten(members);
    CPPUNIT_ASSERT(repairs_->under_way(2));
    CPPUNIT_ASSERT(members.forget(2));
    repairs_->end_with_forgotten(members);
    CPPUNIT_ASSERT(!repairs_->under_way(2));
  }

  void one_with_who_is_lost_keeps_nobody_back() {
    begin_owed_to_both();
    peers_[0].reachable = peers_[0].streams = false;
    tick(1 + kLostMs);
    CPPUNIT_ASSERT(repairs_->under_way(2));
    tick(2 + kLostMs);
    CPPUNIT_ASSERT(repairs_->under_way(3));
    // Nor does one with who is called no more.
    peers_ = {peers_[0]};
    peers_[0].reachable = peers_[0].streams = true;
    tick(2 + 2 * kLostMs);
    CPPUNIT_ASSERT(repairs_->under_way(2));
  }

  void one_with_who_is_back_soon_goes_on() {
    begin_owed_to_both();
    peers_[0].reachable = peers_[0].streams = false;
    tick(1 + kLostMs);
    peers_[0].reachable = true;
    tick(2 + kLostMs);
    peers_[0].reachable = false;
    tick(1 + 2 * kLostMs);
    CPPUNIT_ASSERT(repairs_->under_way(2));
  }

 private:
  static constexpr std::uint64_t kLostMs = 5'000;

  void begin_owed_to_both() {
    peers_[0].owed = peers_[1].owed = true;
    tick(2);
    CPPUNIT_ASSERT(repairs_->under_way(2));
  }
  [[nodiscard]] RepairPeer peer(cluster::NodeId id, shared::PeerPlace& place) const {
    return {.id = id,
            .address = node_.address(),
            .place = &place,
            .reachable = true,
            .streams = true,
            .debt = {}};
  }
  void tick(std::uint64_t now_ms) {
    repairs_->tick(now_ms, peers_, [](const Repairs::Done&) { CPPUNIT_FAIL("nobody answers"); });
  }

  SilentNode node_;
  Config config_;
  std::optional<shared::Region> region_;
  std::optional<Repairs> repairs_;
  std::vector<RepairPeer> peers_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RepairsTest, "repairs_test");

}  // namespace
}  // namespace minivault::replicator
