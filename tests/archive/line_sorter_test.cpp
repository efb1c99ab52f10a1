// Goal: lines leave in the order of their keys, whole, however many wait for each other, and those that do
// are not in memory. Method: crowds of keys that begin with the same 495 bytes, in the order of a base, with
// room for a few of them, for one or for none; the file that they wait in, as this process has it open.

#include <cppunit/extensions/HelperMacros.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "common/admin/line_sorter.h"
#include "tests/support/seed.h"
#include "tests/support/temporary_directory.h"

namespace minivault::admin {
namespace {

class LineSorterTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LineSorterTest);
  CPPUNIT_TEST(test_any_crowds);
  CPPUNIT_TEST(test_what_waits_is_in_a_file);
  CPPUNIT_TEST(test_no_place_for_the_file);
  CPPUNIT_TEST(test_nobody_takes_the_lines);
  CPPUNIT_TEST_SUITE_END();

  /// For the time of a test.
  class TemporaryFiles {
   public:
    explicit TemporaryFiles(const std::string& directory) {
      if (const char* given = std::getenv("TMPDIR")) before_ = given;
      ::setenv("TMPDIR", directory.c_str(), 1);
    }
    ~TemporaryFiles() { before_.empty() ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", before_.c_str(), 1); }
    TemporaryFiles(const TemporaryFiles&) = delete;
    TemporaryFiles& operator=(const TemporaryFiles&) = delete;

   private:
    std::string before_;
  };

  static void must(const Status& done) {
    if (!done) CPPUNIT_FAIL(done.error().message);
  }

  /// The bytes in files of `directory` that have no name any more.
  static std::uint64_t nameless_bytes(const std::string& directory) {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;  // the one that reads this directory
      const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
      struct stat file {};
      if (!gone && target.starts_with(directory + "/") && target.ends_with(" (deleted)") &&
          ::stat(entry.path().c_str(), &file) == 0) {
        bytes += static_cast<std::uint64_t>(file.st_size);
      }
    }
    return bytes;
  }

  static std::string crowd_key(char crowd, unsigned number) {
    return std::string(495, crowd) + std::to_string(number);
  }

 public:
  void test_any_crowds() {
    std::mt19937_64 random(test::seed());
    for (const std::size_t memory : {std::size_t{1}, std::size_t{3'000}, std::size_t{100'000'000}}) {
      std::map<std::string, std::string> lines;
      for (unsigned i = 0; i < 400; ++i) {
        const char crowd = static_cast<char>('a' + random() % 4);
        const std::size_t size = random() % 50 == 0 ? 150'000 : random() % 300;
        const bool is_short = random() % 8 == 0;
        const std::string key = is_short ? std::string(1 + random() % 494, crowd) : crowd_key(crowd, i);
        lines[key] = "line " + key + std::string(size, static_cast<char>('A' + i % 26)) + "\n";
      }
      lines[std::string(495, 'b')] = "of nothing but what they begin with\n";
      std::vector<std::string> keys;
      std::string expected;
      for (const auto& [key, line] : lines) {
        keys.push_back(key);
        expected += line;
      }
      // As a base has them: a crowd in one place, in any order.
      std::shuffle(keys.begin(), keys.end(), random);
      std::stable_sort(keys.begin(), keys.end(),
                       [](const auto& a, const auto& b) { return a.substr(0, 495) < b.substr(0, 495); });
      std::string got;
      const auto out = [&](std::string_view text) {
        got += text;
        return Status();
      };
      LineSorter sorter(out, memory);
      for (const std::string& key : keys) must(sorter.add(key, lines[key]));
      must(sorter.flush());
      CPPUNIT_ASSERT(expected == got);
    }
  }

  void test_what_waits_is_in_a_file() {
    const test::TemporaryDirectory directory;
    const TemporaryFiles here(directory.path());
    constexpr std::uint64_t kMemory = 50'000;
    std::uint64_t bytes = 0;
    std::uint64_t left = 0;
    LineSorter sorter(
        [&](std::string_view text) {
          left += text.size();
          return Status();
        },
        kMemory);
    for (unsigned i = 0; i < 2'000; ++i) {
      const std::string line(400, 'v');
      must(sorter.add(crowd_key('c', i * 7'919 % 2'000), line));
      bytes += line.size();
      CPPUNIT_ASSERT(bytes < kMemory || nameless_bytes(directory.path()) > bytes - kMemory);
    }
    CPPUNIT_ASSERT(std::filesystem::is_empty(directory.path()) && left == 0);
    must(sorter.add("another", "one"));
    CPPUNIT_ASSERT_EQUAL(bytes + 3, left);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, nameless_bytes(directory.path()));
  }

  void test_no_place_for_the_file() {
    const test::TemporaryDirectory directory;
    const TemporaryFiles nowhere(directory.file("nowhere"));
    LineSorter sorter([](std::string_view) { return Status(); }, 1);
    const Status refused = sorter.add(crowd_key('c', 1), "line");
    CPPUNIT_ASSERT(!refused);
    CPPUNIT_ASSERT_MESSAGE(refused.error().message,
                           refused.error().message.find("TMPDIR") != std::string::npos);
  }

  void test_nobody_takes_the_lines() {
    unsigned taken = 0;
    LineSorter sorter(
        [&](std::string_view) { return ++taken < 3 ? Status() : fail(Code::kIo, "standard output is gone"); },
        1);
    for (unsigned i = 0; i < 10; ++i) must(sorter.add(crowd_key('c', i), "line"));
    const Status failed = sorter.flush();
    CPPUNIT_ASSERT(!failed && failed.error().message == "standard output is gone");
    CPPUNIT_ASSERT_EQUAL(3U, taken);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LineSorterTest, "line_sorter_test");

}  // namespace
}  // namespace minivault::admin
