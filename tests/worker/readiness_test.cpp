// Goal: a node is called ready exactly when it can take reads and writes of a quorum, and says what is
// missing. Method: shared memory put into each state by hand.

#include "worker/readiness.h"

#include <cppunit/extensions/HelperMacros.h>

#include <optional>

#include "common/core/clock.h"
#include "common/shared/region.h"
#include "tests/support/http.h"

namespace minivault::worker {

class ReadinessTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReadinessTest);
  CPPUNIT_TEST(alone_and_well);
  CPPUNIT_TEST(each_obstacle_is_named);
  CPPUNIT_TEST(several_at_once);
  CPPUNIT_TEST(the_answer_is_json);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    Result<shared::Region> region = shared::Region::create(64);
    CPPUNIT_ASSERT(region.has_value());
    region_.emplace(std::move(*region));
    state().slots_used.store(1);
    region_->slot(0).role.store(shared::Role::kCheckpointer);
    region_->slot(0).state.store(shared::ChildState::kReady);
    state().cluster.needed.store(0);
    state().cluster.complete.store(1);
  }

  void alone_and_well() { CPPUNIT_ASSERT(look().empty()); }

  void each_obstacle_is_named() {
    state().failure.store(shared::Failure::kLogSync);
    assert_only("the log cannot be synced");
    state().failure.store(shared::Failure::kLogWrite);
    assert_only("the log cannot be written");
    state().failure.store(shared::Failure::kBaseSync);
    assert_only("the base cannot be written");
    state().failure.store(shared::Failure::kNone);
    region_->slot(0).state.store(shared::ChildState::kStarting);
    assert_only("no checkpointer is ready");
    region_->slot(0).state.store(shared::ChildState::kReady);
    state().base_full.store(1);
    assert_only("the disk is full");
    state().base_full.store(0);
    state().cluster.id_taken.store(1);
    assert_only("another live node has this node's id");
    state().cluster.id_taken.store(0);
    state().cluster.needed.store(shared::kNotYetKnown);
    assert_only("the cluster is not yet known");
    state().cluster.needed.store(2);
    state().cluster.reachable.store(1);
    assert_only("no quorum: 2 of the 3 nodes needed can be had");
    state().cluster.reachable.store(2);
    state().cluster.replicator_turn_ms.store(monotonic_ms() - 5'000);
    assert_only("no quorum: the replicator stands still");
    state().cluster.replicator_turn_ms.store(monotonic_ms() + 60'000);
    state().cluster.complete.store(0);
    assert_only("this node is still being filled");
    state().base_damage.store(shared::kDamageNoted);
    assert_only("the base is damaged, what it lost comes back from the peers");
    state().recount_after.store(shared::kNoLsn);
    assert_only("the base is damaged beyond repair: wipe this node and let its peers fill it");
    state().recount_after.store(0);
    state().base_damage.store(shared::kNoDamage);
    state().cluster.complete.store(1);
    CPPUNIT_ASSERT(look().empty());
  }

  void several_at_once() {
    state().base_full.store(1);
    state().failure.store(shared::Failure::kLogSync);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, look().size());
  }

  void the_answer_is_json() {
    const auto ready = test::parse_json(readiness_json({}));
    CPPUNIT_ASSERT(ready["success"].IsTrue() && ready["ready"].IsTrue());
    const std::vector<std::string> reasons{"a \"quoted\" one", "another"};
    const auto not_ready = test::parse_json(readiness_json(reasons));
    CPPUNIT_ASSERT(not_ready["success"].IsFalse());
    CPPUNIT_ASSERT_EQUAL(std::string("not ready"), std::string(not_ready["error"].GetString()));
    CPPUNIT_ASSERT_EQUAL(rapidjson::SizeType{2}, not_ready["reasons"].Size());
    CPPUNIT_ASSERT_EQUAL(reasons[0], std::string(not_ready["reasons"][0].GetString()));
  }

 private:
  [[nodiscard]] shared::State& state() const { return region_->state(); }
  [[nodiscard]] std::vector<std::string> look() const { return obstacles(Config{}, state()); }

  void assert_only(const std::string& reason) const {
    const std::vector<std::string> seen = look();
    CPPUNIT_ASSERT_EQUAL_MESSAGE(reason, std::size_t{1}, seen.size());
    CPPUNIT_ASSERT_EQUAL(reason, seen.front());
  }

  std::optional<shared::Region> region_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReadinessTest, "readiness_test");

}  // namespace minivault::worker
