// Goal: the table of -authmode, cell by cell, and a comparison of keys that no prefix or repetition
// satisfies.

#include "worker/access.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace minivault::worker {

class AccessTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(AccessTest);
  CPPUNIT_TEST(each_mode_asks_for_the_key_where_it_should);
  CPPUNIT_TEST(without_a_key_nothing_needs_one_and_every_key_is_right);
  CPPUNIT_TEST(only_the_whole_key_is_the_key);
  CPPUNIT_TEST_SUITE_END();

 public:
  void each_mode_asks_for_the_key_where_it_should() {
    check(AuthMode::kNone, false, false);
    check(AuthMode::kWrites, false, true);
    check(AuthMode::kAll, true, true);
  }

  void without_a_key_nothing_needs_one_and_every_key_is_right() {
    const Config config;
    const AccessRules rules(config);
    for (const Access access : {Access::kPublic, Access::kRead, Access::kWrite, Access::kPeer}) {
      CPPUNIT_ASSERT(!rules.needs_key(access));
    }
    CPPUNIT_ASSERT(rules.is_key("whatever"));
  }

  void only_the_whole_key_is_the_key() {
    const Config config = with_key(AuthMode::kAll);
    const AccessRules rules(config);
    CPPUNIT_ASSERT(rules.is_key("secret"));
    for (const char* wrong : {"", "s", "secre", "secret ", "Secret", "secretsecret", "terces"}) {
      CPPUNIT_ASSERT_MESSAGE(wrong, !rules.is_key(wrong));
    }
  }

 private:
  static Config with_key(AuthMode mode) {
    Config config;
    config.auth_key = "secret";
    config.auth_mode = mode;
    return config;
  }

  static void check(AuthMode mode, bool reads, bool writes) {
    const Config config = with_key(mode);
    const AccessRules rules(config);
    CPPUNIT_ASSERT(!rules.needs_key(Access::kPublic));
    CPPUNIT_ASSERT_EQUAL(reads, rules.needs_key(Access::kRead));
    CPPUNIT_ASSERT_EQUAL(writes, rules.needs_key(Access::kWrite));
    CPPUNIT_ASSERT(rules.needs_key(Access::kPeer));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(AccessTest, "access_test");

}  // namespace minivault::worker
