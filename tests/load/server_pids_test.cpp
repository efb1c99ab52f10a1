// Goal: -server-pid auto never takes another process for the server's. Method: health and processes as the
// test says; what the real ones look like is in bench_test.

#include "common/load/server_pids.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <string>
#include <vector>

namespace minivault::load {
namespace {

const std::string kHealth =
    R"({"processes":[{"role":"worker","number":0,"pid":11},{"role":"checkpointer","number":0,"pid":12}]})";

using Processes = std::vector<ProcessCpu>;

Result<pid_t> find(const std::string& health, const Processes& running) {
  return supervisor_in(health, [&](pid_t pid) -> Result<ProcessCpu> {
    const auto found =
        std::find_if(running.begin(), running.end(), [pid](const auto& one) { return one.pid == pid; });
    if (found == running.end()) return fail(Code::kNotFound, "no process " + std::to_string(pid));
    return *found;
  });
}

void assert_refused(const std::string& why, const std::string& health, const Processes& running) {
  const auto found = find(health, running);
  CPPUNIT_ASSERT_MESSAGE(why, !found.has_value());
  CPPUNIT_ASSERT_MESSAGE(found.error().message, found.error().message.find(why) != std::string::npos);
}

ProcessCpu process(pid_t pid, pid_t parent, const std::string& name) {
  return {pid, parent, name, {}, {}};
}

}  // namespace

class ServerPidsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServerPidsTest);
  CPPUNIT_TEST(finds_the_supervisor);
  CPPUNIT_TEST(other_processes_are_not_taken_for_it);
  CPPUNIT_TEST(health_without_processes_is_named);
  CPPUNIT_TEST_SUITE_END();

 public:
  void finds_the_supervisor() {
    const auto found = find(kHealth, {process(10, 1, "supervisor"), process(11, 10, "worker 0"),
                                      process(12, 10, "checkpointer"), process(13, 10, "worker 1")});
    CPPUNIT_ASSERT(found.has_value());
    CPPUNIT_ASSERT_EQUAL(pid_t{10}, *found);
  }

  void other_processes_are_not_taken_for_it() {
    const ProcessCpu supervisor = process(10, 1, "supervisor");
    const ProcessCpu worker = process(11, 10, "worker 0");
    const ProcessCpu checkpointer = process(12, 10, "checkpointer");
    assert_refused("checkpointer is process 12, and that does not run here", kHealth, {supervisor, worker});
    assert_refused("worker is process 11, and that is 'nginx' here", kHealth,
                   {supervisor, process(11, 10, "nginx"), checkpointer});
    assert_refused("is 'workers' here", kHealth, {supervisor, process(11, 10, "workers"), checkpointer});
    assert_refused("is no supervisor's child here", kHealth, {process(10, 1, "bash"), worker, checkpointer});
    assert_refused("is no supervisor's child here", kHealth, {worker, checkpointer});
    assert_refused("is another supervisor's child", kHealth,
                   {supervisor, worker, process(20, 1, "supervisor"), process(12, 20, "checkpointer")});
  }

  void health_without_processes_is_named() {
    for (const char* health :
         {"", "{}", "[]", R"({"processes":[]})", R"({"processes":1})", R"({"processes":[1]})",
          R"({"processes":[{"pid":11}]})", R"({"processes":[{"role":"worker","pid":"11"}]})",
          R"({"processes":[{"role":1,"pid":11}]})"}) {
      assert_refused("the server names no processes", health, {});
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ServerPidsTest, "server_pids_test");

}  // namespace minivault::load
