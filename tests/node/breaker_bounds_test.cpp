// Goal: what many rude clients, or a disk that stands still, may cost a node is bounded: memory, processor
// time, lines in the log. Method: clients that ask and never read, a checkpointer that is stopped; the cost
// is what /proc says of the worker.

#include <cppunit/extensions/HelperMacros.h>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>

#include "tests/support/frames.h"
#include "tests/support/node.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {

namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

double cpu_seconds(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  CPPUNIT_ASSERT_EQUAL(0, ::clock_getcpuclockid(pid, &clock));
  CPPUNIT_ASSERT_EQUAL(0, ::clock_gettime(clock, &used));
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

class BreakerBoundsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BreakerBoundsTest);
  CPPUNIT_TEST(many_clients_that_do_not_read_share_a_bound);
  CPPUNIT_TEST(waiting_for_room_costs_no_processor);
  CPPUNIT_TEST(refused_writes_do_not_flood_the_log);
  CPPUNIT_TEST_SUITE_END();

 public:
  void many_clients_that_do_not_read_share_a_bound() {
    const Node node({.flags = {"-procs", "1"}});
    const std::string value(16'000, 'v');
    RawConnection decent(node.port());
    CPPUNIT_ASSERT(decent.exchange(set_frame("v", value), 5) == kOk);
    const std::uint64_t before = node.memory_bytes();
    std::string requests;
    for (int i = 0; i < 1'500; ++i) requests += get_frame("v");
    std::vector<std::unique_ptr<RawConnection>> rude;
    for (int i = 0; i < 300; ++i) {
      rude.push_back(std::make_unique<RawConnection>(node.port()));
      rude.back()->send(requests);
    }
    const pid_t worker = node.child("worker");
    double used = -1;
    eventually("the worker has gone as far as it will", [&] {
      std::this_thread::sleep_for(milliseconds(500));
      const double now = cpu_seconds(worker);
      return now < std::exchange(used, now) + 0.01;
    });
    const std::uint64_t seen = node.memory_bytes();
    std::cerr << "memory for 300 clients that do not read: " << (seen - before) / kMegabyte << " MB\n";
    CPPUNIT_ASSERT(seen < before + 280 * kMegabyte);
    CPPUNIT_ASSERT(decent.exchange(get_frame("v"), 5 + value.size()) == value_answer(value));
    // Whoever begins to read after all gets everything.
    for (int i = 0; i < 1'500; ++i)
      CPPUNIT_ASSERT(rude.back()->receive(5 + value.size()) == value_answer(value));
  }

  void waiting_for_room_costs_no_processor() {
    const Node node({.flags = {"-procs", "1", "-write-timeout", "1m"}});
    const pid_t worker = node.child("worker");
    const pid_t checkpointer = node.child("checkpointer");
    suspend(checkpointer);
    RawConnection writer(node.port());
    std::string requests;
    for (int i = 0; i < 300; ++i) requests += set_frame("key" + std::to_string(i), std::string(100'000, 'v'));
    const std::size_t taken = writer.send_until_stuck(requests, milliseconds(500));
    CPPUNIT_ASSERT(taken < requests.size());
    const double before = cpu_seconds(worker);
    std::this_thread::sleep_for(milliseconds(2'000));
    const double used = cpu_seconds(worker) - before;
    std::cerr << "processor time of 2 s of waiting for room: " << used << " s\n";
    CPPUNIT_ASSERT(used < 0.3);
    ::kill(checkpointer, SIGCONT);
    writer.send(std::string_view(requests).substr(taken));
    for (int i = 0; i < 300; ++i) CPPUNIT_ASSERT(writer.receive(5) == kOk);
  }

  void refused_writes_do_not_flood_the_log() {
    Node node({.flags = {"-procs", "1", "-write-timeout", "10ms"}});
    const pid_t checkpointer = node.child("checkpointer");
    suspend(checkpointer);
    RawConnection writer(node.port());
    std::string requests;
    for (int i = 0; i < 1'000; ++i)
      requests += set_frame("key" + std::to_string(i), std::string(100'000, 'v'));
    writer.send(requests);  // all but what the log has room for is refused, ten at a time
    const auto is_refusal = [](const std::string& line) {
      return line.find("writes refused") != std::string::npos;
    };
    CPPUNIT_ASSERT(node.supervisor().line(is_refusal).has_value());
    ::kill(checkpointer, SIGCONT);
    int refused = 0;
    for (int i = 0; i < 1'000; ++i) refused += writer.receive(5) == kError ? 1 : 0;
    CPPUNIT_ASSERT(refused > 100);
    // Twenty in a row, then one a while that says how many were not written.
    const std::vector<std::string> lines = node.supervisor().lines();
    CPPUNIT_ASSERT(std::count_if(lines.begin(), lines.end(), is_refusal) <= 30);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BreakerBoundsTest, "breaker_bounds_test");

}  // namespace minivault::test
