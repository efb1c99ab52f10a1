// Goal: to its clients each key of a node is one register, whichever of its processes they are connected to
// and whatever dies. Method: clients write down the begin and end of each call while workers, the
// checkpointer and the whole node are killed; a call without an answer may take effect at any time, or never.
// Then the judge of tests/support/linearizability.h. Seconds: MINIVAULT_CRASH_SECONDS.

#include <cppunit/extensions/HelperMacros.h>

#include <iostream>
#include <random>

#include "common/client/connection.h"
#include "common/core/clock.h"
#include "tests/support/linearizability.h"
#include "tests/support/node.h"
#include "tests/support/seed.h"

namespace minivault::test {

namespace {

constexpr unsigned kKeys = 3;

using Kind = RegisterCall::Kind;
using Outcome = RegisterCall::Outcome;

/// One client with a thread and a connection of its own.
class RegisterClient {
 public:
  RegisterClient(const std::atomic<std::uint16_t>& port, unsigned number, std::uint64_t seed)
      : port_(port), number_(number), random_(seed), thread_([this](const std::stop_token& s) { run(s); }) {}

  void stop() {
    thread_.request_stop();
    thread_.join();
  }
  [[nodiscard]] const std::vector<RegisterCall>& calls(unsigned key) const { return calls_[key]; }
  [[nodiscard]] const std::string& violation() const { return violation_; }

 private:
  void run(const std::stop_token& stop) {
    client::Options options;
    options.request_timeout = kPatience;
    while (!stop.stop_requested()) {
      auto connection = client::Connection::open({"127.0.0.1", port_}, options);
      if (!connection) std::this_thread::sleep_for(milliseconds(2));
      while (connection && connection->usable() && !stop.stop_requested()) call(*connection);
    }
  }

  void call(client::Connection& connection) {
    const unsigned key = random_() % kKeys;
    const std::string name = "register" + std::to_string(key);
    const std::uint64_t dice = random_() % 20;
    const std::uint64_t value = dice == 0 ? 0 : ++written_ * 100 + number_;
    RegisterCall call{dice < 9 ? Kind::kWrite : Kind::kRead, Outcome::kUnknown, value, 0, monotonic_ns()};
    if (call.kind == Kind::kRead) {
      const auto found = connection.get(name);
      const bool absent = !found && found.error().code == Code::kNotFound;
      if (found || absent) call.outcome = Outcome::kDone;
      call.value = found ? number_in(*found) : 0;
    } else {
      const std::string filler(random_() % 50 == 0 ? 100'000 : random_() % 200, '.');
      const Status done =
          value == 0 ? connection.remove(name) : connection.set(name, std::to_string(value) + filler);
      if (done) call.outcome = Outcome::kDone;
    }
    if (call.outcome == Outcome::kDone) call.end = monotonic_ns();
    calls_[key].push_back(call);
  }

  std::uint64_t number_in(const std::string& value) {
    std::size_t digits = 0;
    const std::uint64_t number = std::stoull(value, &digits);
    if (value.find_first_not_of('.', digits) != std::string::npos) violation_ = "a value that nobody wrote";
    return number;
  }

  const std::atomic<std::uint16_t>& port_;
  unsigned number_;
  std::mt19937_64 random_;
  std::uint64_t written_ = 0;
  std::array<std::vector<RegisterCall>, kKeys> calls_;
  std::string violation_;
  std::jthread thread_;
};

}  // namespace

class LinearizabilityTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LinearizabilityTest);
  CPPUNIT_TEST(nobody_dies);
  CPPUNIT_TEST(everything_dies);
  CPPUNIT_TEST(everything_dies_without_sync);
  CPPUNIT_TEST_SUITE_END();

 public:
  void nobody_dies() { run(false, "always"); }
  void everything_dies() { run(true, "always"); }
  void everything_dies_without_sync() { run(true, "none"); }

 private:
  static void run(bool deadly, const std::string& sync) {
    const std::uint64_t chosen = seed();
    std::mt19937_64 random(chosen);
    Node node({.flags = {"-sync", sync}});
    std::atomic<std::uint16_t> port = node.port();
    std::vector<std::unique_ptr<RegisterClient>> clients;
    for (unsigned i = 0; i < 5; ++i) clients.push_back(std::make_unique<RegisterClient>(port, i, chosen + i));
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::seconds(environment_number("MINIVAULT_CRASH_SECONDS", 3));
    while (std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(milliseconds(random() % 150));
      if (deadly) strike(node, port, random);
    }
    for (const auto& client : clients) client->stop();
    for (unsigned key = 0; key < kKeys; ++key) judge(clients, key);
  }

  static void strike(Node& node, std::atomic<std::uint16_t>& port, std::mt19937_64& random) {
    if (random() % 4 == 0) {
      node.kill();
      node.start();
      port = node.port();
      return;
    }
    const std::vector<pid_t> victims = node.children(random() % 2 == 0 ? "worker" : "checkpointer");
    if (!victims.empty()) ::kill(victims[random() % victims.size()], SIGKILL);
  }

  static void judge(const std::vector<std::unique_ptr<RegisterClient>>& clients, unsigned key) {
    std::vector<RegisterCall> history;
    for (const auto& client : clients) {
      CPPUNIT_ASSERT_EQUAL(std::string(), client->violation());
      history.insert(history.end(), client->calls(key).begin(), client->calls(key).end());
    }
    std::cerr << history.size() << " calls\n";
    CPPUNIT_ASSERT(history.size() > 20);
    if (!is_linearizable(history)) CPPUNIT_FAIL(explain(history));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LinearizabilityTest, "linearizability_test");

}  // namespace minivault::test
