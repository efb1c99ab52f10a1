// Goal: the syncer syncs through a file description that nobody else has, for the kernel tells each
// description of a write-back error once; the base is opened by one process at a time. Method: the kernel is
// asked which descriptors share a description (kcmp), and where a process waits that opens a store.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "tests/store/engine.h"
#include "tests/store/faulty_disk.h"
#include "tests/store/shared_object.h"
#include "tests/support/processes.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

/// The process's descriptors of a file of that name.
std::vector<int> descriptors_of(pid_t pid, const std::string& name) {
  std::vector<int> found;
  std::error_code error;
  const std::filesystem::path all = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(all, error)) {
    if (std::filesystem::read_symlink(entry.path(), error).filename() == name)
      found.push_back(std::stoi(entry.path().filename().string()));
  }
  return found;
}

bool share_a_description(pid_t one, int one_fd, pid_t other, int other_fd) {
  const long order = ::syscall(SYS_kcmp, one, other, KCMP_FILE, one_fd, other_fd);
  CPPUNIT_ASSERT_MESSAGE("kcmp", order >= 0);
  return order == 0;
}

}  // namespace

class OpeningsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(OpeningsTest);
  CPPUNIT_TEST(the_syncer_has_a_description_of_its_own);
  CPPUNIT_TEST(the_base_is_opened_by_one_at_a_time);
  CPPUNIT_TEST_SUITE_END();

 public:
  void the_syncer_has_a_description_of_its_own() {
    const DiskFaults& seen = disk_faults();  // shared by all that is forked from now on
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    const pid_t checkpointer = engine.region().slot(Engine::kCheckpointerSlot).pid.load();
    int synced = -1;
    eventually("the log was what was synced last", [&] {
      put(store, "k", "v");
      engine.wait_durable(engine.state().marks.tail.load());
      synced = seen.last_data_sync_fd.load();
      const std::vector<int> logs = descriptors_of(checkpointer, "changes.log");
      return std::find(logs.begin(), logs.end(), synced) != logs.end();
    });
    unsigned others = 0;
    for (const pid_t pid : {checkpointer, ::getpid()}) {
      for (const int fd : descriptors_of(pid, "changes.log")) {
        if (pid == checkpointer && fd == synced) continue;
        ++others;
        CPPUNIT_ASSERT(!share_a_description(checkpointer, synced, pid, fd));
      }
    }
    CPPUNIT_ASSERT(others >= 2);  // the checkpointer's own, and this process's
  }

  void the_base_is_opened_by_one_at_a_time() {
    SharedObject<std::atomic<unsigned>> opened;
    Engine engine;
    engine.start();
    CPPUNIT_ASSERT_EQUAL(0, ::pthread_mutex_lock(&engine.state().base_open));
    const pid_t pid = engine.spawn(2, [&](store::Store&) {
      opened->store(1);
      return 0;
    });
    eventually("it waits for its turn, or does not",
               [&] { return waits_in_futex(pid) || opened->load() == 1; });
    CPPUNIT_ASSERT(descriptors_of(pid, "base.mdb").empty());
    CPPUNIT_ASSERT_EQUAL(0U, opened->load());
    CPPUNIT_ASSERT_EQUAL(0, ::pthread_mutex_unlock(&engine.state().base_open));
    CPPUNIT_ASSERT_EQUAL(0, engine.reap(pid));
    CPPUNIT_ASSERT_EQUAL(1U, opened->load());

    // A checkpointer too.
    engine.kill_checkpointer();
    CPPUNIT_ASSERT_EQUAL(0, ::pthread_mutex_lock(&engine.state().base_open));
    engine.fork_checkpointer();
    const pid_t checkpointer = engine.region().slot(Engine::kCheckpointerSlot).pid.load();
    eventually("it waits for its turn, or does not", [&] {
      return waits_in_futex(checkpointer) || !descriptors_of(checkpointer, "base.mdb").empty();
    });
    CPPUNIT_ASSERT(descriptors_of(checkpointer, "base.mdb").empty());
    CPPUNIT_ASSERT_EQUAL(0, ::pthread_mutex_unlock(&engine.state().base_open));
    eventually("it opens it", [&] { return !descriptors_of(checkpointer, "base.mdb").empty(); });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(OpeningsTest, "openings_test");

}  // namespace minivault::test
