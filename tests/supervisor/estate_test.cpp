// What a node owns before its first child: the data directory and the listening sockets; and its title.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "common/process/title.h"
#include "supervisor/data_directory.h"
#include "supervisor/listeners.h"
#include "tests/support/raw_connection.h"
#include "tests/support/temporary_directory.h"

namespace minivault::supervisor {
namespace {

using std::chrono::milliseconds;

bool mentions(const Error& error, const std::string& text) {
  return error.message.find(text) != std::string::npos;
}

class EstateTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(EstateTest);
  CPPUNIT_TEST(a_missing_directory_is_made_for_its_owner_alone);
  CPPUNIT_TEST(a_claimed_directory_is_busy_until_let_go);
  CPPUNIT_TEST(a_claim_waits_for_the_one_before);
  CPPUNIT_TEST(what_is_no_directory_is_an_error);
  CPPUNIT_TEST(a_directory_without_permission_is_an_error);
  CPPUNIT_TEST(the_kernel_chooses_port_0);
  CPPUNIT_TEST(a_listener_takes_connections_over_ipv4_and_ipv6);
  CPPUNIT_TEST(a_port_in_use_is_named);
  CPPUNIT_TEST(an_address_of_somebody_else_is_named);
  CPPUNIT_TEST(a_title_replaces_the_command_line_and_spares_the_environment);
  CPPUNIT_TEST_SUITE_END();

  test::TemporaryDirectory directory_;

 public:
  void a_missing_directory_is_made_for_its_owner_alone() {
    const std::string path = directory_.file("data");
    const auto claim = DataDirectory::claim(path);
    CPPUNIT_ASSERT(claim.has_value());
    struct stat info {};
    CPPUNIT_ASSERT_EQUAL(0, ::stat(path.c_str(), &info));
    CPPUNIT_ASSERT_EQUAL(mode_t{0700}, info.st_mode & 0777);
  }

  void a_claimed_directory_is_busy_until_let_go() {
    {
      const auto claim = DataDirectory::claim(directory_.path());
      CPPUNIT_ASSERT(claim.has_value());
      const auto second = DataDirectory::claim(directory_.path(), milliseconds(0));
      CPPUNIT_ASSERT(!second.has_value());
      CPPUNIT_ASSERT(second.error().code == Code::kBusy);
      CPPUNIT_ASSERT(mentions(second.error(), directory_.path()));
      CPPUNIT_ASSERT(mentions(second.error(), "pid " + std::to_string(::getpid())));
    }
    CPPUNIT_ASSERT(DataDirectory::claim(directory_.path(), milliseconds(0)).has_value());
  }

  void a_claim_waits_for_the_one_before() {
    auto claim = DataDirectory::claim(directory_.path());
    CPPUNIT_ASSERT(claim.has_value());
    bool claimed = false;
    std::thread second(
        [&] { claimed = DataDirectory::claim(directory_.path(), test::kPatience).has_value(); });
    { const auto let_go = std::move(*claim); }
    second.join();
    CPPUNIT_ASSERT(claimed);
  }

  void what_is_no_directory_is_an_error() {
    const std::string file = directory_.write("file", "");
    const auto claim = DataDirectory::claim(file);
    CPPUNIT_ASSERT(!claim.has_value());
    CPPUNIT_ASSERT(mentions(claim.error(), file) && mentions(claim.error(), "Not a directory"));
    const auto nowhere = DataDirectory::claim(directory_.file("a/b"));
    CPPUNIT_ASSERT(!nowhere.has_value());
    CPPUNIT_ASSERT(mentions(nowhere.error(), directory_.file("a/b")) &&
                   mentions(nowhere.error(), "No such file"));
  }

  void a_directory_without_permission_is_an_error() {
    if (::geteuid() == 0) return;  // nothing is forbidden to root
    const std::string path = directory_.file("shut");
    CPPUNIT_ASSERT_EQUAL(0, ::mkdir(path.c_str(), 0500));
    const auto claim = DataDirectory::claim(path);
    CPPUNIT_ASSERT(!claim.has_value());
    CPPUNIT_ASSERT(mentions(claim.error(), path) && mentions(claim.error(), "Permission denied"));
  }

  void the_kernel_chooses_port_0() {
    const auto listeners = Listeners::open("127.0.0.1", 0, 0);
    CPPUNIT_ASSERT(listeners.has_value());
    CPPUNIT_ASSERT(listeners->both.port != 0);
    CPPUNIT_ASSERT(!listeners->http.socket);
    test::RawConnection connection(listeners->both.port);  // waits in the queue: nobody has to accept
  }

  void a_listener_takes_connections_over_ipv4_and_ipv6() {
    const auto listener = Listener::open("::", 0);
    if (!listener) return;  // a machine without IPv6
    test::RawConnection over_ipv4(listener->port);
    CPPUNIT_ASSERT(Listener::open("::1", 0).has_value());
    CPPUNIT_ASSERT(Listener::open("localhost", 0).has_value());
  }

  void a_port_in_use_is_named() {
    const auto first = Listener::open("127.0.0.1", 0);
    CPPUNIT_ASSERT(first.has_value());
    const auto second = Listener::open("127.0.0.1", first->port);
    CPPUNIT_ASSERT(!second.has_value());
    CPPUNIT_ASSERT(mentions(second.error(), std::to_string(first->port)) &&
                   mentions(second.error(), "in use"));
  }

  void an_address_of_somebody_else_is_named() {
    const auto listener = Listener::open("192.0.2.1", 0);
    CPPUNIT_ASSERT(!listener.has_value());
    CPPUNIT_ASSERT(mentions(listener.error(), "192.0.2.1") && mentions(listener.error(), "not an address"));
    const auto nonsense = Listener::open("no.such.host.invalid", 0);
    CPPUNIT_ASSERT(!nonsense.has_value());
    CPPUNIT_ASSERT(mentions(nonsense.error(), "no.such.host.invalid"));
  }

  void a_title_replaces_the_command_line_and_spares_the_environment() {
    ::setenv("MINIVAULT_TITLE_TEST", "kept = yes", 1);
    std::array<char, 16> before{};
    ::prctl(PR_GET_NAME, before.data());
    char command_line[] = "minivault\0-auth\0secret-secret";
    std::array<char*, 4> argv{command_line, command_line + 10, command_line + 16, nullptr};
    ProcessTitle title(3, argv.data());
    title.set("worker 12");
    CPPUNIT_ASSERT_EQUAL(std::string("minivault: worker 12"), std::string(command_line));
    const std::string rest(command_line + 20, sizeof command_line - 20);
    CPPUNIT_ASSERT_MESSAGE("no key is left", rest.find_first_not_of('\0') == std::string::npos);
    title.set("a role with a name that is far too long");
    CPPUNIT_ASSERT_EQUAL(sizeof command_line - 1, std::strlen(command_line));
    std::array<char, 16> short_name{};
    ::prctl(PR_GET_NAME, short_name.data());
    CPPUNIT_ASSERT_EQUAL(std::string("a role with a n"), std::string(short_name.data()));
    ::prctl(PR_SET_NAME, before.data());
    CPPUNIT_ASSERT_EQUAL(std::string("kept = yes"), std::string(::getenv("MINIVAULT_TITLE_TEST")));
    CPPUNIT_ASSERT(::getenv("PATH") != nullptr);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(EstateTest, "estate_test");

}  // namespace
}  // namespace minivault::supervisor
