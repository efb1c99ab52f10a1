// Goal: a node that root starts with -user holds no right of root once it serves, and says what it may not
// do; where it should not run at all it says so. Method: real nodes. Who runs these tests as somebody else
// than root sees the other half: nobody becomes somebody else.

#include <cppunit/extensions/HelperMacros.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {
namespace {

const std::string kUser = "nobody";

bool is_root() {
  return ::geteuid() == 0;
}

const passwd& nobody() {
  const passwd* entry = ::getpwnam(kUser.c_str());
  CPPUNIT_ASSERT(entry != nullptr);
  return *entry;
}

std::string status_line(pid_t pid, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return "";
}

bool says(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

bool logged(Node& node, const std::string& event) {
  for (const std::string& line : node.supervisor().lines()) {
    if (says(line, event)) return true;
  }
  return false;
}

Finished run_node(std::vector<std::string> flags, const Environment& environment = {}) {
  std::vector<std::string> command{minivault_binary(), "-config", "", "-bind", "127.0.0.1", "-port", "0"};
  command.insert(command.end(), flags.begin(), flags.end());
  return run(command, "", environment);
}

/// Where `nobody` can reach it: a directory of the test's own is closed to others.
class OpenDirectory {
 public:
  OpenDirectory() { CPPUNIT_ASSERT_EQUAL(0, ::chmod(directory_.path().c_str(), 0755)); }
  [[nodiscard]] const TemporaryDirectory& get() const { return directory_; }

 private:
  TemporaryDirectory directory_;
};

std::string odd_file_system() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libodd_file_system.so";
}

}  // namespace

class UserTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(UserTest);
  CPPUNIT_TEST(root_becomes_the_user_and_nothing_is_left);
  CPPUNIT_TEST(a_reload_needs_what_the_user_can_read);
  CPPUNIT_TEST(a_directory_of_somebody_else_is_refused);
  CPPUNIT_TEST(an_unknown_user_is_a_wrong_setting);
  CPPUNIT_TEST(only_root_can_become_another);
  CPPUNIT_TEST(root_without_a_user_is_warned);
  CPPUNIT_TEST(a_node_open_to_everybody_says_so);
  CPPUNIT_TEST(network_file_systems_are_refused);
  CPPUNIT_TEST(an_overlay_is_warned_of);
  CPPUNIT_TEST_SUITE_END();

 public:
  void root_becomes_the_user_and_nothing_is_left() {
    if (!is_root()) return only_root_can_become_another();
    const OpenDirectory directory;
    const std::string data = directory.get().file("data");
    Node node(
        {.flags = {"-data", data, "-config", "", "-user", kUser, "-port", std::to_string(free_low_port())}});
    CPPUNIT_ASSERT_MESSAGE("bound as root", node.port() < 1'024);
    RawConnection connection(node.port());
    CPPUNIT_ASSERT(connection.exchange(set_frame("k", "v"), 5) == kOk);

    std::vector<pid_t> processes = node.children();
    processes.push_back(node.supervisor().pid());
    CPPUNIT_ASSERT(processes.size() >= 5);
    const std::string uid = std::to_string(nobody().pw_uid);
    const std::string gid = std::to_string(nobody().pw_gid);
    for (const pid_t pid : processes) {
      CPPUNIT_ASSERT_EQUAL(uid + '\t' + uid + '\t' + uid + '\t' + uid, status_line(pid, "Uid"));
      CPPUNIT_ASSERT_EQUAL(gid + '\t' + gid + '\t' + gid + '\t' + gid, status_line(pid, "Gid"));
      CPPUNIT_ASSERT_EQUAL(gid + ' ', status_line(pid, "Groups"));
      CPPUNIT_ASSERT_EQUAL(std::string("1"), status_line(pid, "NoNewPrivs"));
      for (const char* set : {"CapPrm", "CapEff", "CapInh", "CapAmb"})
        CPPUNIT_ASSERT_EQUAL_MESSAGE(set, std::string(16, '0'), status_line(pid, set));
    }
    assert_owned(data, 0700);
    for (const auto& entry : std::filesystem::directory_iterator(data)) assert_owned(entry.path(), 0600);

    node.reload();
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    node.start();  // on what is the user's already
    RawConnection again(node.port());
    CPPUNIT_ASSERT(again.exchange(get_frame("k"), 6) == value_answer("v"));
    CPPUNIT_ASSERT(!logged(node, "running_as_root"));
  }

  void a_reload_needs_what_the_user_can_read() {
    if (!is_root()) return only_root_can_become_another();
    const OpenDirectory directory;
    const std::string key = directory.get().write("key", "secret\n");
    CPPUNIT_ASSERT_EQUAL(0, ::chmod(key.c_str(), 0600));
    Node node({.flags = {"-data", directory.get().file("data"), "-config", "", "-user", kUser, "-auth-file",
                         key, "-authmode", "all"}});
    // It was read as root: the node serves, and says early what will not work later.
    assert_refused(http(node.port(), http_request("GET", "/k", {"Authorization: Bearer secret"})), 404);
    CPPUNIT_ASSERT(logged(node, "reload_will_fail"));
    node.supervisor().signal(SIGHUP);
    const auto line = node.supervisor().line(
        [](const std::string& text) { return says(text, "configuration_not_reloaded"); });
    CPPUNIT_ASSERT(line.has_value());
    CPPUNIT_ASSERT_MESSAGE(
        *line, says(*line, key) && says(*line, "Permission denied") && says(*line, "user=nobody"));
    CPPUNIT_ASSERT_EQUAL(0, ::chown(key.c_str(), nobody().pw_uid, nobody().pw_gid));
    node.reload();
    assert_refused(http(node.port(), http_request("GET", "/k", {"Authorization: Bearer secret"})), 404);
  }

  void a_directory_of_somebody_else_is_refused() {
    if (!is_root()) return only_root_can_become_another();
    const OpenDirectory directory;
    const std::string data = directory.get().file("data");
    std::filesystem::create_directory(data);
    CPPUNIT_ASSERT_EQUAL(0, ::chmod(data.c_str(), 0700));
    std::ofstream(data + "/something") << "root's";
    const Finished refused = run_node({"-data", data, "-config", "", "-user", kUser});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.err, 4, refused.status);
    CPPUNIT_ASSERT_MESSAGE(refused.err, says(refused.err, "chown -R nobody " + data));
    struct stat facts {};
    CPPUNIT_ASSERT_EQUAL(0, ::stat(data.c_str(), &facts));
    CPPUNIT_ASSERT_EQUAL(uid_t{0}, facts.st_uid);

    std::filesystem::remove(data + "/something");  // empty, as a fresh volume: it is handed over
    Node node({.flags = {"-data", data, "-config", "", "-user", kUser}});
    assert_owned(data, 0700);
  }

  void an_unknown_user_is_a_wrong_setting() {
    const TemporaryDirectory directory;
    const Finished refused = run_node({"-data", directory.file("data"), "-user", "no-such-user"});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.err, 2, refused.status);
    CPPUNIT_ASSERT_MESSAGE(refused.err,
                           says(refused.err, "user (flag -user): there is no user no-such-user"));
    CPPUNIT_ASSERT(!std::filesystem::exists(directory.file("data")));
  }

  /// Asked as root by a process that first became somebody else.
  void only_root_can_become_another() {
    const OpenDirectory directory;
    const std::string data = directory.get().file("data");
    const std::string program = directory.get().file("minivault");  // where others can reach it
    std::filesystem::copy_file(minivault_binary(), program);
    std::vector<std::string> command{program, "-config", "", "-data", data, "-user", "root"};
    if (is_root()) {
      const std::vector<std::string> first{
          "/usr/bin/setpriv", "--reuid", kUser, "--regid", std::to_string(nobody().pw_gid), "--clear-groups"};
      command.insert(command.begin(), first.begin(), first.end());
    }
    const Finished refused = run(command);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.err, 4, refused.status);
    CPPUNIT_ASSERT_MESSAGE(refused.err, says(refused.err, "only root can become the user root"));
    CPPUNIT_ASSERT(!std::filesystem::exists(data));
  }

  void root_without_a_user_is_warned() {
    Node node;
    CPPUNIT_ASSERT_EQUAL(is_root(), logged(node, "running_as_root"));
  }

  void a_node_open_to_everybody_says_so() {
    Node closed;
    CPPUNIT_ASSERT(!logged(closed, "open_to_everybody"));
    Node open({.flags = {"-bind", "0.0.0.0"}});
    CPPUNIT_ASSERT(logged(open, "warning supervisor") && logged(open, "open_to_everybody address=0.0.0.0"));
    Node keyed({.flags = {"-bind", "0.0.0.0", "-auth", "key", "-authmode", "writes"}});
    CPPUNIT_ASSERT(!logged(keyed, "open_to_everybody"));
  }

  void network_file_systems_are_refused() {
    const TemporaryDirectory directory;
    for (const auto& [type, name] : {std::pair<std::string, std::string>{"6969", "NFS"},
                                     {"01021997", "9p"},
                                     {"FF534D42", "CIFS"},
                                     {"5346414F", "AFS"}}) {
      const Finished refused = run_node({"-data", directory.file("data")},
                                        {{"LD_PRELOAD", odd_file_system()}, {"ODD_FILE_SYSTEM", type}});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.err, 3, refused.status);
      CPPUNIT_ASSERT_MESSAGE(refused.err, says(refused.err, "is on " + name + ", a network file system"));
      CPPUNIT_ASSERT_MESSAGE(refused.err, says(refused.err, directory.file("data")));
      CPPUNIT_ASSERT(!std::filesystem::exists(directory.file("data")));
    }
  }

  void an_overlay_is_warned_of() {
    Node node({.environment = {{"LD_PRELOAD", odd_file_system()}, {"ODD_FILE_SYSTEM", "794C7630"}}});
    CPPUNIT_ASSERT(logged(node, "file_system=overlayfs"));
    RawConnection connection(node.port());
    CPPUNIT_ASSERT(connection.exchange(set_frame("k", "v"), 5) == kOk);
  }

 private:
  /// One that only root may have, on which nothing listens.
  static std::uint16_t free_low_port() {
    for (std::uint16_t port = 700; port < 1'000; ++port) {
      try {
        const RawConnection taken(port, milliseconds(1'000));
      } catch (const std::exception&) {
        return port;
      }
    }
    throw std::runtime_error("no low port is free");
  }

  static void assert_owned(const std::string& path, mode_t mode) {
    struct stat facts {};
    CPPUNIT_ASSERT_EQUAL(0, ::stat(path.c_str(), &facts));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(path, nobody().pw_uid, facts.st_uid);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(path, mode, facts.st_mode & 0777);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(UserTest, "user_test");

}  // namespace minivault::test
