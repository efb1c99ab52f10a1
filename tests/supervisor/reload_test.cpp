// What a running node takes over from a changed configuration.

#include "supervisor/reload.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace minivault::supervisor {
namespace {

class ReloadTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReloadTest);
  CPPUNIT_TEST(nothing_changed_needs_nothing);
  CPPUNIT_TEST(what_workers_read_is_taken_over);
  CPPUNIT_TEST(what_the_node_stands_on_stays);
  CPPUNIT_TEST_SUITE_END();

 public:
  void nothing_changed_needs_nothing() {
    const Reloaded same = merge(Config{}, Config{});
    CPPUNIT_ASSERT(same.needs_restart.empty());
    CPPUNIT_ASSERT(same.config == Config{});
  }

  void what_workers_read_is_taken_over() {
    Config fresh;
    fresh.auth_key = "new";
    fresh.auth_mode = AuthMode::kAll;
    fresh.rate_limit = 5;
    fresh.worker_processes = 9;
    const Reloaded reloaded = merge(Config{}, fresh);
    CPPUNIT_ASSERT(reloaded.needs_restart.empty());
    CPPUNIT_ASSERT(reloaded.config == fresh);
  }

  void what_the_node_stands_on_stays() {
    Config fresh;
    fresh.port = 1;
    fresh.http_port = 2;
    fresh.bind = "::";
    fresh.data_directory = "/elsewhere";
    fresh.user = "somebody";
    fresh.log_bytes = 64 << 20;
    fresh.sync.kind = SyncMode::Kind::kNone;
    fresh.rate_limit = 5;
    const Reloaded reloaded = merge(Config{}, fresh);
    const std::vector<std::string> expected{"-port", "-http", "-bind", "-data", "-user", "-log", "-sync"};
    CPPUNIT_ASSERT(reloaded.needs_restart == expected);
    Config merged;
    merged.rate_limit = 5;
    for (const char* name : {"port", "http", "bind", "data", "user", "log", "sync"})
      merged.description += std::string("# ") + name + ": as before, until the next start\n";
    CPPUNIT_ASSERT(reloaded.config == merged);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReloadTest, "reload_test");

}  // namespace
}  // namespace minivault::supervisor
