// Goal: the requests and answers of a comparison say what was put into them, and what cannot be one is
// refused: the answerer looks for keys of these lengths and in these ranges without another check. Method:
// there and back, every truncation, every flipped byte; each bound by itself.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "common/cluster/range.h"
#include "tests/cluster/damage.h"
#include "tests/support/seed.h"

namespace minivault::cluster {
namespace {

PageRequest page_request() {
  PageRequest request{{7, "b", "d"}, "c" + std::string(60'000, 'x'), {}};
  for (const std::size_t bucket : {std::size_t{0}, std::size_t{9}, kBuckets - 1}) request.buckets.set(bucket);
  return request;
}

std::vector<Fingerprint> sums() {
  std::vector<Fingerprint> sums(kBuckets);
  sums.front() = {1, 2, 3};
  sums.back() = {4, 5, 600};
  return sums;
}

class RangeCodecTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RangeCodecTest);
  CPPUNIT_TEST(a_page_request_there_and_back);
  CPPUNIT_TEST(what_is_no_page_request);
  CPPUNIT_TEST(keys_there_and_back);
  CPPUNIT_TEST(no_more_keys_than_a_page_has_are_named);
  CPPUNIT_TEST(sums_of_buckets_there_and_back);
  CPPUNIT_TEST(hostile_bytes_are_harmless);
  CPPUNIT_TEST(the_largest_requests_are_taken);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_page_request_there_and_back() {
    const PageRequest in = page_request();
    const Result<PageRequest> out = decode_page_request(encode(in));
    CPPUNIT_ASSERT(out && out->from == in.from && out->buckets == in.buckets);
    CPPUNIT_ASSERT(out->span.cut_off_hlc == 7 && out->span.begin == "b" && out->span.end == "d");
    const Result<PageRequest> all = decode_page_request(encode(PageRequest{{0, "", ""}, {}}));
    CPPUNIT_ASSERT(all && all->buckets.all() && all->from.empty());
    const Result<PageRequest> none = decode_page_request(encode(PageRequest{{0, "", ""}, {}, {}}));
    CPPUNIT_ASSERT(none && none->buckets.none());
  }

  void what_is_no_page_request() {
    const auto passes = [](const Span& span, const std::string& from) {
      return decode_page_request(encode(PageRequest{span, from})).has_value();
    };
    CPPUNIT_ASSERT(passes({0, "b", "d"}, "b"));
    CPPUNIT_ASSERT(passes({0, "b", ""}, std::string(65'535, 'x')));
    CPPUNIT_ASSERT(!passes({0, "b", ""}, std::string(65'536, 'x')));
    CPPUNIT_ASSERT(!passes({0, "b", "d"}, "a"));
    CPPUNIT_ASSERT(!passes({0, "b", "d"}, "d"));
    CPPUNIT_ASSERT(!passes({0, "d", "b"}, ""));
    CPPUNIT_ASSERT(!passes({0, std::string(495, 'b'), ""}, ""));
    std::string few_buckets = encode(PageRequest{{0, "", ""}, {}});
    few_buckets.back() = static_cast<char>(kBuckets / 8 - 1);  // their size, which was 0
    few_buckets.append(kBuckets / 8 - 1, '\1');
    CPPUNIT_ASSERT(!decode_page_request(few_buckets));
  }

  void keys_there_and_back() {
    const std::vector<std::string> keys{"a", std::string(65'535, 'k')};
    const Result<LookupRequest> lookup = decode_lookup(encode(LookupRequest{9, keys}));
    CPPUNIT_ASSERT(lookup && lookup->cut_off_hlc == 9 && lookup->keys == keys);
    CPPUNIT_ASSERT(decode_fetch(encode_fetch(keys)));
    for (const std::string& wrong : {std::string(), std::string(65'536, 'k')}) {
      CPPUNIT_ASSERT(!decode_lookup(encode(LookupRequest{9, {"a", wrong}})));
      CPPUNIT_ASSERT(!decode_fetch(encode_fetch({"a", wrong})));
    }
  }

  // Each would be taken apart before one is looked up.
  void no_more_keys_than_a_page_has_are_named() {
    const std::vector<std::string> most(kMostKeys, "k");
    CPPUNIT_ASSERT(decode_lookup(encode(LookupRequest{0, most})));
    CPPUNIT_ASSERT(decode_fetch(encode_fetch(most)));
    const std::vector<std::string> more(kMostKeys + 1, "k");
    CPPUNIT_ASSERT(!decode_lookup(encode(LookupRequest{0, more})));
    CPPUNIT_ASSERT(!decode_fetch(encode_fetch(more)));
  }

  void sums_of_buckets_there_and_back() {
    const std::string bytes = encode_bucket_sums(sums());
    CPPUNIT_ASSERT(bytes.size() < kBuckets + 100);
    const auto out = decode_bucket_sums(bytes);
    CPPUNIT_ASSERT(out && *out == sums());
    auto other = sums();
    other[5].count = 1;
    CPPUNIT_ASSERT(differing(sums(), sums()).none());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, differing(sums(), other).count());
    CPPUNIT_ASSERT(differing(sums(), other).test(5));
  }

  void hostile_bytes_are_harmless() {
    std::mt19937_64 random(test::seed());
    PageRequest page = page_request();
    page.from = "c";
    const std::string bytes = encode(page);
    test::assert_no_truncation_passes(bytes, decode_page_request);
    test::decode_every_flip(bytes, decode_page_request);
    test::decode_noise(bytes, random, decode_page_request);
    const std::string lookup = encode(LookupRequest{9, {"a", "bcd"}});
    test::assert_no_truncation_passes(lookup, decode_lookup);
    test::decode_every_flip(lookup, decode_lookup);
    test::decode_noise(lookup, random, decode_lookup);
    const std::string of_buckets = encode_bucket_sums(sums());
    test::assert_no_truncation_passes(of_buckets, decode_bucket_sums);
    test::decode_every_flip(of_buckets, decode_bucket_sums);
    test::decode_noise(of_buckets, random, decode_bucket_sums);
  }

  // A node ends a comparison with who asks for more.
  void the_largest_requests_are_taken() {
    SumsRequest sums{0, {}, std::string(kLongestBoundary, 'z')};
    for (std::size_t i = 0; i < kMostRanges; ++i) {
      sums.begins.push_back(std::to_string(10'000 + i) + std::string(kLongestBoundary - 5, 'x'));
    }
    CPPUNIT_ASSERT(decode_sums(encode(sums)));
    CPPUNIT_ASSERT(encode(sums).size() < kLargestRequest);
    const std::size_t page_and_a_key = kPageBytes + 65'535;
    const LookupRequest keys{
        0, std::vector<std::string>(page_and_a_key / kLongestBoundary, std::string(kLongestBoundary, 'k'))};
    CPPUNIT_ASSERT(encode(keys).size() < kLargestRequest);
    const Span span{0, std::string(kLongestBoundary, 'a'), sums.end};
    CPPUNIT_ASSERT(encode(PageRequest{span, std::string(65'535, 'k'), {}}).size() < kLargestRequest);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RangeCodecTest, "range_codec_test");

}  // namespace
}  // namespace minivault::cluster
