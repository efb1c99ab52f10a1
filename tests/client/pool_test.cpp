// Goal: the pool reuses what is whole, drops what is not, and never lends more than its limit.
// Method: a scripted server that counts connections, and threads that fight for them.

#include "common/client/pool.h"

#include <cppunit/extensions/HelperMacros.h>

#include "tests/client/fake_server.h"

namespace minivault::client {

using namespace minivault::test;

class PoolTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PoolTest);
  CPPUNIT_TEST(reuses_an_idle_connection);
  CPPUNIT_TEST(lends_no_more_than_its_limit);
  CPPUNIT_TEST(shares_few_connections_among_many_threads);
  CPPUNIT_TEST(replaces_a_connection_that_the_node_closed);
  CPPUNIT_TEST(drops_a_connection_with_unread_answers);
  CPPUNIT_TEST(a_failed_connect_gives_its_place_back);
  CPPUNIT_TEST_SUITE_END();

 public:
  void reuses_an_idle_connection() {
    FakeServer server(echo);
    Pool pool(server.address(), {}, 4);
    for (int i = 0; i < 20; ++i) CPPUNIT_ASSERT_EQUAL(std::string("k"), pool.get("k").value());
    CPPUNIT_ASSERT(pool.set("k", "v").has_value());
    CPPUNIT_ASSERT(pool.remove("k").has_value());
    CPPUNIT_ASSERT(pool.health().has_value());
    CPPUNIT_ASSERT_EQUAL(1U, server.accepted());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, pool.idle());
  }

  void lends_no_more_than_its_limit() {
    FakeServer server(echo);
    Options options;
    options.connect_timeout = milliseconds(100);
    Pool pool(server.address(), options, 2);
    auto first = pool.take();
    {
      const auto second = pool.take();
      CPPUNIT_ASSERT(first.has_value() && second.has_value());
      const auto third = pool.take();
      CPPUNIT_ASSERT(!third.has_value());
      CPPUNIT_ASSERT(third.error().code == Code::kBusy);
    }
    CPPUNIT_ASSERT(pool.take().has_value());
    eventually("both connections arrive", [&] { return server.accepted() == 2; });
  }

  void shares_few_connections_among_many_threads() {
    FakeServer server(echo);
    Pool pool(server.address(), {}, 3);
    std::atomic<int> right = 0;
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < 50; ++i) {
            const std::string key = std::to_string(t) + '/' + std::to_string(i);
            if (pool.get(key) == key) ++right;
          }
        });
      }
    }
    CPPUNIT_ASSERT_EQUAL(400, right.load());
    CPPUNIT_ASSERT(server.accepted() <= 3);
  }

  void replaces_a_connection_that_the_node_closed() {
    FakeServer server([](RawConnection& connection, unsigned) {
      connection.send(ok_answer(receive_request(connection).key));
    });
    Pool pool(server.address(), {}, 1);
    for (unsigned i = 1; i <= 5; ++i) {
      auto lease = pool.take();
      CPPUNIT_ASSERT(lease.has_value());
      CPPUNIT_ASSERT_EQUAL(std::string("k"), (*lease)->get("k").value());
      eventually("the close is noticed", [&] { return !(*lease)->usable(); });
      CPPUNIT_ASSERT_EQUAL(i, server.accepted());
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, pool.idle());
  }

  void drops_a_connection_with_unread_answers() {
    FakeServer server(echo);
    Pool pool(server.address(), {}, 1);
    {
      auto lease = pool.take();
      CPPUNIT_ASSERT((*lease)->queue_get("left behind").has_value());
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, pool.idle());
    CPPUNIT_ASSERT_EQUAL(std::string("k"), pool.get("k").value());
  }

  void a_failed_connect_gives_its_place_back() {
    Address nobody;
    {
      FakeServer server(echo);
      nobody = server.address();
    }
    Options options;
    options.connect_timeout = milliseconds(100);
    Pool pool(nobody, options, 1);
    for (int i = 0; i < 3; ++i) {
      const auto value = pool.get("k");
      CPPUNIT_ASSERT(!value.has_value());
      CPPUNIT_ASSERT(value.error().code == Code::kUnavailable);  // not kBusy: the place is free again
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PoolTest, "pool_test");

}  // namespace minivault::client
