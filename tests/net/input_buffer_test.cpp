// Goal: whatever is received comes out in order however it is cut, and memory follows what is unread.
// Method: a seeded model (a std::string) beside the buffer; sizes looked at after settle().

#include "common/net/input_buffer.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include "tests/support/seed.h"

namespace minivault::net {

class InputBufferTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(InputBufferTest);
  CPPUNIT_TEST(holds_nothing_when_idle);
  CPPUNIT_TEST(keeps_a_started_request_in_little_memory);
  CPPUNIT_TEST(grows_with_what_arrived_and_not_with_a_claim);
  CPPUNIT_TEST(ends_growing_where_the_request_ends);
  CPPUNIT_TEST(consuming_moves_nothing);
  CPPUNIT_TEST(agrees_with_a_model);
  CPPUNIT_TEST(blocks_go_round);
  CPPUNIT_TEST(large_blocks_go_round);
  CPPUNIT_TEST(few_and_not_the_largest_are_kept);
  CPPUNIT_TEST_SUITE_END();

 public:
  void holds_nothing_when_idle() {
    receive("request");
    input_.consume(7);
    input_.settle();
    CPPUNIT_ASSERT(input_.empty());
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, input_.capacity());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, pool_.kept());
  }

  void keeps_a_started_request_in_little_memory() {
    receive("a request that is not whole");
    input_.settle();
    CPPUNIT_ASSERT_EQUAL(std::string("a request that is not whole"), std::string(input_.unread()));
    CPPUNIT_ASSERT_EQUAL(std::size_t{32}, input_.capacity());
    receive(" until now");
    CPPUNIT_ASSERT_EQUAL(std::string("a request that is not whole until now"), std::string(input_.unread()));
  }

  void grows_with_what_arrived_and_not_with_a_claim() {
    constexpr std::size_t kClaim = std::size_t{1} << 40;
    CPPUNIT_ASSERT_EQUAL(BlockPool::kBlockBytes, input_.room(kClaim).size());
    fill(kClaim);
    CPPUNIT_ASSERT_EQUAL(BlockPool::kBlockBytes, input_.capacity());
    fill(kClaim);
    CPPUNIT_ASSERT_EQUAL(2 * BlockPool::kBlockBytes, input_.capacity());
    fill(kClaim);
    CPPUNIT_ASSERT_EQUAL(4 * BlockPool::kBlockBytes, input_.capacity());
    CPPUNIT_ASSERT_EQUAL(input_.capacity(), input_.unread().size());
  }

  void ends_growing_where_the_request_ends() {
    constexpr std::size_t kRequest = BlockPool::kBlockBytes + 100;
    fill(kRequest);
    fill(kRequest);
    CPPUNIT_ASSERT_EQUAL(kRequest, input_.capacity());
  }

  void consuming_moves_nothing() {
    receive(std::string(30'000, 'a') + std::string(30'000, 'b'));
    const char* const second = input_.unread().data() + 30'000;
    input_.consume(30'000);
    CPPUNIT_ASSERT(input_.unread().data() == second);
    CPPUNIT_ASSERT_EQUAL(std::string(30'000, 'b'), std::string(input_.unread()));
  }

  void agrees_with_a_model() {
    std::mt19937_64 random(test::seed());
    std::string model;
    char next = 0;
    for (int step = 0; step < 20'000; ++step) {
      const std::size_t bytes = random() % (random() % 16 == 0 ? 100'000 : 300);
      if (random() % 2 == 0) {
        const std::span<char> room = input_.room(random() % 200'000);
        CPPUNIT_ASSERT(!room.empty());
        const std::size_t got = std::min(bytes, room.size());
        for (std::size_t i = 0; i < got; ++i) model += room[i] = next++;
        input_.received(got);
      } else {
        const std::size_t used = std::min(bytes, model.size());
        input_.consume(used);
        model.erase(0, used);
      }
      if (random() % 4 == 0) input_.settle();
      CPPUNIT_ASSERT(input_.unread() == model);
    }
  }

  void blocks_go_round() {
    receive("a");
    const char* const block = input_.unread().data();
    input_.consume(1);
    input_.settle();
    receive("b");
    CPPUNIT_ASSERT(input_.unread().data() == block);
  }

  void large_blocks_go_round() {
    constexpr std::size_t kRequest = 4 * BlockPool::kBlockBytes + 7;
    while (input_.unread().size() < kRequest) fill(kRequest);
    const char* const large = input_.unread().data();
    take_all();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, pool_.kept_large());
    // The next one moves into it as soon as the usual block is full, with all that has come.
    receive("first");
    fill(kRequest);
    fill(kRequest);
    CPPUNIT_ASSERT(input_.unread().data() == large);
    CPPUNIT_ASSERT_EQUAL(kRequest, input_.capacity());
    CPPUNIT_ASSERT_EQUAL(std::string("firstxxx"), std::string(input_.unread().substr(0, 8)));
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, pool_.kept_large());
  }

  void few_and_not_the_largest_are_kept() {
    while (input_.unread().size() <= BlockPool::kLargestKept) fill(0);
    take_all();
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, pool_.kept_large());
    for (std::size_t i = 0; i < BlockPool::kKeptLarge + 2; ++i) {
      Block block;
      CPPUNIT_ASSERT(block.reserve(BlockPool::kBlockBytes + 1 + i));
      pool_.give(std::move(block));
    }
    CPPUNIT_ASSERT_EQUAL(BlockPool::kKeptLarge, pool_.kept_large());
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, pool_.take_kept(BlockPool::kLargestKept).capacity());
    CPPUNIT_ASSERT_EQUAL(BlockPool::kBlockBytes + 3, pool_.take_kept(BlockPool::kBlockBytes + 3).capacity());
    CPPUNIT_ASSERT_EQUAL(BlockPool::kKeptLarge - 1, pool_.kept_large());
  }

 private:
  void take_all() {
    input_.consume(input_.unread().size());
    input_.settle();
  }
  void receive(const std::string& bytes) {
    const std::span<char> room = input_.room(0);
    CPPUNIT_ASSERT(room.size() >= bytes.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    input_.received(bytes.size());
  }
  void fill(std::size_t request_bytes) {
    const std::span<char> room = input_.room(request_bytes);
    CPPUNIT_ASSERT(!room.empty());
    std::memset(room.data(), 'x', room.size());
    input_.received(room.size());
  }

  BlockPool pool_;
  InputBuffer input_{pool_};
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(InputBufferTest, "input_buffer_test");

}  // namespace minivault::net
