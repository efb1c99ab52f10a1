// Goal: each protocol's requests are right to the byte, and its answers are told apart however they arrive.
// Method: scripted bytes; every answer once more byte by byte: known early, but never before it is known.

#include "common/load/codec.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

#include "common/load/options.h"
#include "common/load/tape.h"
#include "tests/support/bytes.h"

namespace minivault::load {
namespace {

using Kind = Answer::Kind;

std::string get_of(const Codec& codec) {
  std::string out;
  codec.append_get(out, "mykey");
  return out;
}

std::string set_of(const Codec& codec) {
  std::string out;
  codec.append_set(out, "mykey", "hello");
  return out;
}

/// The answer is of this kind and value, alone and with another behind it; with less of it, it is either
/// unknown or of the same kind and size, without a value.
void assert_answer(Codec& codec, Kind kind, const std::string& value, const std::string& bytes) {
  for (const std::string& input : {bytes, bytes + bytes, bytes}) {
    const Answer answer = codec.parse(input);
    CPPUNIT_ASSERT_MESSAGE(bytes, kind == answer.kind);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(bytes, std::uint64_t{bytes.size()}, answer.size);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(bytes, value, std::string(answer.value));
  }
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const Answer part = codec.parse(std::string_view(bytes).substr(0, cut));
    if (part.kind == Kind::kUnknown) {
      CPPUNIT_ASSERT_EQUAL_MESSAGE(bytes, std::uint64_t{0}, part.size);
    } else {
      CPPUNIT_ASSERT_MESSAGE(bytes, kind == part.kind);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(bytes, std::uint64_t{bytes.size()}, part.size);
      CPPUNIT_ASSERT_MESSAGE(bytes, part.value.empty());
    }
  }
}

Result<std::unique_ptr<Codec>> codec_of(Protocol protocol, const std::string& auth_key) {
  Options options;
  options.protocol = protocol;
  options.auth_key = auth_key;
  return make_codec(options);
}

void assert_bad(Codec& codec, const std::string& bytes) {
  CPPUNIT_ASSERT_MESSAGE(bytes, codec.parse(bytes).kind == Kind::kBad);
}

/// Whatever a line begins with: without both bytes of its end, or without anything before them, it is none.
void assert_lines_end_well(Codec& codec, const std::string& firsts) {
  for (const char* bad : {"\n", "\r\n", "\r\r\n"}) assert_bad(codec, bad);
  for (const char first : firsts) assert_bad(codec, std::string(1, first) + "\n");
}

/// Sizes that, with what is around them, begin again at zero, or that no value has.
void assert_sizes_are_bounded(Codec& codec, const std::string& front, const std::string& back) {
  for (const char* size : {"18446744073709551615", "18446744073709551614", "18446744073709551580",
                           "18446744073709551616", "9223372036854775807", "4294967296"}) {
    assert_bad(codec, front + size + back);
    assert_bad(codec, front + size + back + "\r\n\r\n");
  }
}

std::string http(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status +
         "\r\nContent-Type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\nConnection: keep-alive\r\n\r\n" + body;
}

}  // namespace

class CodecTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CodecTest);
  CPPUNIT_TEST(binary_requests);
  CPPUNIT_TEST(binary_answers);
  CPPUNIT_TEST(resp_requests);
  CPPUNIT_TEST(resp_answers);
  CPPUNIT_TEST(resp_waits_for_replicas);
  CPPUNIT_TEST(memcache_requests);
  CPPUNIT_TEST(memcache_answers);
  CPPUNIT_TEST(http_requests);
  CPPUNIT_TEST(http_answers);
  CPPUNIT_TEST(http_answers_with_changing_heads);
  CPPUNIT_TEST(greetings);
  CPPUNIT_TEST_SUITE_END();

 public:
  void binary_requests() {
    const auto codec = make_binary_codec("");
    CPPUNIT_ASSERT_EQUAL(std::string("0105006d796b6579"), test::to_hex(get_of(*codec)));
    CPPUNIT_ASSERT_EQUAL(std::string("0205006d796b6579050000000068656c6c6f"), test::to_hex(set_of(*codec)));
  }

  void binary_answers() {
    const auto codec = make_binary_codec("");
    assert_answer(*codec, Kind::kDone, "hello", test::from_hex("00 05000000 68656c6c6f"));
    assert_answer(*codec, Kind::kDone, "", test::from_hex("00 00000000"));
    assert_answer(*codec, Kind::kRefused, "", test::from_hex("ff 00000000"));
    assert_bad(*codec, test::from_hex("01 00000000"));
    assert_bad(*codec, test::from_hex("ff 01000000 00"));
  }

  void resp_requests() {
    const auto codec = make_resp_codec("");
    CPPUNIT_ASSERT_EQUAL(std::string("*2\r\n$3\r\nGET\r\n$5\r\nmykey\r\n"), get_of(*codec));
    CPPUNIT_ASSERT_EQUAL(std::string("*3\r\n$3\r\nSET\r\n$5\r\nmykey\r\n$5\r\nhello\r\n"), set_of(*codec));
  }

  void resp_answers() {
    const auto codec = make_resp_codec("");
    assert_answer(*codec, Kind::kDone, "hello", "$5\r\nhello\r\n");
    assert_answer(*codec, Kind::kDone, "a\r\nb", "$4\r\na\r\nb\r\n");
    assert_answer(*codec, Kind::kDone, "", "$0\r\n\r\n");
    assert_answer(*codec, Kind::kDone, "", "+OK\r\n");
    assert_answer(*codec, Kind::kMissing, "", "$-1\r\n");
    assert_answer(*codec, Kind::kRefused, "", "-ERR wrong\r\n");
    assert_bad(*codec, "$x\r\n");
    assert_bad(*codec, "$5\r\nhelloXX");
    assert_bad(*codec, "HD\r\n");
    assert_bad(*codec, std::string(5000, '+'));
    assert_bad(*codec, ":\r\n");
    assert_bad(*codec, ":many\r\n");
    assert_bad(*codec, "+OK\n");
    assert_lines_end_well(*codec, "$+:_-*");
    assert_sizes_are_bounded(*codec, "$", "\r\n");
  }

  void resp_waits_for_replicas() {
    const auto codec = make_resp_codec("", 2);
    std::string wait;
    CPPUNIT_ASSERT(codec->append_wait(wait));
    CPPUNIT_ASSERT_EQUAL(std::string("*3\r\n$4\r\nWAIT\r\n$1\r\n2\r\n$1\r\n0\r\n"), wait);
    assert_answer(*codec, Kind::kDone, "", "+OK\r\n");
    assert_answer(*codec, Kind::kRefused, "", ":1\r\n");
    assert_answer(*codec, Kind::kDone, "", ":2\r\n");
    CPPUNIT_ASSERT(!make_resp_codec("")->append_wait(wait));
    CPPUNIT_ASSERT(!make_binary_codec("")->append_wait(wait));

    const Tape tape = Tape::random(*codec, Values(10), {.keys = 5, .get_percent = 0, .requests = 7}, 3);
    CPPUNIT_ASSERT_EQUAL(std::size_t{8}, tape.size());  // two pipelines of three and a WAIT each
    for (std::size_t i = 0; i < tape.size(); ++i) CPPUNIT_ASSERT_EQUAL(i % 4 == 3, tape.asked(i).wait);
    CPPUNIT_ASSERT(tape.bytes(2, 2).ends_with(wait) && tape.bytes(3, 1) == wait);
  }

  void memcache_requests() {
    const auto codec = make_memcache_codec();
    CPPUNIT_ASSERT_EQUAL(std::string("mg mykey v\r\n"), get_of(*codec));
    CPPUNIT_ASSERT_EQUAL(std::string("ms mykey 5\r\nhello\r\n"), set_of(*codec));
  }

  void memcache_answers() {
    const auto codec = make_memcache_codec();
    assert_answer(*codec, Kind::kDone, "hello", "VA 5\r\nhello\r\n");
    assert_answer(*codec, Kind::kDone, "hello", "VA 5 f0 t-1\r\nhello\r\n");
    assert_answer(*codec, Kind::kDone, "", "HD\r\n");
    assert_answer(*codec, Kind::kMissing, "", "EN\r\n");
    assert_answer(*codec, Kind::kRefused, "", "NS\r\n");
    assert_answer(*codec, Kind::kRefused, "", "SERVER_ERROR out of memory\r\n");
    assert_bad(*codec, "VA\r\n");
    assert_bad(*codec, "STORED\r\n");
    assert_lines_end_well(*codec, "VHEN");
    assert_sizes_are_bounded(*codec, "VA ", "\r\n");
  }

  void http_requests() {
    const auto codec = make_http_codec("secret");
    CPPUNIT_ASSERT_EQUAL(
        std::string("GET /mykey HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer secret\r\n\r\n"),
        get_of(*codec));
    CPPUNIT_ASSERT_EQUAL(
        std::string(
            "PUT /mykey HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: 17\r\n"
            "\r\n{\"value\":\"hello\"}"),
        set_of(*make_http_codec("")));
  }

  void http_answers() {
    const auto codec = make_http_codec("");
    assert_answer(*codec, Kind::kDone, "hello", http("200 OK", R"({"success":true,"data":"hello"})"));
    assert_answer(*codec, Kind::kDone, R"({"success":true})", http("201 Created", R"({"success":true})"));
    assert_answer(*codec, Kind::kDone, "plain", http("200 OK", "plain"));
    assert_answer(*codec, Kind::kDone, "", "HTTP/1.1 204 No Content\r\n\r\n");
    assert_answer(*codec, Kind::kMissing, "gone", http("404 Not Found", "gone"));
    assert_answer(*codec, Kind::kRefused, "busy", http("503 Service Unavailable", "busy"));
    assert_bad(*codec, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx");
    assert_bad(*codec, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_bad(*codec, "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n");
    assert_bad(*codec, std::string(20'000, 'H'));
    assert_sizes_are_bounded(*codec, "HTTP/1.1 200 OK\r\nContent-Length: ", "\r\n\r\n");
  }

  /// A head is remembered; the next one may differ in a digit.
  void http_answers_with_changing_heads() {
    const auto codec = make_http_codec("");
    for (int round = 0; round < 2; ++round) {
      assert_answer(*codec, Kind::kDone, "12345", http("200 OK", "12345"));
      assert_answer(*codec, Kind::kDone, "1234567890", http("200 OK", "1234567890"));
      assert_answer(*codec, Kind::kMissing, "12345", http("404 OK", "12345"));
    }
  }

  void greetings() {
    CPPUNIT_ASSERT_EQUAL(std::string("060600736563726574"),
                         test::to_hex(codec_of(Protocol::kBinary, "secret").value()->greeting()));
    CPPUNIT_ASSERT_EQUAL(std::string("*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"),
                         codec_of(Protocol::kResp, "secret").value()->greeting());
    CPPUNIT_ASSERT_EQUAL(std::string(), codec_of(Protocol::kHttp, "secret").value()->greeting());
    CPPUNIT_ASSERT_EQUAL(std::string(), codec_of(Protocol::kResp, "").value()->greeting());
    CPPUNIT_ASSERT(!codec_of(Protocol::kMemcache, "secret"));
    CPPUNIT_ASSERT(codec_of(Protocol::kMemcache, ""));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CodecTest, "codec_test");

}  // namespace minivault::load
