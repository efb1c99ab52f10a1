// Goal: sockets that a service manager opened are used instead of -port and -http, by name or by order; what
// is wrong with one is said; children inherit no word of it. Method: a shell that hands the test's own
// sockets to a real node as descriptors 3 and 4, as systemd does.

#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {
namespace {

/// On loopback, on a port that the kernel chose; inherited by what this process starts.
UniqueFd open_socket(bool listening = true, int type = SOCK_STREAM) {
  UniqueFd socket(::socket(AF_INET, type, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CPPUNIT_ASSERT_EQUAL(0, ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  if (listening) CPPUNIT_ASSERT_EQUAL(0, ::listen(socket.get(), 64));
  CPPUNIT_ASSERT_MESSAGE("a shell takes one digit", socket.get() < 10);
  return socket;
}

std::uint16_t port_of(const UniqueFd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  CPPUNIT_ASSERT_EQUAL(0, ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size));
  return ntohs(address.sin_port);
}

/// Executes what stands behind it with `descriptors` as 3, 4, … and the variables of the protocol.
std::vector<std::string> launcher(const std::vector<int>& descriptors, const std::string& names,
                                  const std::string& pid = "$$") {
  std::string script = "LISTEN_PID=" + pid + " LISTEN_FDS=" + std::to_string(descriptors.size());
  script += " LISTEN_FDNAMES='" + names + "'; export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES; exec ";
  // Out of the way first, so that none is overwritten before it was copied.
  std::string aside;
  std::string there;
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    aside += std::to_string(7 + i) + ">&" + std::to_string(descriptors[i]) + " ";
    there += std::to_string(3 + i) + ">&" + std::to_string(7 + i) + " ";
  }
  return {"/bin/sh", "-c", "exec " + aside + "; " + script + "\"$@\" " + there + "7>&- 8>&-", "sh"};
}

Finished run_passed(const std::vector<int>& descriptors, const std::string& names) {
  const TemporaryDirectory directory;
  std::vector<std::string> command = launcher(descriptors, names);
  for (const std::string& word : {minivault_binary(), std::string("-config"), std::string(),
                                  std::string("-bind"), std::string("127.0.0.1"), std::string("-port"),
                                  std::string("0"), std::string("-data"), directory.file("data")}) {
    command.push_back(word);
  }
  return run(command);
}

void assert_refused(const Finished& finished, const std::string& why) {
  CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.err, 2, finished.status);
  CPPUNIT_ASSERT_MESSAGE(finished.err, finished.err.find(why) != std::string::npos);
}

bool serves_binary(std::uint16_t port) {
  RawConnection connection(port);
  return connection.exchange(set_frame("k", "v"), 5) == kOk;
}

}  // namespace

class SocketActivationTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SocketActivationTest);
  CPPUNIT_TEST(one_socket_is_for_both_protocols);
  CPPUNIT_TEST(names_count_more_than_order);
  CPPUNIT_TEST(without_names_the_order_counts);
  CPPUNIT_TEST(one_for_http_leaves_the_port_to_the_node);
  CPPUNIT_TEST(connections_wait_over_a_restart);
  CPPUNIT_TEST(what_is_for_another_process_is_left_alone);
  CPPUNIT_TEST(what_is_wrong_is_said);
  CPPUNIT_TEST(a_number_of_sockets_that_is_none_is_refused);
  CPPUNIT_TEST_SUITE_END();

 public:
  void one_socket_is_for_both_protocols() {
    const UniqueFd socket = open_socket();
    Node node({.launcher = launcher({socket.get()}, "minivault.socket")});
    CPPUNIT_ASSERT_EQUAL(port_of(socket), node.port());
    CPPUNIT_ASSERT(serves_binary(node.port()));
    CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("GET", "/health")).status);
    node.reload();  // and its workers still have it
    CPPUNIT_ASSERT(serves_binary(node.port()));
    for (const std::string& line : node.supervisor().lines())
      CPPUNIT_ASSERT_MESSAGE(line, line.find("setting_needs_restart") == std::string::npos);
  }

  void names_count_more_than_order() {
    const UniqueFd http_socket = open_socket();
    const UniqueFd binary = open_socket();
    const Node node({.launcher = launcher({http_socket.get(), binary.get()}, "http:binary")});
    CPPUNIT_ASSERT_EQUAL(port_of(binary), node.port());
    CPPUNIT_ASSERT(serves_binary(node.port()));
    assert_http_alone(port_of(http_socket));
  }

  void without_names_the_order_counts() {
    const UniqueFd binary = open_socket();
    const UniqueFd http_socket = open_socket();
    const Node node({.launcher = launcher({binary.get(), http_socket.get()}, "")});
    CPPUNIT_ASSERT_EQUAL(port_of(binary), node.port());
    assert_http_alone(port_of(http_socket));
  }

  void one_for_http_leaves_the_port_to_the_node() {
    const UniqueFd http_socket = open_socket();
    const Node node({.launcher = launcher({http_socket.get()}, "http")});
    CPPUNIT_ASSERT(node.port() != port_of(http_socket));
    CPPUNIT_ASSERT(serves_binary(node.port()));
    assert_http_alone(port_of(http_socket));
  }

  /// The point of it all: whoever holds the socket lets nobody be refused while no node is there.
  void connections_wait_over_a_restart() {
    const UniqueFd socket = open_socket();
    Node node({.launcher = launcher({socket.get()}, "binary")});
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    RawConnection early(port_of(socket));
    early.send(set_frame("k", "v"));
    node.start();
    CPPUNIT_ASSERT(early.receive(5) == kOk);
  }

  void what_is_for_another_process_is_left_alone() {
    const UniqueFd socket = open_socket();
    const Node node({.launcher = launcher({socket.get()}, "binary", "1")});
    CPPUNIT_ASSERT(node.port() != port_of(socket));
    CPPUNIT_ASSERT(serves_binary(node.port()));
  }

  void what_is_wrong_is_said() {
    const UniqueFd good = open_socket();
    assert_refused(run_passed({good.get(), good.get(), good.get()}, ""), "3 sockets were passed");
    assert_refused(run_passed({good.get(), good.get()}, "http:http"),
                   "descriptor 4 (http) is the second of its name");
    const UniqueFd deaf = open_socket(false);
    assert_refused(run_passed({deaf.get()}, "binary"), "descriptor 3 (binary) does not listen");
    const UniqueFd datagrams = open_socket(false, SOCK_DGRAM);
    assert_refused(run_passed({datagrams.get()}, ""), "descriptor 3 is not a TCP socket");
    const UniqueFd local(::socket(AF_UNIX, SOCK_STREAM, 0));
    assert_refused(run_passed({local.get()}, "x"), "descriptor 3 (x) is not a TCP socket");
    const UniqueFd file(::open("/dev/null", O_RDWR));
    assert_refused(run_passed({file.get()}, ""), "descriptor 3 is no socket");
  }

  void a_number_of_sockets_that_is_none_is_refused() {
    const TemporaryDirectory directory;
    for (const std::string& text : {std::string("one"), std::string("1x"), std::string("-1")}) {
      const std::string script =
          "LISTEN_PID=$$ LISTEN_FDS=" + text + "; export LISTEN_PID LISTEN_FDS; exec \"$@\"";
      assert_refused(run({"/bin/sh", "-c", script, "sh", minivault_binary(), "-config", "", "-bind",
                          "127.0.0.1", "-port", "0", "-data", directory.file("data")}),
                     R"(LISTEN_FDS says \")" + text + R"(\"; accepted: )");
    }
  }

 private:
  static void assert_http_alone(std::uint16_t port) {
    CPPUNIT_ASSERT_EQUAL(200, http(port, http_request("GET", "/health")).status);
    RawConnection connection(port);
    CPPUNIT_ASSERT(connection.exchange(set_frame("k", "v"), 4).starts_with("HTTP"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SocketActivationTest, "socket_activation_test");

}  // namespace minivault::test
