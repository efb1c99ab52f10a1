// Goal: a copy is made for what is asked for again and is never anything but the version that was found;
// what is not asked for goes when there is no room. Method: values at places of this test's own choosing.

#include "worker/large_values.h"

#include <cppunit/extensions/HelperMacros.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace minivault::worker {

class LargeValuesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LargeValuesTest);
  CPPUNIT_TEST(the_second_asking_makes_a_copy);
  CPPUNIT_TEST(another_version_at_the_same_place_is_another_value);
  CPPUNIT_TEST(the_least_recently_asked_for_goes_first);
  CPPUNIT_TEST(who_still_sends_a_copy_keeps_it);
  CPPUNIT_TEST(without_room_nothing_is_copied);
  CPPUNIT_TEST(many_that_are_asked_for_once_push_nothing_out);
  CPPUNIT_TEST_SUITE_END();

 public:
  void the_second_asking_makes_a_copy() {
    LargeValues values(10 * kSize);
    const std::string value(kSize, 'a');
    CPPUNIT_ASSERT(values.find(value, {1, 1}) == nullptr);
    const auto copy = values.find(value, {1, 1});
    CPPUNIT_ASSERT(copy != nullptr);
    CPPUNIT_ASSERT(content(*copy) == value);
    CPPUNIT_ASSERT(values.find(value, {1, 1}) == copy);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{kSize}, values.bytes());
  }

  void another_version_at_the_same_place_is_another_value() {
    LargeValues values(10 * kSize);
    std::string value(kSize, 'a');
    const auto old = ask_twice(values, value, {1, 1});
    value.assign(kSize, 'b');  // as the ring is written again, a lap later
    CPPUNIT_ASSERT(values.find(value, {2, 1}) == nullptr);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, values.bytes());
    const auto fresh = values.find(value, {2, 1});
    CPPUNIT_ASSERT(fresh != nullptr && content(*fresh) == value);
    CPPUNIT_ASSERT(content(*old) == std::string(kSize, 'a'));
    // A shorter one, and one of another node, are others too.
    CPPUNIT_ASSERT(values.find(std::string_view(value).substr(1), {2, 1}) == nullptr);
    CPPUNIT_ASSERT(values.find(value, {2, 2}) == nullptr);
  }

  void the_least_recently_asked_for_goes_first() {
    LargeValues values(3 * kSize);
    const std::vector<std::string> four(4, std::string(kSize, 'v'));
    for (std::size_t i = 0; i < 3; ++i) CPPUNIT_ASSERT(ask_twice(values, four[i], {i + 1, 1}) != nullptr);
    CPPUNIT_ASSERT(values.find(four[0], {1, 1}) != nullptr);
    CPPUNIT_ASSERT(ask_twice(values, four[3], {4, 1}) != nullptr);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3 * kSize}, values.bytes());
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, values.copies());
    CPPUNIT_ASSERT(values.find(four[0], {1, 1}) != nullptr);
    CPPUNIT_ASSERT(values.find(four[2], {3, 1}) != nullptr);
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, values.copies());
  }

  void who_still_sends_a_copy_keeps_it() {
    LargeValues values(2 * kSize);
    const std::string first(kSize, '1');
    const std::vector<std::string> others(4, std::string(kSize, 'o'));
    const auto sending = ask_twice(values, first, {1, 1});
    for (std::size_t i = 0; i < others.size(); ++i) (void)ask_twice(values, others[i], {i + 2, 1});
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, values.copies());
    CPPUNIT_ASSERT_EQUAL(1L, sending.use_count());
    CPPUNIT_ASSERT(content(*sending) == first);
  }

  void without_room_nothing_is_copied() {
    LargeValues none(0);
    LargeValues little(2 * kSize - 1);
    const std::string value(kSize, 'a');
    for (int i = 0; i < 3; ++i) {
      CPPUNIT_ASSERT(none.find(value, {1, 1}) == nullptr);
      CPPUNIT_ASSERT(little.find(value, {1, 1}) == nullptr);
    }
  }

  void many_that_are_asked_for_once_push_nothing_out() {
    LargeValues values(2 * kSize);
    const std::string wanted(kSize, 'w');
    const auto copy = ask_twice(values, wanted, {1, 1});
    const std::string many(3'000 + kSize, 'm');
    for (std::size_t i = 0; i < 3'000; ++i) {
      CPPUNIT_ASSERT(values.find(std::string_view(many).substr(i, kSize), {i + 2, 1}) == nullptr);
    }
    CPPUNIT_ASSERT(values.find(wanted, {1, 1}) == copy);
  }

 private:
  static constexpr std::size_t kSize = LargeValues::kLeastBytes;

  static std::shared_ptr<const net::FrozenBytes> ask_twice(LargeValues& values, std::string_view value,
                                                           const store::Version& version) {
    (void)values.find(value, version);
    return values.find(value, version);
  }

  static std::string content(const net::FrozenBytes& bytes) {
    std::string all(bytes.size(), '?');
    CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(all.size()), ::pread(bytes.fd(), all.data(), all.size(), 0));
    return all;
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LargeValuesTest, "large_values_test");

}  // namespace minivault::worker
