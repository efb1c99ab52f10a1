// Goal: a value is known to be its key's, and nothing else is taken for it.

#include "common/load/values.h"

#include <cppunit/extensions/HelperMacros.h>

#include "common/load/tape.h"

namespace minivault::load {
namespace {

std::string value_of(const Values& values, std::uint64_t number) {
  std::string value;
  values.append_value(value, number);
  return value;
}

}  // namespace

class ValuesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ValuesTest);
  CPPUNIT_TEST(values_have_the_size_asked_for);
  CPPUNIT_TEST(every_change_is_seen);
  CPPUNIT_TEST(names_have_one_width);
  CPPUNIT_TEST(a_tape_is_whole_batches_of_the_mix);
  CPPUNIT_TEST(a_filling_tape_has_every_key_once);
  CPPUNIT_TEST_SUITE_END();

 public:
  void values_have_the_size_asked_for() {
    for (const std::uint64_t size : {1U, 5U, 12U, 13U, 100U, 5000U}) {
      const Values values(size);
      const std::string value = value_of(values, 123'456);
      CPPUNIT_ASSERT_EQUAL(static_cast<std::size_t>(size), value.size());
      CPPUNIT_ASSERT(values.is_value(value, 123'456));
      CPPUNIT_ASSERT(value.find_first_of("\"\\\r\n") == std::string::npos);
    }
  }

  void every_change_is_seen() {
    const Values values(100);
    const std::string value = value_of(values, 77);
    CPPUNIT_ASSERT(!values.is_value(value, 78));
    CPPUNIT_ASSERT(!values.is_value(value.substr(1), 77));
    CPPUNIT_ASSERT(!values.is_value(value + "x", 77));
    for (std::size_t i = 0; i < value.size(); ++i) {
      std::string damaged = value;
      damaged[i] = static_cast<char>(damaged[i] ^ 1);
      CPPUNIT_ASSERT(!values.is_value(damaged, 77));
    }
  }

  void names_have_one_width() {
    std::string names;
    Values::append_key(names, 0);
    Values::append_key(names, 999'999'999'999);
    CPPUNIT_ASSERT_EQUAL(std::string("key:000000000000key:999999999999"), names);
  }

  void a_tape_is_whole_batches_of_the_mix() {
    const auto codec = make_binary_codec("");
    const Tape tape =
        Tape::random(*codec, Values(100), {Distribution::kUniform, 1000, 30, 1, Tape::kRequests}, 64);
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, tape.size() % 64);
    std::size_t gets = 0;
    for (std::size_t i = 0; i < tape.size(); ++i) gets += tape.asked(i).get ? 1 : 0;
    CPPUNIT_ASSERT_DOUBLES_EQUAL(0.3, static_cast<double>(gets) / static_cast<double>(tape.size()), 0.02);

    std::string expected;
    for (std::size_t i = 5; i < 8; ++i) {
      std::string key;
      Values::append_key(key, tape.asked(i).key);
      if (tape.asked(i).get)
        codec->append_get(expected, key);
      else
        codec->append_set(expected, key, value_of(Values(100), tape.asked(i).key));
    }
    CPPUNIT_ASSERT(expected == tape.bytes(5, 3));
  }

  void a_filling_tape_has_every_key_once() {
    const auto codec = make_resp_codec("");
    const Tape tape = Tape::fill(*codec, Values(8), 100, 350);
    CPPUNIT_ASSERT_EQUAL(std::size_t{250}, tape.size());
    for (std::size_t i = 0; i < tape.size(); ++i) {
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{100 + i}, tape.asked(i).key);
      CPPUNIT_ASSERT(!tape.asked(i).get);
    }
    const Tape large =
        Tape::fill(*codec, Values(8U << 20U), 0, 1000);  // memory is bounded: it comes in parts
    CPPUNIT_ASSERT(large.size() > 1 && large.size() < 20);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ValuesTest, "values_test");

}  // namespace minivault::load
