// Goal: processor time is read from the kernel's lines whatever a process is called, for a process and all
// its descendants, and what is not there is said to be not there.

#include "common/load/cpu_time.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <csignal>

#include "common/core/clock.h"
#include "common/core/unique_fd.h"

namespace minivault::load {
namespace {

void burn(std::uint64_t milliseconds) {
  const CpuTime begin = own_cpu_time();
  while ((own_cpu_time().total_s() - begin.total_s()) * 1000 < static_cast<double>(milliseconds)) {
  }
}

/// A child that used some time, says so, and waits to be killed.
class BusyChild {
 public:
  explicit BusyChild(std::uint64_t milliseconds) {
    int ends[2];
    CPPUNIT_ASSERT(::pipe(ends) == 0);
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      burn(milliseconds);
      (void)!::write(write_end.get(), "x", 1);
      ::pause();
      ::_exit(0);
    }
    char byte = 0;
    CPPUNIT_ASSERT(::read(read_end.get(), &byte, 1) == 1);
  }
  ~BusyChild() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  BusyChild(const BusyChild&) = delete;
  BusyChild& operator=(const BusyChild&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

const std::string kRest = " 0 0 0 0 7 8 9 10 250 50 100 25 20 0 4 0 999";

}  // namespace

class CpuTimeTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CpuTimeTest);
  CPPUNIT_TEST(reads_the_kernels_line);
  CPPUNIT_TEST(refuses_other_lines);
  CPPUNIT_TEST(finds_descendants_with_their_time);
  CPPUNIT_TEST(names_the_process_that_is_not_there);
  CPPUNIT_TEST(subtracts_what_was_before);
  CPPUNIT_TEST(who_ended_meanwhile_counts_for_what_it_used_meanwhile);
  CPPUNIT_TEST(a_child_that_ends_takes_its_past_along);
  CPPUNIT_TEST_SUITE_END();

 public:
  void reads_the_kernels_line() {
    const auto hertz = static_cast<double>(::sysconf(_SC_CLK_TCK));
    for (const std::string name : {"worker 1", "a) S 1 (b", "", "(x))"}) {
      const auto process = parse_process_stat("4711 (" + name + ") S 4242 1" + kRest);
      CPPUNIT_ASSERT_MESSAGE(name, process.has_value());
      CPPUNIT_ASSERT_EQUAL(name, process->name);
      CPPUNIT_ASSERT_EQUAL(pid_t{4711}, process->pid);
      CPPUNIT_ASSERT_EQUAL(pid_t{4242}, process->parent);
      CPPUNIT_ASSERT_DOUBLES_EQUAL(250 / hertz, process->time.user_s, 1e-9);
      CPPUNIT_ASSERT_DOUBLES_EQUAL(50 / hertz, process->time.system_s, 1e-9);
      CPPUNIT_ASSERT_DOUBLES_EQUAL(100 / hertz, process->ended.user_s, 1e-9);
      CPPUNIT_ASSERT_DOUBLES_EQUAL(25 / hertz, process->ended.system_s, 1e-9);
    }
  }

  void refuses_other_lines() {
    for (const char* line : {"", "4711", "4711 (x", ") S 1 (", "x (y) S 1 1", "4711 (x) S 1 1 2 3"}) {
      const auto process = parse_process_stat(line);
      CPPUNIT_ASSERT_MESSAGE(line, !process.has_value());
      CPPUNIT_ASSERT(process.error().code == Code::kCorrupt);
    }
  }

  void finds_descendants_with_their_time() {
    const BusyChild child(60);
    const pid_t self = ::getpid();
    const auto family = read_processes(std::span(&self, 1));
    CPPUNIT_ASSERT(family.has_value());
    const auto found = std::find_if(family->begin(), family->end(),
                                    [&](const ProcessCpu& process) { return process.pid == child.pid(); });
    CPPUNIT_ASSERT(found != family->end());
    CPPUNIT_ASSERT(found->time.total_s() >= 0.04 && found->time.total_s() < 10);
    CPPUNIT_ASSERT_EQUAL(self, family->front().pid);
    CPPUNIT_ASSERT_EQUAL(self, found->parent);

    const pid_t both[] = {self, child.pid()};
    CPPUNIT_ASSERT_EQUAL(family->size(), read_processes(both)->size());
  }

  void names_the_process_that_is_not_there() {
    pid_t gone = -1;
    {
      const BusyChild child(1);
      gone = child.pid();
    }
    const auto processes = read_processes(std::span(&gone, 1));
    CPPUNIT_ASSERT(!processes.has_value());
    CPPUNIT_ASSERT_EQUAL("no process " + std::to_string(gone), processes.error().message);
  }

  void subtracts_what_was_before() {
    const std::vector<ProcessCpu> before{{1, 0, "a", {1, 2}, {}}, {2, 1, "ended", {5, 5}, {}}};
    const std::vector<ProcessCpu> after{{1, 0, "a", {1.5, 4}, {}}, {3, 1, "new", {0.25, 0}, {}}};
    const auto used = used_between(before, after);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, used.size());
    CPPUNIT_ASSERT_DOUBLES_EQUAL(2.5, used[0].time.total_s(), 1e-9);
    CPPUNIT_ASSERT_DOUBLES_EQUAL(0.25, used[1].time.total_s(), 1e-9);
  }

  void who_ended_meanwhile_counts_for_what_it_used_meanwhile() {
    // A child and its child; both have ended.
    const std::vector<ProcessCpu> before{
        {1, 0, "root", {1, 1}, {0.5, 0}}, {2, 1, "child", {4, 2}, {}}, {3, 2, "grandchild", {8, 0}, {}}};
    const std::vector<ProcessCpu> after{{1, 0, "root", {1.25, 1}, {0.5 + 4.5 + 8.25, 2.125}}};
    const auto used = used_between(before, after);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, used.size());
    CPPUNIT_ASSERT_DOUBLES_EQUAL(0.25 + 0.5 + 0.25, used[0].time.user_s, 1e-9);
    CPPUNIT_ASSERT_DOUBLES_EQUAL(0.125, used[0].time.system_s, 1e-9);
    // Whose end nobody waits for is in no parent's time.
    const std::vector<ProcessCpu> ignored{{1, 0, "root", {1.25, 1}, {0.5, 0}}};
    CPPUNIT_ASSERT_DOUBLES_EQUAL(0.25, used_between(before, ignored)[0].time.total_s(), 1e-9);
  }

  void a_child_that_ends_takes_its_past_along() {
    const pid_t self = ::getpid();
    std::vector<ProcessCpu> before;
    {
      const BusyChild child(300);
      before = read_processes(std::span(&self, 1)).value();
    }
    const auto after = read_processes(std::span(&self, 1));
    CPPUNIT_ASSERT_DOUBLES_EQUAL(0, used_between(before, *after).front().time.total_s(), 0.15);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CpuTimeTest, "cpu_time_test");

}  // namespace minivault::load
