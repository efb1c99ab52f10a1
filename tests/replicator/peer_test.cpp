// Goal: a peer is reached by whichever of its name's addresses takes the call, however many say nothing
// before that. Method: a Peer over an engine, whose calls a listener on loopback takes, and a name of the
// test's own.

#include "replicator/peer.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <optional>

#include "common/core/clock.h"
#include "tests/store/engine.h"
#include "tests/support/loopback_listener.h"
#include "tests/support/two_places.h"
#include "tests/support/wait.h"

namespace minivault::replicator {
namespace {

using test::in_turn;

class NoOwner final : public PeerOwner {
  Objection met(Peer& /*peer*/, const cluster::HelloReply& /*hello*/) override { return Objection::kNone; }
  void refused(Peer& /*peer*/, cluster::Reply /*reason*/) override {}
  Status conflicts(const Peer& /*peer*/, const Parcel& /*parcel*/,
                   const std::vector<cluster::Conflict>& /*conflicts*/) override {
    return {};
  }
};

class PeerTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PeerTest);
  CPPUNIT_TEST(the_last_of_many_addresses_is_called);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    engine_.start();
    store_.emplace(engine_.open_store());
    context_.emplace(ChildContext{engine_.config, engine_.region(), 1});
    home_.emplace(*context_, *store_);
    poller_.emplace(net::Poller::create().value());
    shelf_.emplace(*store_, home_->id(), 1);
    services_.emplace(PeerServices{engine_.config, *home_, *shelf_, *poller_, pool_, owner_});
  }
  void tearDown() override {
    peer_.reset();
    services_.reset();
    shelf_.reset();
    home_.reset();
    context_.reset();
    store_.reset();
  }

  // They take longer than the silence that ends a call.
  void the_last_of_many_addresses_is_called() {
    const test::SilentPlace elsewhere(listener_.port);
    peer_.emplace(*services_, std::string(test::kNameOfMany) + ":" + std::to_string(listener_.port),
                  engine_.state().cluster.peers[0]);
    test::eventually("it is called", [&] {
      turn();
      return engine_.state().cluster.peers[0].connections.load() > 0;
    });
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, engine_.state().cluster.peers[0].errors.load());
  }

 private:
  /// As a replicator's.
  void turn() {
    for (const net::Event& event : poller_->wait(20)) CPPUNIT_ASSERT(peer_->note(event));
    in_turn(*store_, [this] {
      const std::uint64_t now_ms = monotonic_ms();
      peer_->run(now_ms);
      peer_->tick(now_ms);
      return 0;
    });
    peer_->flush();
  }

  test::Engine engine_;
  const test::LoopbackListener listener_ = test::listen_on_loopback();
  NoOwner owner_;
  net::BlockPool pool_;
  std::optional<store::Store> store_;
  std::optional<ChildContext> context_;
  std::optional<Home> home_;
  std::optional<net::Poller> poller_;
  std::optional<Shelf> shelf_;
  std::optional<PeerServices> services_;
  std::optional<Peer> peer_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PeerTest, "peer_test");

}  // namespace
}  // namespace minivault::replicator
