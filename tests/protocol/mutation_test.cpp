// Goal: no damage to what a client sends makes a codec crash, read beyond its input or claim more than it was
// given. Method: valid inputs, cut, flipped, repeated and spliced at random, in memory of exactly their size.
// A byte read beyond it is seen under AddressSanitizer (MINIVAULT_SANITIZER=address). MINIVAULT_ROUNDS makes
// it longer.

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <random>
#include <vector>

#include "common/protocol/binary.h"
#include "common/protocol/compression.h"
#include "common/protocol/http.h"
#include "common/protocol/http_response.h"
#include "common/protocol/http_target.h"
#include "common/protocol/json_value.h"
#include "tests/protocol/exact_copy.h"
#include "tests/support/seed.h"

namespace {

using namespace minivault::protocol;
using minivault::test::ExactCopy;

class MutationTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MutationTest);
  CPPUNIT_TEST(test_binary);
  CPPUNIT_TEST(test_compression);
  CPPUNIT_TEST(test_http);
  CPPUNIT_TEST(test_targets_and_headers);
  CPPUNIT_TEST(test_json);
  CPPUNIT_TEST_SUITE_END();

  std::mt19937_64 random_{minivault::test::seed()};
  std::uint64_t rounds_ = minivault::test::environment_number("MINIVAULT_ROUNDS", 5'000);

  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void mutate_once(std::string& bytes) {
    const std::size_t at = below(bytes.size());
    switch (below(6)) {
      case 0:
        bytes.resize(at);
        return;
      case 1:
        bytes.insert(at, 1, static_cast<char>(random_()));
        return;
      case 2:
        bytes.insert(at, bytes.substr(below(bytes.size()), below(20)));
        return;
      case 3:
        bytes.erase(at, below(4));
        return;
      case 4:
        if (!bytes.empty())
          bytes[at] =
              "\r\n :;,\0\xFF"
              "0a%\"{}[]"[below(17)];
        return;
      default:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1U << below(8)));
        return;
    }
  }

  std::string mutant_of(const std::vector<std::string>& originals) {
    std::string bytes = originals[below(originals.size())];
    for (std::size_t i = 1 + below(4); i > 0; --i) mutate_once(bytes);
    return bytes;
  }

  void test_binary() {
    std::string stream;
    append_set(stream, "key", "value");
    append_get(stream, "key");
    append_sync(stream, "stream", "message", true);
    append_delete(stream, "key");
    append_health(stream);
    append_auth(stream, "secret");
    for (std::uint64_t round = 0; round < rounds_; ++round) {
      const ExactCopy copy(mutant_of({stream}));
      std::string_view rest = copy.view();
      BinaryRequest request;
      while (true) {
        const BinaryParse parse = parse_binary(rest, {100}, request);
        if (parse.kind == BinaryParse::Kind::kNeedMore) CPPUNIT_ASSERT(parse.size > rest.size());
        if (parse.kind == BinaryParse::Kind::kRequest) CPPUNIT_ASSERT(parse.size <= rest.size());
        if (parse.kind == BinaryParse::Kind::kNeedMore || parse.kind == BinaryParse::Kind::kBad) break;
        CPPUNIT_ASSERT(parse.size >= kBinaryPrefixBytes);
        rest.remove_prefix(std::min<std::uint64_t>(parse.size, rest.size()));
      }
      BinaryResponse response;
      const ResponseParse parse = parse_response(copy.view(), 100, response);
      CPPUNIT_ASSERT(parse.size <= 105);
    }
  }

  void test_compression() {
    std::string content;
    for (int i = 0; i < 200; ++i) content += "some text " + std::to_string(i);
    const std::vector<std::string> frames = {compress_frame(content).value(), compress_frame("x").value(),
                                             compress_frame(std::string(500'000, 'z'), 19).value()};
    Decompressor decompressor;
    for (std::uint64_t round = 0; round < rounds_; ++round) {
      const ExactCopy copy(mutant_of(frames));
      const auto result = decompressor.decompress(copy.view(), 3000);
      CPPUNIT_ASSERT(!result || result->size() <= 3000);
    }
    CPPUNIT_ASSERT(decompressor.decompress(frames[0], 3000).value() == content);
  }

  void test_http() {
    const std::vector<std::string> streams = {
        "GET /key?q HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k\r\nRange: bytes=0-5\r\n\r\nGET / "
        "HTTP/1.0\r\n\r\n",
        "PUT /k HTTP/1.1\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n{\"value\":1}GET /k "
        "HTTP/1.1\r\n\r\n",
        "POST /k HTTP/1.1\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3\r\nabc\r\n10;a=b;c=\"d\"\r\n0123456789abcdef\r\n0\r\n"
        "A: b\r\n\r\nGET /k HTTP/1.1\r\n\r\n",
        "PUT /k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /k HTTP/1.1\r\n\r\n"};
    for (std::uint64_t round = 0; round < rounds_; ++round) {
      const std::string stream = mutant_of(streams);
      const std::string whole = outcome(stream, stream.size() + 1);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(stream, whole, outcome(stream, 1));
      CPPUNIT_ASSERT_EQUAL_MESSAGE(stream, whole, outcome(stream, 1 + below(30)));
    }
  }

  /// All requests and the error that a stream comes to: must not depend on how it is cut.
  static std::string outcome(std::string_view stream, std::size_t step) {
    HttpParser parser({1000, 1000, 100});
    std::string pending;
    std::string seen;
    while (true) {
      const ExactCopy input(pending);
      const HttpParse parse = parser.parse(input.view());
      CPPUNIT_ASSERT(parse.consumed <= input.view().size());
      const HttpRequest& request = parser.request();
      if (parse.kind == HttpParse::Kind::kError) return seen + std::to_string(parse.status);
      if (parse.kind == HttpParse::Kind::kRequest) {
        for (const std::string_view part : {request.method_text, request.target, request.authorization,
                                            request.range, request.accept, request.body}) {
          seen.append(part).append(1, '|');
        }
      }
      pending.erase(0, parse.consumed);
      if (parse.kind != HttpParse::Kind::kNeedMore) continue;
      if (stream.empty()) return seen + "more";
      pending += stream.substr(0, step);
      stream.remove_prefix(std::min(step, stream.size()));
    }
  }

  void test_targets_and_headers() {
    const std::vector<std::string> originals = {
        "/key%20a/b?c=d", "/_/kv/health", "http://host:80/x%2F",
        "bytes=0-5",      "bytes=-5",     "text/html, application/octet-stream;q=1",
        "Bearer key"};
    std::string scratch;
    for (std::uint64_t round = 0; round < rounds_; ++round) {
      const ExactCopy copy(mutant_of(originals));
      const HttpTarget target = parse_target(copy.view(), scratch);
      CPPUNIT_ASSERT((target.kind == HttpTarget::Kind::kBad) == target.key.empty());
      const ByteRange range = parse_range(copy.view(), 10);
      CPPUNIT_ASSERT(range.offset + range.length <= 10);
      CPPUNIT_ASSERT(bearer_key(copy.view()).size() < copy.view().size() + 1);
      CPPUNIT_ASSERT(!names_bytes_type(copy.view()) || copy.view().size() >= kBytesType.size());
    }
  }

  void test_json() {
    const std::vector<std::string> bodies = {
        "{\"value\":{\"a\":[1,2.5e3,-0,\"x\\u00e9\\n\xC3\xA9\",null,true,false,{}]},\"other\":\"y\"}",
        "{\"a\":[[[]]],\"value\":\"text\"}", "{\"value\":12,\"value\":[{\"value\":1}]}"};
    for (std::uint64_t round = 0; round < rounds_; ++round) {
      const ExactCopy copy(mutant_of(bodies));
      const auto value = find_value_field(copy.view());
      if (value) CPPUNIT_ASSERT(is_json(*value) && is_json(copy.view()) && is_utf8(*value));
      std::string data;
      append_data(data, copy.view(), false);
      CPPUNIT_ASSERT_MESSAGE(data, is_json(data));
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MutationTest, "mutation_test");

}  // namespace
