#include "common/protocol/binary.h"

#include <cppunit/extensions/HelperMacros.h>

#include <vector>

#include "tests/protocol/exact_copy.h"
#include "tests/support/bytes.h"

namespace {

using namespace minivault::protocol;
using minivault::test::ExactCopy;
using minivault::test::from_hex;
using Kind = BinaryParse::Kind;

constexpr BinaryLimits kLimits{1000, 1000};

/// Goal: frames are read and written as PROTOCOL.md prints them, at every cut, and damage is told apart by
/// whether the length of the request is known.
class BinaryTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BinaryTest);
  CPPUNIT_TEST(test_documented_requests);
  CPPUNIT_TEST(test_documented_responses);
  CPPUNIT_TEST(test_writers_match_documented_bytes);
  CPPUNIT_TEST(test_sync_and_health);
  CPPUNIT_TEST(test_whole_get_in_front);
  CPPUNIT_TEST(test_empty_value_is_a_value);
  CPPUNIT_TEST(test_longest_key);
  CPPUNIT_TEST(test_every_cut_needs_more);
  CPPUNIT_TEST(test_pipelined_requests_keep_their_borders);
  CPPUNIT_TEST(test_unknown_opcodes);
  CPPUNIT_TEST(test_empty_key);
  CPPUNIT_TEST(test_too_large_value);
  CPPUNIT_TEST(test_bad_compressed_byte);
  CPPUNIT_TEST(test_largest_length_does_not_overflow);
  CPPUNIT_TEST(test_response_cuts);
  CPPUNIT_TEST(test_bad_responses);
  CPPUNIT_TEST_SUITE_END();

  /// Parses a frame that must be whole and alone.
  static BinaryRequest whole(const std::string& frame) {
    BinaryRequest request;
    const BinaryParse parse = parse_binary(frame, kLimits, request);
    CPPUNIT_ASSERT(parse.kind == Kind::kRequest);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t(frame.size()), parse.size);
    return request;
  }

  static void expect(const std::string& frame, Kind kind, std::uint64_t size) {
    const ExactCopy copy(frame);
    BinaryRequest request;
    const BinaryParse parse = parse_binary(copy.view(), kLimits, request);
    CPPUNIT_ASSERT(parse.kind == kind);
    CPPUNIT_ASSERT_EQUAL(size, parse.size);
  }

  void test_documented_requests() {
    const std::string set = from_hex("02 0500 6d796b6579 0b000000 00 68656c6c6f20776f726c64");
    const BinaryRequest request = whole(set);
    CPPUNIT_ASSERT(request.opcode == Opcode::kSet);
    CPPUNIT_ASSERT(request.key == "mykey" && request.value == "hello world" && !request.compressed);

    const std::string get = from_hex("01 0500 6d796b6579");
    CPPUNIT_ASSERT(whole(get).opcode == Opcode::kGet && whole(get).key == "mykey");
    const std::string del = from_hex("03 0500 6d796b6579");
    CPPUNIT_ASSERT(whole(del).opcode == Opcode::kDelete && whole(del).key == "mykey");
    const std::string auth = from_hex("06 0900 7365637265746b6579");
    CPPUNIT_ASSERT(whole(auth).opcode == Opcode::kAuth && whole(auth).key == "secretkey");
  }

  void test_documented_responses() {
    std::string out;
    append_ok(out);
    CPPUNIT_ASSERT_EQUAL(from_hex("00 00000000"), out);
    out.clear();
    append_error(out);
    CPPUNIT_ASSERT_EQUAL(from_hex("ff 00000000"), out);
    out.clear();
    append_value_header(out, 11);
    out += "hello world";
    CPPUNIT_ASSERT_EQUAL(from_hex("00 0b000000 68656c6c6f20776f726c64"), out);
  }

  void test_writers_match_documented_bytes() {
    std::string out;
    append_set(out, "mykey", "hello world");
    CPPUNIT_ASSERT_EQUAL(from_hex("02 0500 6d796b6579 0b000000 00 68656c6c6f20776f726c64"), out);
    out.clear();
    append_get(out, "nokey");
    CPPUNIT_ASSERT_EQUAL(from_hex("01 0500 6e6f6b6579"), out);
    out.clear();
    append_delete(out, "mykey");
    CPPUNIT_ASSERT_EQUAL(from_hex("03 0500 6d796b6579"), out);
    out.clear();
    append_auth(out, "secretkey");
    CPPUNIT_ASSERT_EQUAL(from_hex("06 0900 7365637265746b6579"), out);
  }

  void test_whole_get_in_front() {
    std::string input;
    append_get(input, "mykey");
    for (std::size_t cut = 0; cut < input.size(); ++cut) {
      const ExactCopy copy(std::string_view(input).substr(0, cut));
      CPPUNIT_ASSERT(get_key_in_front(copy.view()).empty());
    }
    append_delete(input, "other");
    const ExactCopy copy(input);
    CPPUNIT_ASSERT(get_key_in_front(copy.view()) == "mykey");
    CPPUNIT_ASSERT(get_key_in_front(from_hex("01 0000 6d79")).empty());
    CPPUNIT_ASSERT(get_key_in_front(from_hex("03 0200 6d79")).empty());

    std::string answer(9, 'x');
    write_value(answer.data(), "abc");
    CPPUNIT_ASSERT_EQUAL(from_hex("00 03000000 616263 78"), answer);
    write_error(answer.data());
    CPPUNIT_ASSERT_EQUAL(from_hex("ff 00000000 616263 78"), answer);
  }

  void test_sync_and_health() {
    std::string sync;
    append_sync(sync, "stream", "message", true);
    const BinaryRequest request = whole(sync);
    CPPUNIT_ASSERT(request.opcode == Opcode::kSync && request.compressed);
    CPPUNIT_ASSERT(request.key == "stream" && request.value == "message");
    std::string in_pieces;
    append_sync_head(in_pieces, "stream", 7);
    std::string at_once;
    append_sync(at_once, "stream", "message", false);
    CPPUNIT_ASSERT_EQUAL(at_once, in_pieces + "message");
    std::string health;
    append_health(health);
    CPPUNIT_ASSERT(whole(health).opcode == Opcode::kHealth);
  }

  void test_empty_value_is_a_value() {
    std::string set;
    append_set(set, "k", "");
    CPPUNIT_ASSERT(whole(set).value.empty());
    CPPUNIT_ASSERT(whole(set).opcode == Opcode::kSet);
  }

  void test_longest_key() {
    const std::string key(65'535, 'k');
    std::string get;
    append_get(get, key);
    CPPUNIT_ASSERT(whole(get).key == key);
  }

  void test_every_cut_needs_more() {
    std::string set;
    append_set(set, "mykey", "hello world", true);
    std::uint64_t known = 0;
    for (std::size_t size = 0; size < set.size(); ++size) {
      const ExactCopy copy(std::string_view(set).substr(0, size));
      BinaryRequest request;
      const BinaryParse parse = parse_binary(copy.view(), kLimits, request);
      CPPUNIT_ASSERT(parse.kind == Kind::kNeedMore);
      CPPUNIT_ASSERT(parse.size > size && parse.size <= set.size() && parse.size >= known);
      known = parse.size;
    }
    CPPUNIT_ASSERT_EQUAL(std::uint64_t(set.size()), known);
  }

  void test_pipelined_requests_keep_their_borders() {
    std::string stream;
    append_set(stream, "a", "1");
    append_get(stream, "a");
    append_delete(stream, "a");
    std::vector<Opcode> seen;
    for (std::string_view rest = stream; !rest.empty();) {
      BinaryRequest request;
      const BinaryParse parse = parse_binary(rest, kLimits, request);
      CPPUNIT_ASSERT(parse.kind == Kind::kRequest);
      CPPUNIT_ASSERT(request.key == "a");
      seen.push_back(request.opcode);
      rest.remove_prefix(parse.size);
    }
    CPPUNIT_ASSERT((seen == std::vector{Opcode::kSet, Opcode::kGet, Opcode::kDelete}));
  }

  void test_unknown_opcodes() {
    for (int opcode = 0; opcode < 256; ++opcode) {
      const std::string frame(1, static_cast<char>(opcode));
      const bool known = opcode >= 1 && opcode <= 6;
      expect(frame, known ? Kind::kNeedMore : Kind::kBad, known ? 3 : 0);
    }
  }

  void test_empty_key() {
    for (const char* frame : {"01 0000", "03 0000", "05 0000", "06 0000"})
      expect(from_hex(frame), Kind::kSkip, 3);
    expect(from_hex("02 0000"), Kind::kNeedMore, 8);
    expect(from_hex("02 0000 05000000 00"), Kind::kSkip, 13);
    expect(from_hex("04 0000 05000000 00 0102030405"), Kind::kSkip, 13);
  }

  void test_too_large_value() {
    expect(from_hex("02 0100 6b e9030000 00"), Kind::kSkip, 9 + 1001);
    expect(from_hex("02 0100 6b e8030000 00"), Kind::kNeedMore, 9 + 1000);
    // The length is not known before the byte after it: a skip must not begin too early.
    expect(from_hex("02 0100 6b e9030000"), Kind::kNeedMore, 9);
  }

  void test_bad_compressed_byte() {
    expect(from_hex("02 0100 6b 02000000 02"), Kind::kSkip, 11);
    expect(from_hex("02 0100 6b 02000000 ff 6162"), Kind::kSkip, 11);
  }

  void test_largest_length_does_not_overflow() {
    expect(from_hex("02 0100 6b ffffffff 00"), Kind::kSkip, 9 + 0xFFFFFFFFULL);
    BinaryRequest request;
    const BinaryParse parse =
        parse_binary(from_hex("02 0100 6b ffffffff 00"), BinaryLimits{UINT64_MAX}, request);
    CPPUNIT_ASSERT(parse.kind == Kind::kNeedMore);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t(9 + 0xFFFFFFFFULL), parse.size);
  }

  void test_response_cuts() {
    const std::string response = from_hex("00 0b000000 68656c6c6f20776f726c64");
    BinaryResponse parsed;
    for (std::size_t size = 0; size < response.size(); ++size) {
      const ExactCopy copy(std::string_view(response).substr(0, size));
      const ResponseParse parse = parse_response(copy.view(), 100, parsed);
      CPPUNIT_ASSERT(parse.kind == ResponseParse::Kind::kNeedMore);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t(size < 5 ? 5 : 16), parse.size);
    }
    const ResponseParse parse = parse_response(response + "\xFF", 100, parsed);
    CPPUNIT_ASSERT(parse.kind == ResponseParse::Kind::kResponse && parse.size == 16 && parsed.ok);
  }

  void test_bad_responses() {
    BinaryResponse parsed;
    using ResponseKind = ResponseParse::Kind;
    CPPUNIT_ASSERT(parse_response(from_hex("01"), 100, parsed).kind == ResponseKind::kBad);
    CPPUNIT_ASSERT(parse_response(from_hex("ff 01000000"), 100, parsed).kind == ResponseKind::kBad);
    CPPUNIT_ASSERT(parse_response(from_hex("00 65000000"), 100, parsed).kind == ResponseKind::kBad);
    CPPUNIT_ASSERT(parse_response(from_hex("ff 00000000"), 100, parsed).kind == ResponseKind::kResponse);
    CPPUNIT_ASSERT(!parsed.ok && parsed.value.empty());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BinaryTest, "binary_test");

}  // namespace
