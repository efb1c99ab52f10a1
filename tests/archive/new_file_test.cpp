// Goal: a file that is written anew takes the place of a file alone, also through a link, and of nothing
// else.

#include "common/admin/new_file.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/temporary_directory.h"

namespace minivault::test {
namespace {

namespace fs = std::filesystem;

class NewFileTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(NewFileTest);
  CPPUNIT_TEST(appears_whole);
  CPPUNIT_TEST(a_link_stays_and_its_file_is_new);
  CPPUNIT_TEST(what_is_no_file_stays);
  CPPUNIT_TEST_SUITE_END();

  static void write(const std::string& path, std::string_view bytes) {
    Result<admin::NewFile> file = admin::NewFile::create(path);
    CPPUNIT_ASSERT_MESSAGE(path, file.has_value());
    CPPUNIT_ASSERT(file->write(bytes) && file->publish());
  }

  static void assert_refused(const std::string& path, const std::string& because) {
    const Result<admin::NewFile> file = admin::NewFile::create(path);
    CPPUNIT_ASSERT(!file);
    CPPUNIT_ASSERT_MESSAGE(file.error().message, file.error().message.find(because) != std::string::npos);
    CPPUNIT_ASSERT(!fs::exists(path + ".partial"));
  }

  TemporaryDirectory directory_;

 public:
  void appears_whole() {
    const std::string path = directory_.file("file");
    for (const char* bytes : {"first", "second"}) {
      write(path, bytes);
      CPPUNIT_ASSERT_EQUAL(fs::file_size(path), std::string(bytes).size());
    }
    CPPUNIT_ASSERT(!fs::exists(path + ".partial"));
  }

  void a_link_stays_and_its_file_is_new() {
    const std::string path = directory_.write("file", "old");
    const std::string link = directory_.file("link");
    fs::create_symlink("file", link);
    write(link, "newer");
    CPPUNIT_ASSERT(fs::is_symlink(link));
    CPPUNIT_ASSERT_EQUAL(std::uintmax_t{5}, fs::file_size(path));
  }

  void what_is_no_file_stays() {
    const std::string pipe = directory_.file("pipe");
    CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(pipe.c_str(), 0600));
    assert_refused(pipe, "is not a regular file");
    CPPUNIT_ASSERT(fs::is_fifo(pipe));
    fs::create_directory(directory_.file("directory"));
    assert_refused(directory_.file("directory"), "is not a regular file");
    assert_refused("/dev/full", "is not a regular file");
    fs::create_symlink("nowhere", directory_.file("link"));
    assert_refused(directory_.file("link"), "No such file");
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(NewFileTest, "new_file_test");

}  // namespace
}  // namespace minivault::test
