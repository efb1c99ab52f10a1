// What the lock file says to commands, as it is written, half written, and as nobody would write it.

#include "common/process/lock_file.h"

#include <cppunit/extensions/HelperMacros.h>

namespace minivault {

class LockFileTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LockFileTest);
  CPPUNIT_TEST(what_is_written_is_read);
  CPPUNIT_TEST(what_is_not_told_is_empty);
  CPPUNIT_TEST_SUITE_END();

 public:
  void what_is_written_is_read() {
    for (const LockNote& note :
         {LockNote{.pid = 4711}, LockNote{4711, 3, "ok"}, LockNote{1, 0, "stopped 0"},
          LockNote{4'194'304, 18'446'744'073'709'551'615U, "port (x:1): \"a\" is not"}}) {
      CPPUNIT_ASSERT_EQUAL(lock_text(note), lock_text(parse_lock_note(lock_text(note))));
      CPPUNIT_ASSERT(parse_lock_note(lock_text(note)) == note);
    }
    CPPUNIT_ASSERT_EQUAL(std::string("7\n"), lock_text({.pid = 7}));
    CPPUNIT_ASSERT_EQUAL(std::string("7\n2 no such\n"), lock_text({7, 2, "no such"}));
    CPPUNIT_ASSERT_EQUAL_MESSAGE("one line", std::string("7\n2 a b\n"), lock_text({7, 2, "a\nb"}));
  }

  void what_is_not_told_is_empty() {
    for (const char* text : {"", "\n", "nonsense", "-5\n", "99999999999999999999\n"})
      CPPUNIT_ASSERT_EQUAL_MESSAGE(text, pid_t{0}, parse_lock_note(text).pid);
    CPPUNIT_ASSERT((parse_lock_note("12") == LockNote{.pid = 12}));
    CPPUNIT_ASSERT((parse_lock_note("12\n3") == LockNote{12, 3, ""}));
    CPPUNIT_ASSERT((parse_lock_note("12\n3 o") == LockNote{12, 3, "o"}));
    CPPUNIT_ASSERT((parse_lock_note("12\nx ok\n") == LockNote{.pid = 12}));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LockFileTest, "lock_file_test");

}  // namespace minivault
