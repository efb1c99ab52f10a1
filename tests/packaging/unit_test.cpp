// Goal: the unit file keeps the promises that services before us broke in updates, and fits the program.
// Method: its lines are read as systemd reads them.

#include <cppunit/extensions/HelperMacros.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "common/process/exit_code.h"
#include "tests/support/child_process.h"
#include "tests/support/source_directory.h"

namespace minivault::test {
namespace {

const std::string kUnit = source_directory() / "packaging/systemd/minivault.service";

/// All values of each name, in their order.
std::map<std::string, std::vector<std::string>> read_unit() {
  std::map<std::string, std::vector<std::string>> unit;
  std::ifstream stream(kUnit);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t equals = line.find('=');
    if (line.empty() || line.front() == '#' || line.front() == '[' || equals == std::string::npos) continue;
    unit[line.substr(0, equals)].push_back(line.substr(equals + 1));
  }
  CPPUNIT_ASSERT_MESSAGE(kUnit, !unit.empty());
  return unit;
}

}  // namespace

class UnitTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(UnitTest);
  CPPUNIT_TEST(the_command_is_one_that_the_program_takes);
  CPPUNIT_TEST(does_not_restart_what_a_restart_cannot_help);
  CPPUNIT_TEST(has_room_for_clients_and_time_for_recovery);
  CPPUNIT_TEST(every_directive_has_its_line_in_the_readme);
  CPPUNIT_TEST_SUITE_END();

 public:
  void the_command_is_one_that_the_program_takes() {
    std::string command = read_unit()["ExecStart"].at(0);
    CPPUNIT_ASSERT(command.starts_with("@BINDIR@/minivault"));
    command.replace(0, std::string("@BINDIR@/minivault").size(), minivault_binary());
    const Finished checked = run({"/bin/sh", "-c", command + " -config /dev/null -check-config"});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(checked.err, 0, checked.status);
  }

  void does_not_restart_what_a_restart_cannot_help() {
    auto unit = read_unit();
    CPPUNIT_ASSERT_EQUAL(std::string("on-failure"), unit["Restart"].at(0));
    CPPUNIT_ASSERT_EQUAL(std::to_string(kExitUsage) + ' ' + std::to_string(kExitRefused) + ' ' +
                             std::to_string(kExitPermission),
                         unit["RestartPreventExitStatus"].at(0));
  }

  void has_room_for_clients_and_time_for_recovery() {
    auto unit = read_unit();
    CPPUNIT_ASSERT(std::stoul(unit["LimitNOFILE"].at(0)) >= 65'536);
    CPPUNIT_ASSERT_EQUAL(std::string("15min"), unit["TimeoutStartSec"].at(0));
    CPPUNIT_ASSERT_EQUAL(std::string("minivault"), unit["StateDirectory"].at(0));
    CPPUNIT_ASSERT_EQUAL(std::string("notify"), unit["Type"].at(0));
  }

  /// What each would break, and for whom, is written down: packaging/README.md.
  void every_directive_has_its_line_in_the_readme() {
    std::ifstream stream(source_directory() / "packaging/README.md");
    const std::string readme(std::istreambuf_iterator<char>(stream), {});
    for (const auto& [name, values] : read_unit()) {
      CPPUNIT_ASSERT_MESSAGE(name, readme.find('`' + name) != std::string::npos);
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(UnitTest, "unit_test");

}  // namespace minivault::test
