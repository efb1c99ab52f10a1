// Goal: after its steps every page of the index is there, and no word has changed, whoever stores meanwhile.
// Method: fresh shared memory and mincore(2); a thread that stores while the steps are done.

#include "common/store/index_warmer.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/mman.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "common/core/mapping.h"

namespace minivault::store {

class IndexWarmerTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(IndexWarmerTest);
  CPPUNIT_TEST(every_page_is_there_afterwards);
  CPPUNIT_TEST(no_word_changes);
  CPPUNIT_TEST_SUITE_END();

 public:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kBytes = (std::size_t{5} << 19) + 3 * kPage;  // not a whole number of steps

  void setUp() override {
    void* address = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CPPUNIT_ASSERT(address != MAP_FAILED);
    memory_ = Mapping(address, kBytes);
    words_ = {reinterpret_cast<std::atomic<std::uint64_t>*>(memory_.data()), kBytes / sizeof(std::uint64_t)};
  }

  void every_page_is_there_afterwards() {
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, pages_there());
    IndexWarmer warmer(words_);
    int steps = 0;
    while (warmer.step()) ++steps;
    CPPUNIT_ASSERT_EQUAL(3, steps);
    CPPUNIT_ASSERT_EQUAL(kBytes / kPage, pages_there());
    CPPUNIT_ASSERT(!warmer.step());
  }

  void no_word_changes() {
    std::thread writer([this] {
      for (std::size_t i = words_.size(); i-- > 0;) words_[i].store(i + 1, std::memory_order_release);
    });
    IndexWarmer warmer(words_);
    while (warmer.step()) {
    }
    writer.join();
    IndexWarmer again(words_);
    while (again.step()) {
    }
    for (std::size_t i = 0; i < words_.size(); ++i) CPPUNIT_ASSERT_EQUAL(i + 1, words_[i].load());
  }

 private:
  std::size_t pages_there() {
    std::vector<unsigned char> pages(kBytes / kPage);
    CPPUNIT_ASSERT_EQUAL(0, ::mincore(memory_.data(), kBytes, pages.data()));
    return static_cast<std::size_t>(
        std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return (page & 1U) != 0; }));
  }

  Mapping memory_;
  std::span<std::atomic<std::uint64_t>> words_;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(IndexWarmerTest, "index_warmer_test");

}  // namespace minivault::store
