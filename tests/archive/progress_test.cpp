// Goal: whoever waits at a terminal sees how far it is; nobody else sees anything, for scripts read what the
// commands say. Method: a child whose standard error is a pseudo-terminal, or a pipe.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>

#include "common/admin/progress.h"
#include "common/core/clock.h"
#include "common/core/unique_fd.h"

namespace minivault::test {
namespace {

/// What `work` leaves on a standard error that is `end`; the other one is read from `from`.
std::string standard_error(UniqueFd from, UniqueFd end, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(end.get(), STDERR_FILENO);
    work();
    std::fflush(stderr);
    ::_exit(0);
  }
  end.reset();
  std::string text;
  std::array<char, 512> piece{};
  // A pseudo-terminal ends with EIO once nobody holds its other side.
  for (ssize_t got = 0; (got = ::read(from.get(), piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::waitpid(child, nullptr, 0);
  return text;
}

/// Longer than the time between two drawings.
void work_for_a_while(std::uint64_t total) {
  admin::Progress progress("load", "bytes", total);
  const std::uint64_t began_ms = monotonic_ms();
  while (monotonic_ms() < began_ms + 500) progress.update(512);
}

}  // namespace

class ProgressTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ProgressTest);
  CPPUNIT_TEST(a_terminal_sees_a_bar);
  CPPUNIT_TEST(others_see_nothing);
  CPPUNIT_TEST_SUITE_END();

  static std::string on_a_terminal(std::uint64_t total) {
    UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    CPPUNIT_ASSERT(master && ::grantpt(master.get()) == 0 && ::unlockpt(master.get()) == 0);
    UniqueFd terminal(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    CPPUNIT_ASSERT(static_cast<bool>(terminal));
    return standard_error(std::move(master), std::move(terminal), [total] { work_for_a_while(total); });
  }

 public:
  void a_terminal_sees_a_bar() {
    const std::string known = on_a_terminal(1'024);
    CPPUNIT_ASSERT_MESSAGE(known,
                           known.find("load [###############               ] 50% 512 bytes, ") != known.npos);
    CPPUNIT_ASSERT_MESSAGE(known, known.ends_with("\r\033[K"));  // and is clean again
    const std::string unknown = on_a_terminal(0);
    CPPUNIT_ASSERT_MESSAGE(unknown, unknown.find("load 512 bytes, ") != unknown.npos);
  }

  void others_see_nothing() {
    std::array<int, 2> ends{};
    CPPUNIT_ASSERT_EQUAL(0, ::pipe2(ends.data(), O_CLOEXEC));
    const std::string text =
        standard_error(UniqueFd(ends[0]), UniqueFd(ends[1]), [] { work_for_a_while(1'024); });
    CPPUNIT_ASSERT_EQUAL(std::string(), text);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ProgressTest, "progress_test");

}  // namespace minivault::test
