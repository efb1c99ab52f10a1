// Goal: while a worker's last commit is being synced, a few more writes cost no append of their own: they
// wait for that sync, which theirs could not precede, and then are written together. Method: the
// checkpointer, which syncs, is stopped; what the worker writes meanwhile the kernel counts.

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <list>
#include <string>
#include <thread>

#include "tests/support/frames.h"
#include "tests/support/node.h"
#include "tests/support/raw_connection.h"
#include "tests/support/wait.h"

namespace minivault::test {

class GroupCommitTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(GroupCommitTest);
  CPPUNIT_TEST(few_writes_wait_for_the_sync_under_way_and_share_the_next);
  CPPUNIT_TEST(a_disk_that_stands_still_is_not_waited_for);
  CPPUNIT_TEST(many_writes_do_not_wait);
  CPPUNIT_TEST_SUITE_END();

 public:
  void few_writes_wait_for_the_sync_under_way_and_share_the_next() {
    const Node node({.flags = {"-procs", "1"}});
    RawConnection reader(node.port());
    CPPUNIT_ASSERT(reader.exchange(set_frame("seen", "1"), 5) == kOk);
    const Stopped stopped(node);
    RawConnection first(node.port());
    const std::uint64_t before = writes_of(node);
    write_and_let_it_arrive(first, "first", reader);
    const std::uint64_t after_first = writes_of(node);
    CPPUNIT_ASSERT(after_first > before);

    // They wait for 20 ms at most, so what took longer says nothing.
    std::list<RawConnection> others;
    bool in_time = false;
    eventually("a few are sent and counted within the time that they wait", [&] {
      others.clear();
      const std::uint64_t written = settled_writes_of(node);
      const auto began = std::chrono::steady_clock::now();
      for (int i = 0; i < kOthers; ++i) {
        others.emplace_back(node.port());
        write_and_let_it_arrive(others.back(), "other" + std::to_string(i), reader);
      }
      const std::uint64_t now = writes_of(node);
      in_time = std::chrono::steady_clock::now() - began < milliseconds(19);
      if (in_time) CPPUNIT_ASSERT_EQUAL(written, now);
      return in_time;
    });
    stopped.go_on();
    CPPUNIT_ASSERT(first.receive(5) == kOk);
    for (RawConnection& other : others) CPPUNIT_ASSERT(other.receive(5) == kOk);
    for (int i = 0; i < kOthers; ++i) {
      CPPUNIT_ASSERT(reader.exchange(get_frame("other" + std::to_string(i)), 6) == value_answer("v"));
    }
  }

  /// The log may be full before such a disk is done.
  void a_disk_that_stands_still_is_not_waited_for() {
    const Node node({.flags = {"-procs", "1"}});
    RawConnection reader(node.port());
    CPPUNIT_ASSERT(reader.exchange(set_frame("seen", "1"), 5) == kOk);
    const Stopped stopped(node);
    RawConnection first(node.port());
    write_and_let_it_arrive(first, "first", reader);
    const std::uint64_t after_first = writes_of(node);
    RawConnection second(node.port());
    write_and_let_it_arrive(second, "second", reader);
    eventually("the second is written", [&] { return writes_of(node) > after_first; });
    stopped.go_on();
    CPPUNIT_ASSERT(first.receive(5) == kOk);
    CPPUNIT_ASSERT(second.receive(5) == kOk);
  }

  void many_writes_do_not_wait() {
    const Node node({.flags = {"-procs", "1"}});
    RawConnection reader(node.port());
    CPPUNIT_ASSERT(reader.exchange(set_frame("seen", "1"), 5) == kOk);
    const Stopped stopped(node);
    RawConnection first(node.port());
    write_and_let_it_arrive(first, "first", reader);
    const std::uint64_t after_first = writes_of(node);
    RawConnection many(node.port());
    std::string frames;
    std::string answers;
    for (int i = 0; i < 100; ++i) {
      frames += set_frame("many" + std::to_string(i), "v");
      answers += kOk;
    }
    many.send(frames);
    eventually("they are written", [&] { return writes_of(node) > after_first; });
    stopped.go_on();
    CPPUNIT_ASSERT(first.receive(5) == kOk);
    CPPUNIT_ASSERT(many.receive(answers.size()) == answers);
  }

 private:
  static constexpr int kOthers = 6;

  /// The node's checkpointer, stopped until go_on() or the end.
  class Stopped {
   public:
    explicit Stopped(const Node& node) : pid_(node.child("checkpointer")) { suspend(pid_); }
    ~Stopped() { go_on(); }
    Stopped(const Stopped&) = delete;
    Stopped& operator=(const Stopped&) = delete;
    void go_on() const { ::kill(pid_, SIGCONT); }

   private:
    pid_t pid_;
  };

  /// Of the worker, to files: sends to sockets are not among them.
  static std::uint64_t writes_of(const Node& node) {
    std::ifstream io("/proc/" + std::to_string(node.child("worker")) + "/io");
    std::string name;
    std::uint64_t count = 0;
    while (io >> name >> count && name != "syscw:") {
    }
    CPPUNIT_ASSERT_EQUAL(std::string("syscw:"), name);
    return count;
  }

  /// Once what waited a while ago is written too.
  static std::uint64_t settled_writes_of(const Node& node) {
    std::uint64_t before = writes_of(node);
    while (true) {
      std::this_thread::sleep_for(milliseconds(40));
      const std::uint64_t now = writes_of(node);
      if (now == before) return now;
      before = now;
    }
  }

  /// The worker takes up what came first, first: once it has answered the reader it has the write too.
  static void write_and_let_it_arrive(RawConnection& writer, const std::string& key, RawConnection& reader) {
    writer.send(set_frame(key, "v"));
    for (int i = 0; i < 2; ++i) CPPUNIT_ASSERT(reader.exchange(get_frame("seen"), 6) == value_answer("1"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(GroupCommitTest, "group_commit_test");

}  // namespace minivault::test
