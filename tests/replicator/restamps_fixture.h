#pragma once

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/clock.h"
#include "replicator/restamps.h"
#include "tests/store/engine.h"
#include "tests/support/wait.h"

namespace minivault::test {

/// Restamps over a store of its own, told of conflicts by hand.
class RestampsFixture : public CppUnit::TestFixture {
 public:
  void setUp() override {
    engine_ = std::make_unique<Engine>();
    engine_->config.cluster_nodes = {"peer:1"};  // tombstones are kept
    engine_->start();
    store_.emplace(engine_->open_store());
    restamps_ = std::make_unique<Restamps>(*store_, engine_->state().limits.node_id.load());
  }
  void tearDown() override {
    restamps_.reset();
    store_.reset();
    engine_.reset();
  }

 protected:
  using Lsn = shared::Lsn;
  using Restamps = replicator::Restamps;

  /// The newest record of the log; its texts are good until the store is closed.
  store::Change last() {
    store::Change found;
    in_turn(*store_, [&] {
      const Lsn from = engine_->state().marks.window.load();
      return store_->read_changes(from, ~std::uint64_t{0}, [&](const store::Change& change) {
        found = change;
        return true;
      });
    });
    return found;
  }
  store::Change put(std::string_view key, std::string_view value) {
    test::put(*store_, key, value);
    return last();
  }
  store::Change erase(std::string_view key) {
    test::remove(*store_, key);
    return last();
  }
  /// As a client's write on a condition.
  store::Change swap(std::string_view key, const store::Version& expected, std::string_view value) {
    store::Write write;
    write.key = key;
    write.value = value;
    write.flags = store::kFlagConditional;
    write.condition = store::Condition::kVersionIs;
    write.expected = expected;
    CPPUNIT_ASSERT(test::commit_one(*store_, write).outcome == store::WriteResult::Outcome::kDone);
    return last();
  }
  bool is_beaten(const store::Change& record) {
    return shared::is_beaten(engine_->state().cluster.beaten, record.end);
  }
  /// Another node's record comes here that is newer than this one.
  store::Version beat(std::string_view key, const store::Change& record) {
    store::Write theirs;
    theirs.key = key;
    theirs.value = "theirs";
    theirs.condition = store::Condition::kNewerThanHeld;
    theirs.version = {record.version.hlc + 5, 9};
    CPPUNIT_ASSERT(test::commit_one(*store_, theirs).outcome == store::WriteResult::Outcome::kDone);
    return theirs.version;
  }
  void conflict(const store::Change& record, const store::Version& held, Lsn told) {
    conflict_once(record, held, told);
    for (; restamps_->has_to_retry();) retry(0);
  }
  void conflict_once(const store::Change& record, const store::Version& held, Lsn told = 0) {
    in_turn(*store_, [&] {
      restamps_->conflict(record, held, told);
      return 0;
    });
  }
  void retry(Lsn told) {
    in_turn(*store_, [&] {
      restamps_->retry(told);
      return 0;
    });
  }
  /// Until writes are not slowed down for what was written before.
  void await_room() {
    engine_->checkpoint_now();
    const auto& paced_until_ns = engine_->state().append.paced_until_ns;
    eventually("there is room", [&] { return paced_until_ns.load() <= monotonic_ns(); });
  }
  /// As a checkpointer that is behind does.
  void hold_writes(bool hold) { engine_->state().append.paced_until_ns.store(hold ? ~std::uint64_t{0} : 0); }
  Lsn cap(Lsn quorum, Lsn told = 0) { return restamps_->cap(quorum, told); }
  unsigned flags_of(std::string_view key) {
    return in_turn(*store_, [&] { return unsigned{store_->get(key).value().flags}; });
  }
  store::Version version_of(std::string_view key) {
    return in_turn(*store_, [&] { return store_->get(key).value().version; });
  }

  std::unique_ptr<Engine> engine_;
  std::optional<store::Store> store_;
  std::unique_ptr<Restamps> restamps_;
};

}  // namespace minivault::test
