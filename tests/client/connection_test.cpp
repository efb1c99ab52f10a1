// Goal: one connection says exactly what PROTOCOL.md says, gives answers back in order, and calls every
// failure by its right name. Method: a scripted server in this process that answers right, wrong, late, in
// pieces or not at all.

#include "common/client/connection.h"

#include <cppunit/extensions/HelperMacros.h>

#include "tests/client/fake_server.h"
#include "tests/support/bytes.h"

namespace minivault::client {

using namespace minivault::test;

namespace {

Options hasty() {
  Options options;
  options.request_timeout = milliseconds(200);
  return options;
}

Connection open(const FakeServer& server, const Options& options = {}) {
  auto connection = Connection::open(server.address(), options);
  CPPUNIT_ASSERT_MESSAGE(connection ? "" : connection.error().message, connection.has_value());
  return std::move(*connection);
}

template <typename R>
void assert_fails(Code code, const R& result) {
  CPPUNIT_ASSERT(!result.has_value());
  CPPUNIT_ASSERT_EQUAL_MESSAGE(result.error().message, static_cast<int>(code),
                               static_cast<int>(result.error().code));
}

/// Answers each exchange's request with its answer, and closes at the first other request.
FakeServer::Script expecting(std::vector<std::pair<std::string, std::string>> exchanges) {
  return [exchanges](RawConnection& connection, unsigned) {
    for (const auto& [request, answer] : exchanges) {
      if (connection.receive(from_hex(request).size()) != from_hex(request)) return;
      connection.send(from_hex(answer));
    }
  };
}

}  // namespace

class ConnectionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ConnectionTest);
  CPPUNIT_TEST(speaks_the_examples_of_the_protocol);
  CPPUNIT_TEST(authenticates_first);
  CPPUNIT_TEST(tells_a_refused_key);
  CPPUNIT_TEST(answers_of_a_pipeline_come_in_order);
  CPPUNIT_TEST(reads_while_it_writes);
  CPPUNIT_TEST(puts_an_answer_together_from_single_bytes);
  CPPUNIT_TEST(refuses_a_wrong_key_without_sending);
  CPPUNIT_TEST(calls_each_refusal_by_its_name);
  CPPUNIT_TEST(gives_up_on_a_silent_server);
  CPPUNIT_TEST(gives_up_on_a_server_that_drips);
  CPPUNIT_TEST(tells_a_lost_write_from_one_never_sent);
  CPPUNIT_TEST(tells_every_request_of_a_lost_pipeline);
  CPPUNIT_TEST(counts_answers_sent_before_the_close);
  CPPUNIT_TEST(does_not_believe_nonsense);
  CPPUNIT_TEST(notices_a_closed_idle_connection);
  CPPUNIT_TEST(tells_an_unreachable_node);
  CPPUNIT_TEST_SUITE_END();

 public:
  void speaks_the_examples_of_the_protocol() {
    FakeServer server(expecting({
        {"02 0500 6d796b6579 0b000000 00 68656c6c6f20776f726c64", "00 00000000"},
        {"01 0500 6d796b6579", "00 0b000000 68656c6c6f20776f726c64"},
        {"01 0500 6e6f6b6579", "ff 00000000"},
        {"03 0500 6d796b6579", "00 00000000"},
        {"02 0100 6b 02000000 01 7a7a", "00 00000000"},
    }));
    Connection connection = open(server);
    CPPUNIT_ASSERT(connection.set("mykey", "hello world").has_value());
    CPPUNIT_ASSERT_EQUAL(std::string("hello world"), connection.get("mykey").value());
    assert_fails(Code::kNotFound, connection.get("nokey"));
    CPPUNIT_ASSERT(connection.remove("mykey").has_value());
    CPPUNIT_ASSERT(connection.set("k", "zz", Encoding::kZstdFrame).has_value());
  }

  void authenticates_first() {
    FakeServer server(
        expecting({{"06 0900 7365637265746b6579", "00 00000000"}, {"01 0100 6b", "00 01000000 76"}}));
    Options options;
    options.auth_key = "secretkey";
    CPPUNIT_ASSERT_EQUAL(std::string("v"), open(server, options).get("k").value());
  }

  void tells_a_refused_key() {
    FakeServer server(expecting({{"06 0100 78", "ff 00000000"}}));
    Options options;
    options.auth_key = "x";
    assert_fails(Code::kUnauthorized, Connection::open(server.address(), options));
  }

  void answers_of_a_pipeline_come_in_order() {
    FakeServer server(echo);
    Connection connection = open(server);
    for (int i = 0; i < 1'000; ++i)
      CPPUNIT_ASSERT(connection.queue_get("key" + std::to_string(i)).has_value());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1'000}, connection.outstanding());
    for (int i = 0; i < 1'000; ++i)
      CPPUNIT_ASSERT_EQUAL("key" + std::to_string(i), connection.receive().value());
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, connection.outstanding());
    CPPUNIT_ASSERT_EQUAL(std::string("again"), connection.get("again").value());
  }

  // The server reads no further than it can answer, so 60 MB of requests and as many of answers cannot all
  // wait in the kernel's buffers: a client that writes everything first would never come to an end.
  void reads_while_it_writes() {
    const std::string key(60'000, 'k');
    FakeServer server(echo);
    Connection connection = open(server);
    for (int i = 0; i < 1'000; ++i) CPPUNIT_ASSERT(connection.queue_get(key).has_value());
    for (int i = 0; i < 1'000; ++i) CPPUNIT_ASSERT(connection.receive().value() == key);
  }

  void puts_an_answer_together_from_single_bytes() {
    FakeServer server([](RawConnection& connection, unsigned) {
      (void)receive_request(connection);
      for (const char byte : ok_answer("slow")) connection.send({&byte, 1});
      (void)connection.receive_until_close();
    });
    CPPUNIT_ASSERT_EQUAL(std::string("slow"), open(server).get("k").value());
  }

  void refuses_a_wrong_key_without_sending() {
    FakeServer server(echo);
    Connection connection = open(server);
    assert_fails(Code::kInvalidArgument, connection.get(""));
    assert_fails(Code::kInvalidArgument, connection.set("", "v"));
    assert_fails(Code::kInvalidArgument, connection.remove(std::string(65'536, 'k')));
    CPPUNIT_ASSERT_EQUAL(std::string(65'535, 'k'), connection.get(std::string(65'535, 'k')).value());
  }

  void calls_each_refusal_by_its_name() {
    FakeServer server([](RawConnection& connection, unsigned) {
      for (;;) {
        (void)receive_request(connection);
        connection.send(kErrorAnswer);
      }
    });
    Connection connection = open(server);
    assert_fails(Code::kNotFound, connection.get("k"));
    assert_fails(Code::kOutcomeUnknown, connection.set("k", "v"));
    assert_fails(Code::kOutcomeUnknown, connection.remove("k"));
    assert_fails(Code::kUnavailable, connection.health());
    CPPUNIT_ASSERT(connection.usable());
  }

  void gives_up_on_a_silent_server() {
    FakeServer server([](RawConnection& connection, unsigned) { (void)connection.receive_until_close(); });
    Connection connection = open(server, hasty());
    assert_fails(Code::kTimedOut, connection.get("k"));
    CPPUNIT_ASSERT(!connection.usable());
    assert_fails(Code::kTimedOut, connection.get("k"));  // at once: the connection is done with
  }

  void gives_up_on_a_server_that_drips() {
    FakeServer server([](RawConnection& connection, unsigned) {
      (void)receive_request(connection);
      connection.send(ok_answer(std::string(100'000, 'v')).substr(0, 5));
      for (;;) {
        (void)connection.silent_for(milliseconds(20));
        connection.send("v");
      }
    });
    assert_fails(Code::kTimedOut, open(server, hasty()).get("k"));
  }

  void tells_a_lost_write_from_one_never_sent() {
    FakeServer closing([](RawConnection& connection, unsigned) { (void)receive_request(connection); });
    assert_fails(Code::kOutcomeUnknown, open(closing).set("k", "v"));
    assert_fails(Code::kOutcomeUnknown, open(closing).remove("k"));
    assert_fails(Code::kUnavailable, open(closing).get("k"));

    FakeServer silent(ignore);
    assert_fails(Code::kOutcomeUnknown, open(silent, hasty()).set("k", "v"));
    const std::string more_than_any_buffer(64 << 20, 'v');
    assert_fails(Code::kTimedOut, open(silent, hasty()).set("k", more_than_any_buffer));
  }

  void tells_every_request_of_a_lost_pipeline() {
    FakeServer server([](RawConnection& connection, unsigned) {
      (void)receive_request(connection);
      (void)receive_request(connection);
      (void)receive_request(connection);
      connection.send(ok_answer());
    });
    Connection connection = open(server);
    CPPUNIT_ASSERT(connection.queue_set("a", "1").has_value());
    CPPUNIT_ASSERT(connection.queue_set("b", "2").has_value());
    CPPUNIT_ASSERT(connection.queue_get("c").has_value());
    CPPUNIT_ASSERT(connection.receive().has_value());
    assert_fails(Code::kOutcomeUnknown, connection.receive());
    assert_fails(Code::kUnavailable, connection.receive());
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, connection.outstanding());
  }

  void counts_answers_sent_before_the_close() {
    FakeServer server([](RawConnection& connection, unsigned) {
      (void)receive_request(connection);
      connection.send(ok_answer("the last words"));
    });
    Connection connection = open(server);
    CPPUNIT_ASSERT(connection.queue_get("a").has_value());
    CPPUNIT_ASSERT(connection.queue_get("b").has_value());
    CPPUNIT_ASSERT_EQUAL(std::string("the last words"), connection.receive().value());
    assert_fails(Code::kUnavailable, connection.receive());
  }

  void does_not_believe_nonsense() {
    for (const char* answer : {"07 00000000", "ff 01000000 00", "00 ffffffff"}) {
      FakeServer server([answer](RawConnection& connection, unsigned) {
        (void)receive_request(connection);
        connection.send(from_hex(answer));
        (void)connection.receive_until_close();
      });
      Connection connection = open(server);
      assert_fails(Code::kCorrupt, connection.get("k"));
      CPPUNIT_ASSERT(!connection.usable());
    }
  }

  void notices_a_closed_idle_connection() {
    FakeServer server([](RawConnection& connection, unsigned) {
      (void)receive_request(connection);
      connection.send(ok_answer());
    });
    Connection connection = open(server);
    CPPUNIT_ASSERT(connection.set("k", "v").has_value());
    eventually("the close is noticed", [&] { return !connection.usable(); });
  }

  void tells_an_unreachable_node() {
    Address nobody;
    {
      FakeServer server(echo);
      nobody = server.address();
    }
    assert_fails(Code::kUnavailable, Connection::open(nobody, {}));
    assert_fails(Code::kUnavailable, Connection::open({"no-such-host.invalid", 3000}, {}));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ConnectionTest, "connection_test");

}  // namespace minivault::client
