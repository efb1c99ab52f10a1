// Goal: a key fits into a line of the log or a sentence, whatever is in it and however long it is, and two
// that differ in what is shown look different. Method: keys of the longest length that is shown whole, one
// more, and of every byte.

#include "common/core/key_text.h"

#include <cppunit/extensions/HelperMacros.h>

#include <set>

namespace minivault {

class KeyTextTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(KeyTextTest);
  CPPUNIT_TEST(long_keys_are_cut_and_it_is_told);
  CPPUNIT_TEST(no_byte_leaves_the_line);
  CPPUNIT_TEST_SUITE_END();

 public:
  void long_keys_are_cut_and_it_is_told() {
    const std::string whole(kKeyBytesShown, 'k');
    CPPUNIT_ASSERT_EQUAL(whole, shown_key(whole));
    CPPUNIT_ASSERT_EQUAL('"' + whole + '"', quoted_key(whole));
    CPPUNIT_ASSERT_EQUAL(whole + "...", shown_key(whole + 'l'));
    CPPUNIT_ASSERT_EQUAL('"' + whole + "\"...", quoted_key(whole + 'l'));
  }

  void no_byte_leaves_the_line() {
    std::set<std::string> different;
    for (int byte = 0; byte < 256; ++byte) {
      const std::string key(1, static_cast<char>(byte));
      CPPUNIT_ASSERT_EQUAL(key, shown_key(key));  // the log's own line escapes
      const std::string text = quoted_key(key);
      CPPUNIT_ASSERT(different.insert(text).second);
      for (const char letter : text) CPPUNIT_ASSERT(letter >= ' ' && letter <= '~');
    }
    CPPUNIT_ASSERT_EQUAL(std::string(R"("a\x22b\x5c\x0a\xff")"), quoted_key("a\"b\\\n\xFF"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(KeyTextTest, "key_text_test");

}  // namespace minivault
