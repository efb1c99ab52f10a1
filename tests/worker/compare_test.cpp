// Goal: a comparison tells what is in the base, in pages of any crowd of long keys, and takes no request that
// is larger than any can be. Method: requests by hand to a node whose board is the test's (board_node.h).

#include "worker/compare.h"

#include <cppunit/extensions/HelperMacros.h>

#include <set>
#include <string>
#include <vector>

#include "common/cluster/range.h"
#include "common/core/clock.h"
#include "tests/support/frames.h"
#include "tests/support/wait.h"
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
  CPPUNIT_TEST(it_is_opened_without_another_word);
  CPPUNIT_TEST(what_comes_to_nothing_is_refused_for_a_while);
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

  // The process that has the conversation would not see it.
  void it_is_opened_without_another_word() {
    const BoardNode node;
    FakePeer peer(node.port());
    (void)peer.hello();
    assert_reply(Reply::kMalformed, peer.ask(cluster::kCompare, "word"));
    const std::string opening = keyed_frame('\4', cluster::kCompare) + little_endian(0, 4) + '\0';
    peer.raw().send(opening + "\xee");
    assert_reply(Reply::kMalformed, peer.receive());
    CPPUNIT_ASSERT_EQUAL(kError, peer.raw().receive_until_close());  // of what stood behind
  }

  // Of a client that asks nothing, or what nobody can ask: each is a process, and most of them a line.
  void what_comes_to_nothing_is_refused_for_a_while() {
    constexpr int kTries = 200;
    const BoardNode node;
    const std::uint64_t began_ms = monotonic_ms();
    std::uint64_t opened = 0;
    for (int i = 0; i < kTries; ++i) {
      FakePeer peer(node.port());
      (void)peer.hello();
      const std::string answer = peer.ask(cluster::kCompare, "");
      if (refusal_in(answer) == Reply::kBusy) continue;
      ++opened;
      if (i % 2 == 0) peer.raw().send(std::string(100, '\xee'));
      peer.raw().finish_sending();
      (void)peer.raw().receive_until_close();
    }
    const std::uint64_t lasted_ms = monotonic_ms() - began_ms;
    CPPUNIT_ASSERT_MESSAGE(std::to_string(opened), opened >= 10 && opened <= 11 + lasted_ms / 100);
    // Lines are counted beyond the processes that write them; and who is honest finds room again.
    CPPUNIT_ASSERT(node.board().vain_comparison_lines_due_ns.load() > 0);
    eventually("a comparison is taken again", [&] {
      FakePeer peer(node.port());
      (void)peer.hello();
      return refusal_in(peer.ask(cluster::kCompare, "")) != Reply::kBusy;
    });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CompareTest, "compare_test");

}  // namespace minivault::test
