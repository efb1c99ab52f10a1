// The table of roles says what it should, and nothing contradicts itself.

#include "supervisor/role_table.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <set>

namespace minivault::supervisor {
namespace {

const RoleSpec& spec_of(shared::Role role) {
  for (const RoleSpec& spec : role_table()) {
    if (spec.role == role) return spec;
  }
  CPPUNIT_FAIL("role is not in the table");
  throw;
}

class RoleTableTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RoleTableTest);
  CPPUNIT_TEST(rows_are_complete_and_distinct);
  CPPUNIT_TEST(titles_fit_the_short_name);
  CPPUNIT_TEST(the_checkpointer_is_there_before_and_after_all_others);
  CPPUNIT_TEST(a_stop_stays_within_ten_seconds);
  CPPUNIT_TEST(counts_follow_the_configuration);
  CPPUNIT_TEST(only_workers_get_listeners);
  CPPUNIT_TEST_SUITE_END();

 public:
  void rows_are_complete_and_distinct() {
    std::set<shared::Role> roles;
    std::set<std::string_view> names;
    for (const RoleSpec& spec : role_table()) {
      CPPUNIT_ASSERT(spec.role != shared::Role::kNone);
      CPPUNIT_ASSERT(spec.entry != nullptr && spec.count != nullptr);
      CPPUNIT_ASSERT(spec.first_phase < spec.end_phase);
      CPPUNIT_ASSERT(roles.insert(spec.role).second);
      CPPUNIT_ASSERT(names.insert(spec.name).second);
    }
  }

  void titles_fit_the_short_name() {
    CPPUNIT_ASSERT_EQUAL(std::string("worker 1"), title_of(spec_of(shared::Role::kWorker), 1));
    CPPUNIT_ASSERT_EQUAL(std::string("checkpointer"), title_of(spec_of(shared::Role::kCheckpointer), 1));
    for (const RoleSpec& spec : role_table()) {
      CPPUNIT_ASSERT(title_of(spec, shared::kMaxChildren).size() <= 15);  // or log lines would cut it
    }
  }

  void the_checkpointer_is_there_before_and_after_all_others() {
    const RoleSpec& checkpointer = spec_of(shared::Role::kCheckpointer);
    for (const RoleSpec& spec : role_table()) {
      if (spec.role == checkpointer.role) continue;
      CPPUNIT_ASSERT(spec.first_phase > checkpointer.first_phase);
      CPPUNIT_ASSERT(spec.end_phase < checkpointer.end_phase);
    }
  }

  void a_stop_stays_within_ten_seconds() {
    const RoleSpec& checkpointer = spec_of(shared::Role::kCheckpointer);
    for (const RoleSpec& spec : role_table()) {
      CPPUNIT_ASSERT(spec.stop_limit_ms < 10'000);
      CPPUNIT_ASSERT(spec.hurried_limit_ms < spec.stop_limit_ms);
      if (spec.role == checkpointer.role) continue;
      CPPUNIT_ASSERT_MESSAGE("time is left for the last checkpoint",
                             spec.stop_limit_ms < checkpointer.stop_limit_ms);
    }
  }

  void counts_follow_the_configuration() {
    Config config;
    config.worker_processes = 7;
    CPPUNIT_ASSERT_EQUAL(7U, spec_of(shared::Role::kWorker).count(config));
    CPPUNIT_ASSERT_EQUAL(1U, spec_of(shared::Role::kCheckpointer).count(config));
    config.worker_processes = 100'000;
    CPPUNIT_ASSERT(spec_of(shared::Role::kWorker).count(config) < shared::kMaxChildren);
  }

  void only_workers_get_listeners() {
    for (const RoleSpec& spec : role_table()) {
      CPPUNIT_ASSERT_EQUAL(spec.role == shared::Role::kWorker, spec.gets_listeners);
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RoleTableTest, "role_table_test");

}  // namespace
}  // namespace minivault::supervisor
