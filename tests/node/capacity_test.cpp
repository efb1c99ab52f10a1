// Goal: many connections, much data and bad manners cost a bounded amount of memory and nobody else's
// service. Method: thousands of idle connections, a data set many times the log, clients that send and do not
// read; memory is what /proc says of the node's processes. The size of the data set: MINIVAULT_CAPACITY_MB
// and MINIVAULT_CAPACITY_LOG_MB.

#include <sys/resource.h>

#include <cppunit/extensions/HelperMacros.h>

#include <iostream>

#include "common/client/connection.h"
#include "tests/support/bytes.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"
#include "tests/support/seed.h"

namespace minivault::test {

namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

/// The soft limit raised to the hard one.
std::uint64_t descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

void expect_served(std::uint16_t port) {
  RawConnection connection(port);
  const std::string answers = kOk + value_answer("served");
  CPPUNIT_ASSERT_EQUAL(
      to_hex(answers),
      to_hex(connection.exchange(set_frame("still", "served") + get_frame("still"), answers.size())));
}

/// A value that its number determines, from nothing to 40 KB, half of it compressible.
std::string value_of(std::uint64_t number) {
  std::mt19937_64 random(number);
  const std::size_t size = random() % 20'000;
  return std::to_string(number) + random_bytes(random, size) + std::string(size, 'x');
}

client::Connection connect(std::uint16_t port) {
  client::Options options;
  options.request_timeout = kPatience * 3;
  return client::Connection::open({"127.0.0.1", port}, options).value();
}

}  // namespace

class CapacityTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CapacityTest);
  CPPUNIT_TEST(holds_idle_connections);
  CPPUNIT_TEST(keeps_far_more_than_its_log);
  CPPUNIT_TEST(says_its_largest_value);
  CPPUNIT_TEST(pauses_a_client_that_does_not_read);
  CPPUNIT_TEST(waits_for_the_checkpointer);
  CPPUNIT_TEST(bounds_many_large_requests_in_flight);
  CPPUNIT_TEST_SUITE_END();

 public:
  void holds_idle_connections() {
    const std::uint64_t limit = descriptor_limit();
    const std::size_t count = limit > 11'000 ? 10'000 : 1'000;
    const Node node;
    const std::uint64_t before = node.memory_bytes();
    std::vector<std::unique_ptr<RawConnection>> idle;
    for (std::size_t i = 0; i < count; ++i) {
      idle.push_back(std::make_unique<RawConnection>(node.port()));
      if (i % 100 == 0) expect_served(node.port());
    }
    expect_served(node.port());
    const std::uint64_t each = (node.memory_bytes() - before) / count;
    std::cerr << count << " idle connections, " << each << " bytes each\n";
    CPPUNIT_ASSERT(each < 16'384);
    // Idle, not forgotten: half a request may wait as well, and every one is served in the end.
    for (const auto& connection : idle) connection->send(get_frame("still").substr(0, 4));
    expect_served(node.port());
    for (const auto& connection : idle) connection->send(get_frame("still").substr(4));
    for (const auto& connection : idle) CPPUNIT_ASSERT(connection->receive(11) == value_answer("served"));
  }

  void keeps_far_more_than_its_log() {
    const std::uint64_t megabytes = environment_number("MINIVAULT_CAPACITY_MB", 300);
    const std::uint64_t log_megabytes = environment_number("MINIVAULT_CAPACITY_LOG_MB", 16);
    Node node({.flags = {"-log", std::to_string(log_megabytes)}});
    const std::uint64_t keys = megabytes * kMegabyte / 20'000;
    std::uint64_t most_memory = 0;
    write_all(node, keys, most_memory);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, wrong_values(node, keys, most_memory));
    std::cerr << keys << " keys, most memory " << most_memory / kMegabyte << " MB\n";
    CPPUNIT_ASSERT(most_memory < (128 + 4 * log_megabytes) * kMegabyte);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    node.start();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, wrong_values(node, keys, most_memory));
    const auto health = parse_json(http(node.port(), http_request("GET", "/health")).body);
    CPPUNIT_ASSERT_EQUAL(keys, health["keys"].GetUint64());
  }

  void says_its_largest_value() {
    Node node(
        {.flags = {"-log", "64"}});  // and the default -max-value, which is larger than a quarter of that
    const auto health = parse_json(http(node.port(), http_request("GET", "/health")).body);
    const std::uint64_t largest = health["log"]["largest_value"].GetUint64();
    CPPUNIT_ASSERT(largest > 15 * kMegabyte && largest <= 16 * kMegabyte);
    client::Connection connection = connect(node.port());
    CPPUNIT_ASSERT(connection.set("k", std::string(largest, 'v')).has_value());
    CPPUNIT_ASSERT(!connection.set("k", std::string(largest + 1, 'w')).has_value());
    CPPUNIT_ASSERT(connection.get("k").value() == std::string(largest, 'v'));
  }

  // Answers of 1 GB are asked for and none is read: the node stops reading that client, and serves the
  // others.
  void pauses_a_client_that_does_not_read() {
    const Node node;
    expect_served(node.port());
    CPPUNIT_ASSERT(connect(node.port()).set("big", std::string(kMegabyte, 'b')).has_value());
    const std::uint64_t before = node.memory_bytes();
    std::vector<std::unique_ptr<RawConnection>> rude;
    for (int i = 0; i < 8; ++i) {
      rude.push_back(std::make_unique<RawConnection>(node.port()));
      std::string requests;
      for (int j = 0; j < 128; ++j) requests += get_frame("big");
      (void)rude.back()->send_until_stuck(requests, milliseconds(200));
    }
    for (int i = 0; i < 50; ++i) expect_served(node.port());
    std::cerr << "memory for answers nobody reads: " << (node.memory_bytes() - before) / kMegabyte << " MB\n";
    CPPUNIT_ASSERT(node.memory_bytes() < before + 100 * kMegabyte);
    // One of them begins to read: nothing is missing.
    const std::string answer = value_answer(std::string(kMegabyte, 'b'));
    for (int j = 0; j < 128; ++j) CPPUNIT_ASSERT(rude.front()->receive(answer.size()) == answer);
  }

  // With the checkpointer standing still the ring fills, writers wait, readers do not, and nothing is lost.
  void waits_for_the_checkpointer() {
    const Node node;
    expect_served(node.port());
    const pid_t checkpointer = node.child("checkpointer");
    suspend(checkpointer);
    RawConnection writer(node.port());
    std::string requests;
    for (int i = 0; i < 300; ++i) requests += set_frame("key" + std::to_string(i), std::string(100'000, 'v'));
    const std::size_t taken = writer.send_until_stuck(requests, milliseconds(300));
    CPPUNIT_ASSERT(taken < requests.size());
    RawConnection reader(node.port());
    CPPUNIT_ASSERT(reader.exchange(get_frame("still"), 11) == value_answer("served"));
    ::kill(checkpointer, SIGCONT);
    writer.send(std::string_view(requests).substr(taken));
    for (int i = 0; i < 300; ++i) CPPUNIT_ASSERT(writer.receive(5) == kOk);
    CPPUNIT_ASSERT(reader.exchange(get_frame("key299"), 100'005) == value_answer(std::string(100'000, 'v')));
  }

  // Each claims the largest value and sends half of it: what is held is bounded, and others are served.
  void bounds_many_large_requests_in_flight() {
    const Node node({.flags = {"-log", "64"}});
    const std::uint64_t before = node.memory_bytes();
    const std::string whole = set_frame("large", std::string(15 * kMegabyte, 'l'));
    std::vector<std::unique_ptr<RawConnection>> slow;
    for (int i = 0; i < 60; ++i) {
      slow.push_back(std::make_unique<RawConnection>(node.port()));
      (void)slow.back()->send_until_stuck(std::string_view(whole).substr(0, whole.size() / 2),
                                          milliseconds(20));
    }
    std::cerr << "memory for 60 half requests of 15 MB: " << (node.memory_bytes() - before) / kMegabyte
              << " MB\n";
    CPPUNIT_ASSERT(node.memory_bytes() < before + 400 * kMegabyte);
    for (int i = 0; i < 20; ++i) expect_served(node.port());
  }

 private:
  static void write_all(const Node& node, std::uint64_t keys, std::uint64_t& most_memory) {
    client::Connection connection = connect(node.port());
    for (std::uint64_t i = 0; i < keys; ++i) {
      CPPUNIT_ASSERT(connection.queue_set("key" + std::to_string(i), value_of(i)).has_value());
      while (connection.outstanding() >= 100 || (i + 1 == keys && connection.outstanding() > 0)) {
        const auto answer = connection.receive();
        CPPUNIT_ASSERT_MESSAGE(answer ? "" : answer.error().message, answer.has_value());
      }
      if (i % 1'000 == 0) most_memory = std::max(most_memory, node.memory_bytes());
    }
  }

  static std::uint64_t wrong_values(const Node& node, std::uint64_t keys, std::uint64_t& most_memory) {
    client::Connection connection = connect(node.port());
    std::uint64_t wrong = 0;
    std::uint64_t next = 0;
    for (std::uint64_t i = 0; i < keys; ++i) {
      for (; next < keys && connection.outstanding() < 100; ++next) {
        CPPUNIT_ASSERT(connection.queue_get("key" + std::to_string(next)).has_value());
      }
      if (connection.receive() != value_of(i)) ++wrong;
      if (i % 1'000 == 0) most_memory = std::max(most_memory, node.memory_bytes());
    }
    return wrong;
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CapacityTest, "capacity_test");

}  // namespace minivault::test
