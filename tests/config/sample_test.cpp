// etc/minivault.conf against the table: it is a valid file as it stands, and with every setting switched on
// it names each one, at its default.

#include <cppunit/extensions/HelperMacros.h>

#include "common/config/loader.h"
#include "tests/support/source_directory.h"

using namespace minivault;
using namespace minivault::settings;

namespace {

const std::string kSample = minivault::test::source_directory() / "etc/minivault.conf";

/// Takes the `#` off every line that is a setting: prose has a blank behind its `#`.
std::string switched_on(std::string text) {
  for (std::size_t start = 0; start < text.size(); start = text.find('\n', start) + 1) {
    const bool is_setting = text[start] == '#' && text[start + 1] >= 'a' && text[start + 1] <= 'z';
    if (is_setting) text.erase(start, 1);
  }
  return text;
}

std::string sample() {
  const auto content = ConfigSources::of_system().read_file(kSample);
  CPPUNIT_ASSERT_MESSAGE(kSample, content.has_value());
  CPPUNIT_ASSERT(content->ends_with('\n'));
  return *content;
}

}  // namespace

class SampleTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SampleTest);
  CPPUNIT_TEST(as_it_stands_it_sets_nothing);
  CPPUNIT_TEST(switched_on_it_names_every_setting);
  CPPUNIT_TEST(switched_on_it_says_the_defaults);
  CPPUNIT_TEST_SUITE_END();

 public:
  void as_it_stands_it_sets_nothing() {
    const auto given = parse_config_file(kSample, sample());
    CPPUNIT_ASSERT(given && given->empty());
  }

  void switched_on_it_names_every_setting() {
    const auto given = parse_config_file(kSample, switched_on(sample()));
    CPPUNIT_ASSERT_MESSAGE(given ? "" : given.error().message, given.has_value());
    for (const Setting& setting : all_settings()) {
      // A key in the file itself is possible, but nothing to suggest.
      const bool is_expected = setting.reach == Reach::kEverywhere && setting.name != "auth";
      CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(setting.name), is_expected, given->contains(setting.name));
    }
  }

  void switched_on_it_says_the_defaults() {
    const auto given = parse_config_file(kSample, switched_on(sample()));
    Draft draft;
    for (const auto& [name, value] : *given) CPPUNIT_ASSERT(find_setting(name)->apply(draft, value.text));
    Config expected;
    expected.public_url = "localhost:3000";
    expected.worker_processes = 2;
    CPPUNIT_ASSERT(draft.config == expected);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SampleTest, "sample_test");
