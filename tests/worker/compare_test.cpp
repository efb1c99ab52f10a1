// Goal: a comparison tells what is in the base, in pages of any crowd of long keys, and takes no request that
// is larger than any can be. Method: requests by hand to a node whose board is the test's (board_node.h).

#include "worker/compare.h"

#include <cppunit/extensions/HelperMacros.h>

#include <set>
#include <string>
#include <vector>

#include "common/cluster/range.h"
#include "tests/support/frames.h"
#include "tests/worker/board_node.h"
#include "tests/worker/sync_answers.h"

namespace minivault::test {
namespace {

using cluster::Reply;

/// They lie in the base in the order of their hashes.
std::string long_key(unsigned number) {
  const std::string name = std::to_string(number);
  return std::string(500, 'P') + name + std::string(8'000 - name.size(), 'x');
}

void begin_comparison(FakePeer& peer) {
  (void)peer.hello();
  CPPUNIT_ASSERT(cluster::decode_compare_reply(peer.ask(cluster::kCompare, "")));
}

}  // namespace

class CompareTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CompareTest);
  CPPUNIT_TEST(a_crowd_is_told_in_pages);
  CPPUNIT_TEST(a_request_beyond_the_largest_ends_it);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_crowd_is_told_in_pages() {
    constexpr unsigned kKeys = 300;
    const BoardNode node;
    FakePeer peer(node.port());
    (void)peer.hello();
    (void)peer.begin(0);
    std::vector<FakePeer::Entry> entries;
    for (unsigned i = 0; i < kKeys; ++i) entries.push_back({long_key(i), "value", hlc_now()});
    entries.push_back({"Q", "behind them", hlc_now()});
    (void)peer.batch(0, 4'096, entries);

    FakePeer asks(node.port());
    begin_comparison(asks);
    cluster::PageRequest request{{0, "P", "Q"}, {}};
    std::set<std::string> told;
    unsigned pages = 0;
    do {
      const std::string answer = asks.ask(cluster::kCrowd, cluster::encode(request));
      CPPUNIT_ASSERT(answer.size() < 1'100'000);
      const auto page = cluster::decode_items(answer);
      CPPUNIT_ASSERT(page && !page->items.empty());
      for (const cluster::Item& item : page->items) CPPUNIT_ASSERT(told.emplace(item.key).second);
      request.from = page->next;
      ++pages;
    } while (!request.from.empty());
    CPPUNIT_ASSERT_EQUAL(3U, pages);
    CPPUNIT_ASSERT_EQUAL(std::size_t{kKeys}, told.size());
    // A crowd of more than a page is no part of a list that ranges can be cut from.
    const std::string all = asks.ask(cluster::kItems, cluster::encode(cluster::Span{}));
    const auto none = cluster::decode_items(all);
    CPPUNIT_ASSERT(none && none->items.empty());
    CPPUNIT_ASSERT_EQUAL(std::string(cluster::kLongestBoundary, 'P'), none->next);
    const std::string looked = asks.ask(
        cluster::kLookup, cluster::encode(cluster::LookupRequest{0, {long_key(7), long_key(kKeys)}}));
    const auto found = cluster::decode_items(looked);
    CPPUNIT_ASSERT(found && found->items.size() == 1 && found->items.front().key == long_key(7));
  }

  void a_request_beyond_the_largest_ends_it() {
    const BoardNode node;
    FakePeer peer(node.port());
    begin_comparison(peer);
    const std::string refused = peer.ask(cluster::kFetch, std::string(cluster::kLargestRequest, 'x'));
    assert_reply(Reply::kMalformed, refused);
    // Its head alone: no byte more is waited for.
    peer.raw().send(keyed_frame('\4', cluster::kFetch) + little_endian(cluster::kLargestRequest + 1, 4) +
                    '\0');
    CPPUNIT_ASSERT_EQUAL(std::string(), peer.raw().receive_until_close());
    FakePeer next(node.port());
    begin_comparison(next);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CompareTest, "compare_test");

}  // namespace minivault::test
