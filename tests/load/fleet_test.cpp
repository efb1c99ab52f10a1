// Goal: a run charges the server for what it never answered, sends exactly what it was asked to, and lasts as
// long as it says. Method: servers that do what the test says.

#include "common/load/fleet.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <string>

#include "common/core/clock.h"
#include "tests/client/fake_server.h"

namespace minivault::load {
namespace {

using test::FakeServer;
using test::RawConnection;

/// Answers the first `answered` requests, reads on until there were `requests`, and closes.
FakeServer::Script stops_answering(int answered, int requests, std::atomic<std::uint64_t>* closed_ns) {
  return [=](RawConnection& connection, unsigned) {
    for (int i = 0; i < requests; ++i) {
      (void)test::receive_request(connection);
      if (i < answered) connection.send(test::ok_answer());
    }
    *closed_ns = monotonic_ns();
  };
}

struct Played {
  Tally tally;
  std::uint64_t start_ns = 0;
};

Played play(const FakeServer& server, std::uint64_t rate, std::uint64_t requests, std::uint64_t pipeline) {
  Options options;
  options.servers = {server.address()};
  options.connections = 1;
  options.keys = 10;
  options.rate = rate;
  options.requests = requests;
  options.pipeline = pipeline;
  const Values values(options.value_bytes);
  auto fleet = Fleet::open(options);
  CPPUNIT_ASSERT(fleet.has_value());
  fleet->prepare(options, values);
  Played played;
  played.start_ns = monotonic_ns();
  played.tally = fleet->play(options, values, [](std::uint64_t) { return true; });
  return played;
}

}  // namespace

class FleetTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FleetTest);
  CPPUNIT_TEST(what_an_open_loop_never_got_is_in_the_latencies_and_the_rate);
  CPPUNIT_TEST(what_a_closed_loop_never_got_is_in_the_latencies_and_the_rate);
  CPPUNIT_TEST(an_open_loop_lasts_as_long_as_its_schedule);
  CPPUNIT_TEST(an_open_loop_sends_as_many_as_it_was_asked_to);
  CPPUNIT_TEST(a_greeting_that_is_answered_in_no_protocol_is_refused);
  CPPUNIT_TEST_SUITE_END();

 public:
  void what_an_open_loop_never_got_is_in_the_latencies_and_the_rate() {
    std::atomic<std::uint64_t> closed_ns = 0;
    const FakeServer server(stops_answering(100, 500, &closed_ns));
    const Played played = play(server, 1000, 500, 10'000);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, played.tally.answered);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{400}, played.tally.lost);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{500}, played.tally.latency.count());
    // It closed when the last had come, which was not due before 499 ms: 250 of all waited for at least 149
    // ms then, and 50 for at least 349 ms.
    CPPUNIT_ASSERT(played.tally.latency.quantile_ns(0.5) >= 140'000'000);
    CPPUNIT_ASSERT(played.tally.latency.quantile_ns(0.9) >= 340'000'000);
    CPPUNIT_ASSERT(played.tally.finished_ns >= closed_ns);
  }

  void what_a_closed_loop_never_got_is_in_the_latencies_and_the_rate() {
    std::atomic<std::uint64_t> closed_ns = 0;
    const FakeServer server(stops_answering(10, 20, &closed_ns));
    const Played played = play(server, 0, 20, 10);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, played.tally.answered);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, played.tally.lost);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20}, played.tally.latency.count());
    CPPUNIT_ASSERT(played.tally.finished_ns >= closed_ns);
  }

  /// Else two requests a tenth of a second apart would be twenty a second.
  void an_open_loop_lasts_as_long_as_its_schedule() {
    const FakeServer server(test::echo);
    const Played played = play(server, 10, 2, 1);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, played.tally.errors());
    CPPUNIT_ASSERT(played.tally.finished_ns >= played.start_ns + 200'000'000);
  }

  /// At a rate whose period is no whole number of ns.
  void an_open_loop_sends_as_many_as_it_was_asked_to() {
    const FakeServer server(test::echo);
    for (const auto& [rate, requests] : {std::pair{58U, 29U}, {29U, 7U}, {3'000U, 1'000U}}) {
      const Played played = play(server, rate, requests, 100);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{requests}, played.tally.answered);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, played.tally.errors());
    }
  }

  void a_greeting_that_is_answered_in_no_protocol_is_refused() {
    const FakeServer server([](RawConnection& connection, unsigned number) {
      connection.send("$\n");
      test::ignore(connection, number);
    });
    Options options;
    options.servers = {server.address()};
    options.protocol = Protocol::kResp;
    options.auth_key = "key";
    const auto fleet = Fleet::open(options);
    CPPUNIT_ASSERT(!fleet.has_value());
    CPPUNIT_ASSERT_EQUAL(server.address().text() + ": its answer is not one of this protocol",
                         fleet.error().message);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FleetTest, "fleet_test");

}  // namespace minivault::load
