// Goal: who may do what, in every authmode and over both protocols, and the key never shows.
// Method: a node for each mode; each operation without a key, with a wrong one and with the right one.

#include <cppunit/extensions/HelperMacros.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "tests/support/bytes.h"
#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"

namespace minivault::test {

namespace {

const std::string kKey = "s3cret-key";

NodeOptions mode(const std::string& name) {
  return {.flags = {"-auth", kKey, "-authmode", name}};
}

Headers bearer(const std::string& key) {
  return {"Authorization: Bearer " + key};
}

std::string ask(RawConnection& connection, const std::string& request, std::size_t size = 5) {
  return to_hex(connection.exchange(request, size));
}

void assert_unauthorized(const HttpResponse& response) {
  assert_refused(response, 401);
  CPPUNIT_ASSERT_EQUAL(std::string("Bearer"), response.header("www-authenticate"));
}

}  // namespace

class AuthTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(AuthTest);
  CPPUNIT_TEST(mode_none_lets_everybody_in);
  CPPUNIT_TEST(mode_writes_guards_writes);
  CPPUNIT_TEST(mode_all_guards_all_but_health);
  CPPUNIT_TEST(guards_the_binary_protocol);
  CPPUNIT_TEST(sync_always_needs_the_key);
  CPPUNIT_TEST(a_refused_write_is_read_past);
  CPPUNIT_TEST(an_upload_without_the_key_is_read_past_and_not_kept);
  CPPUNIT_TEST(reads_the_key_from_a_file);
  CPPUNIT_TEST(never_shows_the_key);
  CPPUNIT_TEST(wants_a_key_for_a_mode_that_needs_one);
  CPPUNIT_TEST_SUITE_END();

 public:
  void mode_none_lets_everybody_in() {
    const Node node(mode("none"));
    assert_done(http(node.port(), http_upload("PUT", "/k", R"({"value":1})")));
    assert_data(http(node.port(), http_request("GET", "/k")), "1");
    RawConnection connection(node.port());
    CPPUNIT_ASSERT_EQUAL(to_hex(kOk), ask(connection, set_frame("k", "v")));
  }

