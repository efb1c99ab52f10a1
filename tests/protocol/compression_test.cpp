#include "common/protocol/compression.h"

#include <cppunit/extensions/HelperMacros.h>
#include <zstd.h>

#include "tests/protocol/exact_copy.h"
#include "tests/support/bytes.h"

namespace {

using minivault::Code;
using minivault::Result;
using minivault::protocol::compress_frame;
using minivault::protocol::decompress_frame;
using minivault::protocol::Decompressor;
using minivault::test::ExactCopy;
using minivault::test::from_hex;

/// Goal: only one whole, intact frame within the bound is undone, and a frame's word is never believed beyond
/// that.
class CompressionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CompressionTest);
  CPPUNIT_TEST(test_round_trip);
  CPPUNIT_TEST(test_unknown_size_round_trip);
  CPPUNIT_TEST(test_bound_is_exact);
  CPPUNIT_TEST(test_bound_is_exact_with_unknown_size);
  CPPUNIT_TEST(test_every_truncation);
  CPPUNIT_TEST(test_bytes_after_the_frame);
  CPPUNIT_TEST(test_two_frames);
  CPPUNIT_TEST(test_skippable_frame);
  CPPUNIT_TEST(test_flipped_content);
  CPPUNIT_TEST(test_false_size_claim);
  CPPUNIT_TEST(test_bomb);
  CPPUNIT_TEST(test_huge_window);
  CPPUNIT_TEST(test_not_zstd);
  CPPUNIT_TEST(test_context_survives_damage);
  CPPUNIT_TEST_SUITE_END();

  /// A frame that does not say how much it holds, as streaming compressors write.
  static std::string unknown_size_frame(std::string_view content) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    std::string frame(ZSTD_compressBound(content.size()) + 64, '\0');
    ZSTD_outBuffer out{frame.data(), frame.size(), 0};
    ZSTD_inBuffer in{content.data(), content.size(), 0};
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
    const std::size_t left = ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
    ZSTD_freeCCtx(context);
    CPPUNIT_ASSERT_EQUAL(std::size_t(0), left);
    frame.resize(out.pos);
    CPPUNIT_ASSERT(ZSTD_getFrameContentSize(frame.data(), frame.size()) == ZSTD_CONTENTSIZE_UNKNOWN);
    return frame;
  }

  static void expect_failure(Code code, std::string_view frame, std::uint64_t largest) {
    const ExactCopy copy(frame);
    const auto result = decompress_frame(copy.view(), largest);
    CPPUNIT_ASSERT(!result);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(result.error().message, int(code), int(result.error().code));
  }

  void test_round_trip() {
    for (const std::string& content : {std::string(), std::string("x"), std::string(1 << 20, 'a')}) {
      const auto frame = compress_frame(content);
      CPPUNIT_ASSERT(frame);
      CPPUNIT_ASSERT(decompress_frame(*frame, content.size()).value() == content);
    }
  }

  void test_unknown_size_round_trip() {
    std::mt19937_64 random(1);
    for (const std::string& content : {std::string(), std::string("x"), std::string(1 << 20, 'a'),
                                       minivault::test::random_bytes(random, 300'000)}) {
      CPPUNIT_ASSERT(decompress_frame(unknown_size_frame(content), 2 << 20).value() == content);
      CPPUNIT_ASSERT(decompress_frame(unknown_size_frame(content), content.size()).value() == content);
    }
  }

  void test_bound_is_exact() {
    const std::string frame = compress_frame(std::string(1000, 'a')).value();
    CPPUNIT_ASSERT(decompress_frame(frame, 1000));
    expect_failure(Code::kTooLarge, frame, 999);
    expect_failure(Code::kTooLarge, frame, 0);
  }

  void test_bound_is_exact_with_unknown_size() {
    for (const std::size_t size : {1000UL, 128UL * 1024, 300'000UL}) {
      const std::string frame = unknown_size_frame(std::string(size, 'a'));
      CPPUNIT_ASSERT(decompress_frame(frame, size));
      expect_failure(Code::kTooLarge, frame, size - 1);
      expect_failure(Code::kTooLarge, frame, 0);
    }
  }

  void test_every_truncation() {
    std::mt19937_64 random(2);
    const std::string content = minivault::test::random_bytes(random, 500);
    for (const std::string& frame : {compress_frame(content).value(), unknown_size_frame(content)}) {
      for (std::size_t size = 0; size < frame.size(); ++size) {
        expect_failure(Code::kCorrupt, std::string_view(frame).substr(0, size), 1000);
      }
    }
  }

  void test_bytes_after_the_frame() {
    expect_failure(Code::kCorrupt, compress_frame("content").value() + '\0', 1000);
    expect_failure(Code::kCorrupt, unknown_size_frame("content") + "x", 1000);
  }

  void test_two_frames() {
    const std::string frame = compress_frame("content").value();
    expect_failure(Code::kCorrupt, frame + frame, 1000);
  }

  void test_skippable_frame() {
    const std::string skippable = from_hex("502a4d18 04000000 01020304");
    expect_failure(Code::kCorrupt, skippable, 1000);
    expect_failure(Code::kCorrupt, skippable + compress_frame("content").value(), 1000);
  }

  void test_flipped_content() {
    std::mt19937_64 random(3);
    const std::string frame = compress_frame(minivault::test::random_bytes(random, 200)).value();
    for (std::size_t at = 10; at < frame.size(); ++at) {
      std::string damaged = frame;
      damaged[at] = static_cast<char>(damaged[at] ^ 1);
      CPPUNIT_ASSERT_MESSAGE("byte " + std::to_string(at), !decompress_frame(damaged, 1000));
    }
  }

  void test_false_size_claim() {
    // Single segment, 8-byte content size of 50 MB, then one empty last block: 17 bytes that ask for 50 MB.
    expect_failure(Code::kCorrupt, from_hex("28b52ffd e0 80f0fa0200000000 010000"), 100'000'000);
    // The same, claiming more than is allowed at all.
    expect_failure(Code::kTooLarge, from_hex("28b52ffd e0 ffffffffffffff7f 010000"), 100'000'000);
    // Two bytes claimed, none there.
    expect_failure(Code::kCorrupt, from_hex("28b52ffd 20 02 010000"), 1000);
  }

  void test_bomb() {
    const std::string content(64 << 20, '\0');
    expect_failure(Code::kTooLarge, compress_frame(content).value(), 1 << 20);
    expect_failure(Code::kTooLarge, unknown_size_frame(content), 1 << 20);
  }

  void test_huge_window() {
    // Window descriptor 0xa0: 2^30 bytes, content size unknown, one raw last block of one byte.
    expect_failure(Code::kCorrupt, from_hex("28b52ffd 00 a0 090000 41"), 100'000'000);
    // The same with a window of 8 MiB is what any decoder takes.
    CPPUNIT_ASSERT(decompress_frame(from_hex("28b52ffd 00 68 090000 41"), 1).value() == "A");
  }

  void test_not_zstd() {
    expect_failure(Code::kCorrupt, "", 1000);
    expect_failure(Code::kCorrupt, "hello world", 1000);
    expect_failure(Code::kCorrupt, from_hex("1f8b0800"), 1000);
  }

  void test_context_survives_damage() {
    Decompressor decompressor;
    const std::string frame = compress_frame("content").value();
    CPPUNIT_ASSERT(decompressor.decompress(frame, 100).value() == "content");
    std::string damaged = frame;
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    CPPUNIT_ASSERT(!decompressor.decompress(damaged, 100));
    CPPUNIT_ASSERT(decompressor.decompress(frame, 100).value() == "content");
    CPPUNIT_ASSERT(decompressor.decompress(unknown_size_frame("content"), 100).value() == "content");
    CPPUNIT_ASSERT(decompressor.decompress(frame, 100).value() == "content");
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CompressionTest, "compression_test");

}  // namespace
