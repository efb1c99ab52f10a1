// Goal: everything PROTOCOL.md promises of the binary protocol, to the byte, from a real node.
// Method: raw bytes over loopback, right and wrong ones; after every wrong one the next right one is served.

#include <cppunit/extensions/HelperMacros.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/bytes.h"
#include "tests/support/frames.h"
#include "tests/support/http.h"
#include "tests/support/node.h"
#include "tests/support/seed.h"

namespace minivault::test {

namespace {

constexpr std::size_t kLargestValue = 4 << 20;  // a quarter of -log 16, less the record's own bytes

std::string receive_value(RawConnection& connection) {
  const std::string head = connection.receive(5);
  CPPUNIT_ASSERT_EQUAL('\0', head[0]);
  std::size_t size = 0;
  for (int i = 4; i > 0; --i)
    size = size << 8U | static_cast<unsigned char>(head[static_cast<std::size_t>(i)]);
  return connection.receive(size);
}

void assert_answer(const std::string& expected, const std::string& seen) {
  CPPUNIT_ASSERT_EQUAL(to_hex(expected), to_hex(seen));
}

/// Sends the request and compares the whole answer.
void expect(RawConnection& connection, const std::string& request, const std::string& answer) {
  assert_answer(answer, connection.exchange(request, answer.size()));
}

void expect_served(RawConnection& connection) {
  expect(connection, set_frame("still", "served"), kOk);
  expect(connection, get_frame("still"), value_answer("served"));
}

}  // namespace

class BinaryProtocolTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BinaryProtocolTest);
  CPPUNIT_TEST(answers_the_examples_byte_for_byte);
  CPPUNIT_TEST(keeps_values_of_every_shape);
  CPPUNIT_TEST(keeps_keys_of_every_length);
  CPPUNIT_TEST(answers_a_pipeline_in_order);
  CPPUNIT_TEST(answers_gets_of_all_sizes_in_a_row);
  CPPUNIT_TEST(a_get_sees_the_set_before_it);
  CPPUNIT_TEST(takes_one_byte_at_a_time);
  CPPUNIT_TEST(unpacks_a_zstd_frame);
  CPPUNIT_TEST(refuses_what_is_wrong_and_goes_on);
  CPPUNIT_TEST(reads_past_too_large_a_value);
  CPPUNIT_TEST(refuses_a_bomb);
  CPPUNIT_TEST(closes_on_an_unknown_opcode);
  CPPUNIT_TEST(forgets_half_a_request);
  CPPUNIT_TEST(survives_random_bytes);
  CPPUNIT_TEST(tells_its_health);
  CPPUNIT_TEST(takes_auth_without_a_key_configured);
  CPPUNIT_TEST_SUITE_END();

 public:
  void answers_the_examples_byte_for_byte() {
    const Node node;
    RawConnection connection(node.port());
    const auto example = [&](const char* request, const char* answer) {
      expect(connection, from_hex(request), from_hex(answer));
    };
    example("02 0500 6d796b6579 0b000000 00 68656c6c6f20776f726c64", "00 00000000");
    example("01 0500 6d796b6579", "00 0b000000 68656c6c6f20776f726c64");
    example("01 0500 6e6f6b6579", "ff 00000000");
    example("03 0500 6d796b6579", "00 00000000");
    example("01 0500 6d796b6579", "ff 00000000");
    example("03 0500 6d796b6579", "00 00000000");  // DELETE of a missing key is a success
  }

  void keeps_values_of_every_shape() {
    const Node node;
    RawConnection connection(node.port());
    std::mt19937_64 random(seed());
    for (const std::size_t size :
         {0, 1, 2, 100, 4'095, 65'536, 1'000'000, static_cast<int>(kLargestValue) - 1'000}) {
      const std::string value = random_bytes(random, size);
      expect(connection, set_frame("shape", value), kOk);
      expect(connection, get_frame("shape"), value_answer(value));
    }
  }

  // 495 is where the base begins to store a hash instead of the key; 511 is the longest key of LMDB.
  void keeps_keys_of_every_length() {
    const Node node;
    RawConnection connection(node.port());
    std::mt19937_64 random(seed());
    const std::string bytes = random_bytes(random, 65'535);
    for (const std::size_t size : {1, 494, 495, 496, 510, 511, 512, 65'535}) {
      expect(connection, set_frame(bytes.substr(0, size), std::to_string(size)), kOk);
    }
    for (const std::size_t size : {1, 494, 495, 496, 510, 511, 512, 65'535}) {
      expect(connection, get_frame(bytes.substr(0, size)), value_answer(std::to_string(size)));
    }
    expect(connection, get_frame(bytes.substr(0, 65'534)), kError);
    expect(connection, delete_frame(bytes), kOk);
    expect(connection, get_frame(bytes), kError);
  }

  void answers_a_pipeline_in_order() {
    const Node node;
    RawConnection connection(node.port());
    std::string requests;
    std::string answers;
    for (int i = 0; i < 3'000; ++i) {
      const std::string key = "key" + std::to_string(i % 500);
      const std::string value = "value" + std::to_string(i);
      requests += set_frame(key, value) + get_frame(key) + get_frame("no" + key);
      answers += kOk + value_answer(value) + kError;
      if (i % 7 == 0) {
        requests += delete_frame(key) + get_frame(key);
        answers += kOk + kError;
      }
    }
    expect(connection, requests, answers);
  }

  /// Runs of GETs, absent keys and other requests in between; some values too large to be answered in a row.
  void answers_gets_of_all_sizes_in_a_row() {
    const Node node;
    RawConnection connection(node.port());
    const std::vector<std::size_t> sizes = {0, 1, 100, 5'000, 16'384, 16'385, 40'000, 300'000};
    std::vector<std::string> values;
    for (const std::size_t size : sizes) {
      values.emplace_back(size, static_cast<char>('a' + values.size()));
      expect(connection, set_frame("k" + std::to_string(size), values.back()), kOk);
    }
    std::mt19937_64 random(seed());
    std::string requests;
    std::string answers;
    for (int i = 0; i < 2'000; ++i) {
      const std::size_t which = random() % (random() % 8 == 0 ? sizes.size() : 3);
      const std::string key = "k" + std::to_string(sizes[which]);
      const std::uint64_t kind = random() % 20;
      requests += kind == 0 ? delete_frame("nobody") : get_frame(kind == 1 ? "no" + key : key);
      answers += kind == 0 ? kOk : kind == 1 ? kError : value_answer(values[which]);
    }
    expect(connection, requests, answers);
  }

  void a_get_sees_the_set_before_it() {
    const Node node;
    RawConnection connection(node.port());
    for (int i = 0; i < 200; ++i) {
      const std::string value = std::to_string(i);
      expect(connection, set_frame("k", value) + get_frame("k"), kOk + value_answer(value));
    }
    RawConnection other(node.port());  // perhaps at another worker: an acknowledged write is seen by all
    expect(other, get_frame("k"), value_answer("199"));
  }

  void takes_one_byte_at_a_time() {
    const Node node;
    RawConnection connection(node.port());
    for (const char byte : set_frame("slow", "client") + get_frame("slow")) connection.send({&byte, 1});
    const std::string answers = kOk + value_answer("client");
    assert_answer(answers, connection.receive(answers.size()));
  }

  void unpacks_a_zstd_frame() {
    const Node node;
    RawConnection connection(node.port());
    const std::string text(1'000'000, 'z');
    expect(connection, set_frame("z", zstd_frame(text), '\1'), kOk);
    expect(connection, get_frame("z"), value_answer(text));
    expect(connection, set_frame("z", zstd_frame(""), '\1'), kOk);
    expect(connection, get_frame("z"), value_answer(""));
  }

  void refuses_what_is_wrong_and_goes_on() {
    const Node node;
    RawConnection connection(node.port());
    const std::string frame = zstd_frame("a frame that will be broken");
    expect(connection, set_frame("keep", "me"), kOk);
    for (const std::string& wrong : {
             get_frame(""),
             set_frame("", "value"),
             delete_frame(""),  // keylen 0
             set_frame("keep", "x", '\2'),
             set_frame("keep", "x", '\xff'),  // compressed: neither 0 nor 1
             set_frame("keep", "no zstd frame", '\1'),
             set_frame("keep", "", '\1'),
             set_frame("keep", frame.substr(0, frame.size() - 1), '\1'),  // cut off
             set_frame("keep", frame + "tail", '\1'),
             set_frame("keep", frame + frame, '\1'),
         }) {
      expect(connection, wrong, kError);
      expect(connection, get_frame("keep"), value_answer("me"));
    }
    expect_served(connection);
  }

  void reads_past_too_large_a_value() {
    const Node node;
    RawConnection connection(node.port());
    expect(connection, set_frame("big", "small"), kOk);
    expect(connection, set_frame("big", std::string(kLargestValue + 1, 'x')), kError);
    expect(connection, set_frame("big", std::string(20'000'000, 'x'), '\1'), kError);
    expect(connection, get_frame("big"), value_answer("small"));
    expect_served(connection);
  }

  // 4 KB on the wire, 100 MB unpacked: refused, and nobody's memory has grown by as much.
  void refuses_a_bomb() {
    const Node node;
    RawConnection connection(node.port());
    const std::string bomb = zstd_frame(std::string(100'000'000, '\0'));
    CPPUNIT_ASSERT(bomb.size() < 100'000);
    const std::uint64_t before = node.memory_bytes();
    for (int i = 0; i < 20; ++i) expect(connection, set_frame("bomb", bomb, '\1'), kError);
    CPPUNIT_ASSERT(node.memory_bytes() < before + 50'000'000);
    expect(connection, get_frame("bomb"), kError);
    expect_served(connection);
  }

  void closes_on_an_unknown_opcode() {
    const Node node;
    for (const char opcode : {'\0', '\7', '\x1f', '\x7f', '\xff', '{', 'g'}) {
      RawConnection first(node.port());
      first.send(std::string(100, opcode));
      assert_answer(kError, first.receive_until_close());

      RawConnection later(node.port());
      later.send(set_frame("a", "b") + opcode);
      assert_answer(kOk + kError, later.receive_until_close());
    }
    RawConnection connection(node.port());
    expect_served(connection);
  }

  void forgets_half_a_request() {
    const Node node;
    const std::string whole = set_frame("half", "a value that never arrives as a whole");
    for (std::size_t size = 1; size < whole.size(); size += 3) {
      RawConnection connection(node.port());
      connection.send(whole.substr(0, size));
      if (size % 2 == 0) {
        connection.finish_sending();
        assert_answer("", connection.receive_until_close());
      } else {
        connection.reset();
      }
    }
    RawConnection connection(node.port());
    expect(connection, get_frame("half"), kError);
    // What was whole before the half is done and answered.
    RawConnection closing(node.port());
    closing.send(set_frame("whole", "done") + whole.substr(0, 20));
    closing.finish_sending();
    assert_answer(kOk, closing.receive_until_close());
    expect(connection, get_frame("whole"), value_answer("done"));
  }

  void survives_random_bytes() {
    const Node node;
    std::mt19937_64 random(seed());
    for (int i = 0; i < 300; ++i) {
      RawConnection connection(node.port());
      std::string bytes = random_bytes(random, random() % 300);
      if (!bytes.empty() && i % 2 == 0) bytes[0] = static_cast<char>(1 + random() % 6);
      (void)connection.send_until_stuck(bytes, milliseconds(100));
      connection.finish_sending();
      (void)connection.receive_until_close();
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, node.children("worker").size());
    RawConnection connection(node.port());
    expect_served(connection);
    CPPUNIT_ASSERT_EQUAL(0, restarts(connection));
  }

  void tells_its_health() {
    const Node node;
    RawConnection connection(node.port());
    expect(connection, set_frame("one", "1") + set_frame("two", "2"), kOk + kOk);
    connection.send(health_frame());
    const auto health = parse_json(receive_value(connection));
    CPPUNIT_ASSERT_EQUAL(std::string("healthy"), std::string(health["status"].GetString()));
    for (const char* name :
         {"uptime_seconds", "cache_items", "cache_size_mb", "storage_size_mb", "goroutines", "memory_mb"}) {
      CPPUNIT_ASSERT_MESSAGE(name, health.HasMember(name) && health[name].IsInt64());
    }
    for (const char* name : {"version", "node", "keys", "processes", "log", "quorum", "peers"}) {
      CPPUNIT_ASSERT_MESSAGE(name, health.HasMember(name));
    }
    CPPUNIT_ASSERT(health["goroutines"].GetInt64() >= 4);
    expect_served(connection);
  }

  void takes_auth_without_a_key_configured() {
    const Node node;
    RawConnection connection(node.port());
    expect(connection, auth_frame("anything"), kOk);
    expect_served(connection);
  }

 private:
  static int restarts(RawConnection& connection) {
    connection.send(health_frame());
    const auto health = parse_json(receive_value(connection));
    int sum = 0;
    for (const auto& process : health["processes"].GetArray()) sum += process["restarts"].GetInt();
    return sum;
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BinaryProtocolTest, "binary_protocol_test");

}  // namespace minivault::test