  void mode_writes_guards_writes() {
    const Node node(mode("writes"));
    for (const Headers& wrong : wrong_headers()) assert_writes_refused(node, wrong);
    assert_writes_done(node);
    assert_data(http(node.port(), http_request("GET", "/k")), "2");
    CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("HEAD", "/k")).status);
  }

  void mode_all_guards_all_but_health() {
    const Node node(mode("all"));
    for (const Headers& wrong : wrong_headers()) {
      assert_writes_refused(node, wrong);
      assert_unauthorized(http(node.port(), http_request("GET", "/k", wrong)));
      CPPUNIT_ASSERT_EQUAL(401, http(node.port(), http_request("HEAD", "/k", wrong)).status);
      CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("GET", "/health", wrong)).status);
    }
    assert_writes_done(node);
    assert_data(http(node.port(), http_request("GET", "/k", bearer(kKey))), "2");
    // Authority is the request's, not the connection's.
    RawConnection connection(node.port());
    connection.send(http_request("GET", "/k", bearer(kKey)) + http_request("GET", "/k"));
    assert_data(receive_http(connection), "2");
    assert_unauthorized(receive_http(connection));
  }

  void guards_the_binary_protocol() {
    for (const bool all : {false, true}) {
      const Node node(mode(all ? "all" : "writes"));
      RawConnection connection(node.port());
      CPPUNIT_ASSERT_EQUAL(to_hex(kError), ask(connection, set_frame("k", "v")));
      CPPUNIT_ASSERT_EQUAL(to_hex(kError), ask(connection, delete_frame("k")));
      CPPUNIT_ASSERT_EQUAL('\0', connection.exchange(health_frame(), 1)[0]);
      RawConnection authorized(node.port());
      for (const std::string& wrong :
           {std::string("s"), kKey + "x", kKey.substr(1), std::string(65'535, 'x')}) {
        CPPUNIT_ASSERT_EQUAL(to_hex(kError), ask(authorized, auth_frame(wrong)));
        CPPUNIT_ASSERT_EQUAL(to_hex(kError), ask(authorized, set_frame("k", "v")));
      }
      CPPUNIT_ASSERT_EQUAL(to_hex(kOk), ask(authorized, auth_frame(kKey)));
      CPPUNIT_ASSERT_EQUAL(to_hex(kOk), ask(authorized, set_frame("k", "v")));
      CPPUNIT_ASSERT_EQUAL(to_hex(value_answer("v")), ask(authorized, get_frame("k"), 6));
      RawConnection reader(node.port());
      CPPUNIT_ASSERT_EQUAL(all ? kError : value_answer("v").substr(0, 5), reader.exchange(get_frame("k"), 5));
    }
  }

  void sync_always_needs_the_key() {
    const Node node(mode("none"));
    RawConnection connection(node.port());
    const std::string sync = keyed_frame('\4', "stream") + little_endian(3, 4) + '\0' + "hey";
    CPPUNIT_ASSERT_EQUAL(to_hex(kError), ask(connection, sync));
    CPPUNIT_ASSERT_EQUAL(to_hex(kOk), ask(connection, set_frame("still", "served")));
  }

  void a_refused_write_is_read_past() {
    const Node node(mode("writes"));
    RawConnection connection(node.port());
    const std::string large(3'000'000, '\1');  // looks like many GETs to whoever reads on in the middle of it
    const std::string answers = kError + kError + kOk + kOk;
    connection.send(set_frame("k", large) + delete_frame("k") + auth_frame(kKey) + set_frame("k", large));
    CPPUNIT_ASSERT_EQUAL(to_hex(answers), to_hex(connection.receive(answers.size())));
  }

  void an_upload_without_the_key_is_read_past_and_not_kept() {
    NodeOptions options = mode("writes");
    options.flags.insert(options.flags.end(), {"-procs", "1"});
    const Node node(options);
    const std::string large(3'000'000, 'v');
    const Headers bytes = {std::string("Content-Type: ") + kOctets};
    const Headers chunks = {bytes.front(), "Transfer-Encoding: chunked"};
    RawConnection connection(node.port());
    const std::string get = http_request("GET", "/k");
    connection.send(get + "\r\n" + http_upload("PUT", "/k", large, bytes) + get);
    for (const int status : {404, 401, 404}) assert_refused(receive_http(connection), status);
    RawConnection chunked(node.port());
    (void)chunked.send_until_stuck(http_request("PUT", "/k", chunks) + "2dc6c0\r\n" + large,
                                   milliseconds(100));
    assert_refused(receive_http(chunked), 401);

    // Together they claim more than the node keeps for all; whoever has the key does not wait for them.
    std::vector<std::unique_ptr<RawConnection>> strangers;
    for (int i = 0; i < 100; ++i) {
      strangers.push_back(std::make_unique<RawConnection>(node.port()));
      strangers.back()->send(http_upload("PUT", "/k", large, bytes).substr(0, 100'000));
      assert_refused(receive_http(*strangers.back()), 401);
    }
    assert_done(
        http(node.port(),
             http_upload("PUT", "/k", large, {bytes.front(), "Authorization: Bearer " + std::string(kKey)})));
  }

  void reads_the_key_from_a_file() {
    const TemporaryDirectory directory;
    const std::string file = directory.write("key", kKey + "\n");
    const std::vector<std::string> flags{"-auth-file", file, "-authmode", "all"};
    CPPUNIT_ASSERT_EQUAL(0, ::chmod(file.c_str(), 0644));
    const Finished refused = run({minivault_binary(), "-config", "", "-data", directory.file("d"), flags[0],
                                  flags[1], "-check-config"});
    CPPUNIT_ASSERT_EQUAL(2, refused.status);
    CPPUNIT_ASSERT_MESSAGE(refused.err, refused.err.find("chmod o= " + file) != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(0, ::chmod(file.c_str(), 0640));
    const Node node({.flags = flags});
    assert_writes_refused(node, {});
    assert_writes_done(node);
  }

  // Neither in `ps`, nor in the log, nor in health.
  void never_shows_the_key() {
    Node node(mode("all"));
    std::vector<pid_t> processes = node.children();
    CPPUNIT_ASSERT(processes.size() >= 3);
    processes.push_back(node.supervisor().pid());
    for (const pid_t pid : processes) {
      std::ifstream stream("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
      const std::string words(std::istreambuf_iterator<char>(stream), {});
      CPPUNIT_ASSERT(!words.empty());
      CPPUNIT_ASSERT_MESSAGE(words, words.find(kKey) == std::string::npos);
    }
    (void)http(node.port(), http_request("GET", "/k", bearer(kKey + "wrong")));
    CPPUNIT_ASSERT(http(node.port(), http_request("GET", "/health")).body.find(kKey) == std::string::npos);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    for (const std::string& line : node.supervisor().lines())
      CPPUNIT_ASSERT_MESSAGE(line, line.find(kKey) == std::string::npos);
  }

  void wants_a_key_for_a_mode_that_needs_one() {
    const TemporaryDirectory directory;
    const Finished finished =
        run({minivault_binary(), "-authmode", "all", "-data", directory.file("data"), "-port", "0"});
    CPPUNIT_ASSERT_EQUAL(2, finished.status);
    CPPUNIT_ASSERT_MESSAGE(finished.err, finished.err.find("authmode") != std::string::npos);
  }

 private:
  static std::vector<Headers> wrong_headers() {
    return {{},
            bearer("wrong"),
            bearer(kKey + "x"),
            bearer(kKey.substr(0, kKey.size() - 1)),
            bearer(""),
            {"Authorization: Basic " + kKey},
            {"Authorization: " + kKey}};
  }

  static void assert_writes_refused(const Node& node, const Headers& headers) {
    assert_unauthorized(http(node.port(), http_upload("PUT", "/refused", R"({"value":1})", headers)));
    assert_unauthorized(http(node.port(), http_upload("POST", "/refused", R"({"value":1})", headers)));
    assert_unauthorized(http(node.port(), http_request("DELETE", "/refused", headers)));
  }

  static void assert_writes_done(const Node& node) {
    assert_done(http(node.port(), http_upload("PUT", "/k", R"({"value":1})", bearer(kKey))));
    assert_done(http(node.port(), http_request("DELETE", "/k", bearer(kKey))));
    assert_done(http(node.port(), http_upload("POST", "/k", R"({"value":2})", bearer(kKey))), 201);
    assert_refused(http(node.port(), http_request("GET", "/refused", bearer(kKey))), 404);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(AuthTest, "auth_test");

}  // namespace minivault::test
