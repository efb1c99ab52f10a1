// Goal: the backup and the restore that packaging/OPERATIONS.md tells to type work as printed, for the node
// runs as somebody else than root and reads nothing that is root's alone. Method: the section's `sh` blocks
// are run line by line by a shell; only paths, the address and the user are other ones, and the test is
// systemctl. As root the node's user is nobody; who is not root is the service's user and types everything.

#include <cppunit/extensions/HelperMacros.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/document.h"
#include "tests/support/frames.h"
#include "tests/support/node.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {

class RestoreProcedureTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RestoreProcedureTest);
  CPPUNIT_TEST(backup_and_restore_as_printed);
  CPPUNIT_TEST_SUITE_END();

  TemporaryDirectory directory_;
  std::string user_;
  std::string group_;

  /// As the operator types it, in a world that is the test's own.
  [[nodiscard]] std::string line_for(const Node& node, std::string line) const {
    line = with(line, "runuser -u minivault", "runuser -u " + user_);
    line = with(line, "-o minivault -g minivault", "-o " + user_ + " -g " + group_);
    line = with(line, "minivault:minivault", user_ + ":" + group_);
    line = with(line, "localhost:3000", node.address());
    for (const char* const path : {"/etc/minivault", "/var/lib", "/backup"})
      line = with(line, std::string(path) + "/", directory_.file(path + 1) + "/");
    return line;
  }

  void type(Node& node, const std::string& line) const {
    if (line.starts_with("systemctl stop minivault ")) {
      CPPUNIT_ASSERT_EQUAL(0, node.stop());
    } else if (line.starts_with("systemctl start minivault ")) {
      node.start();
    } else {
      const std::string path = "PATH='" + directory_.path() + "':$PATH; ";
      const Finished done = run({"/bin/bash", "-e", "-o", "pipefail", "-c", path + line_for(node, line)});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(line + '\n' + done.err, 0, done.status);
    }
  }

 public:
  void setUp() override {
    const passwd* entry = ::geteuid() == 0 ? ::getpwnam("nobody") : ::getpwuid(::geteuid());
    CPPUNIT_ASSERT(entry != nullptr);
    user_ = entry->pw_name;
    group_ = ::getgrgid(entry->pw_gid)->gr_name;
    CPPUNIT_ASSERT_EQUAL(0, ::chmod(directory_.path().c_str(), 0755));
    for (const char* const path : {"etc/minivault", "var/lib", "backup"})
      std::filesystem::create_directories(directory_.file(path));
    // Where that user can reach it, which a checkout need not be.
    std::filesystem::copy_file(minivault_binary(), directory_.file("minivault"));
  }

  void backup_and_restore_as_printed() {
    const std::string key = directory_.write("etc/minivault/auth.key", "secret\n");
    CPPUNIT_ASSERT_EQUAL(0, ::chown(key.c_str(), ::geteuid(), ::getgrnam(group_.c_str())->gr_gid));
    CPPUNIT_ASSERT_EQUAL(0, ::chmod(key.c_str(), 0640));
    std::vector<std::string> flags{
        "-data", directory_.file("var/lib/minivault"), "-config", "", "-authmode", "writes", "-auth-file",
        key};
    if (::geteuid() == 0) flags.insert(flags.end(), {"-user", user_});
    Node node({.flags = flags});
    const auto put = [&](const std::string& value) {
      const Finished done = run({minivault_binary(), "set", node.address(), "k", value, "-auth-file", key});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    };
    put("before");
    bool was_changed = false;
    for (const std::string& line : commands_below("packaging/OPERATIONS.md", "Backup and restore")) {
      if (line.starts_with("systemctl stop ")) {
        put("a mistake");
        was_changed = true;
      }
      type(node, line);
    }
    CPPUNIT_ASSERT(was_changed);
    RawConnection connection(node.port());
    CPPUNIT_ASSERT(connection.exchange(get_frame("k"), 11) == value_answer("before"));
    CPPUNIT_ASSERT(std::filesystem::exists(directory_.file("var/lib/minivault.before")));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RestoreProcedureTest, "restore_procedure_test");

}  // namespace minivault::test
