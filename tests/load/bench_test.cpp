// Goal: `minivault bench` stores, reads and verifies over every protocol a node speaks; counts what fails and
// says so in its exit status; and charges a server for the time in which it stood still.
// Method: the real program against a real node, its JSON read.

#include <cppunit/extensions/HelperMacros.h>
#include <rapidjson/document.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/client/fake_server.h"
#include "tests/support/node.h"

namespace minivault::test {
namespace {

struct Bench {
  Finished finished;
  rapidjson::Document json;

  [[nodiscard]] std::uint64_t number(const char* name) const { return json[name].GetUint64(); }
  [[nodiscard]] std::uint64_t errors(const char* kind) const { return json["errors"][kind].GetUint64(); }
};

Bench bench(const std::vector<std::string>& flags) {
  std::vector<std::string> command{minivault_binary(), "bench", "-json"};
  command.insert(command.end(), flags.begin(), flags.end());
  Bench result{run(command), {}};
  result.json.Parse(result.finished.out.c_str());
  CPPUNIT_ASSERT_MESSAGE(result.finished.out + result.finished.err, result.json.IsObject());
  return result;
}

/// Open sockets of the node's workers.
std::size_t sockets_of(const Node& node) {
  namespace fs = std::filesystem;
  std::size_t count = 0;
  for (const pid_t pid : node.children("worker")) {
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
      count += fs::read_symlink(entry, gone).string().starts_with("socket:") ? 1 : 0;
    }
  }
  return count;
}

void assert_clean(const Bench& result) {
  for (const auto& error : result.json["errors"].GetObject()) {
    CPPUNIT_ASSERT_EQUAL_MESSAGE(error.name.GetString(), std::uint64_t{0}, error.value.GetUint64());
  }
  CPPUNIT_ASSERT_EQUAL(0, result.finished.status);
}

}  // namespace

class BenchTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BenchTest);
  CPPUNIT_TEST(verifies_what_it_stored);
  CPPUNIT_TEST(speaks_http);
  CPPUNIT_TEST(large_values_come_whole);
  CPPUNIT_TEST(counts_exactly_what_was_asked_for);
  CPPUNIT_TEST(missing_keys_are_errors);
  CPPUNIT_TEST(other_values_are_mismatches);
  CPPUNIT_TEST(keeps_to_a_rate);
  CPPUNIT_TEST(a_pause_of_the_server_is_in_the_latency);
  CPPUNIT_TEST(a_lost_server_is_an_error);
  CPPUNIT_TEST(sends_its_key);
  CPPUNIT_TEST(charges_no_other_process);
  CPPUNIT_TEST(measures_once_the_preload_is_done_with);
  CPPUNIT_TEST(refuses_wrong_usage);
  CPPUNIT_TEST_SUITE_END();

 public:
  void verifies_what_it_stored() {
    const Node node;
    const Bench result =
        bench({node.address(), "-preload", "-verify", "-get", "50", "-keys", "500", "-requests", "20000",
               "-pipeline", "16", "-distribution", "zipf", "-threads", "2", "-server-pid", "auto"});
    assert_clean(result);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20'000}, result.number("answers"));
    CPPUNIT_ASSERT(result.json["latency_us"]["p50"].GetDouble() > 0);
    CPPUNIT_ASSERT(result.json["own_cpu_us"].GetDouble() > 0);
    // The supervisor, the checkpointer and two workers at least.
    CPPUNIT_ASSERT(result.json["server_cpu_us"]["processes"].Size() >= 4);
  }

  void speaks_http() {
    const Node node;
    assert_clean(bench({node.address(), "-protocol", "http", "-preload", "-verify", "-get", "70", "-keys",
                        "300", "-requests", "5000", "-pipeline", "8"}));
    // What HTTP stored is read over the binary protocol as JSON text: another value.
    const Bench binary = bench({node.address(), "-verify", "-keys", "300", "-requests", "100"});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, binary.errors("mismatched"));
  }

  void large_values_come_whole() {
    const Node node;
    const std::vector<std::string> large{
        node.address(), "-value-size", "1M",        "-keys", "4", "-connections", "3",
        "-requests",    "60",          "-pipeline", "4"};
    std::vector<std::string> verified = large;
    verified.insert(verified.end(), {"-preload", "-verify"});
    assert_clean(bench(verified));
    const Bench plain = bench(large);
    assert_clean(plain);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{60}, plain.number("answers"));
  }

  void counts_exactly_what_was_asked_for() {
    const Node node;
    for (const std::string requests : {"1", "49", "1001"}) {
      const Bench result = bench({node.address(), "-get", "0", "-keys", "10", "-requests", requests,
                                  "-pipeline", "7", "-threads", "3", "-idle", "20"});
      assert_clean(result);
      CPPUNIT_ASSERT_EQUAL(std::stoull(requests), static_cast<unsigned long long>(result.number("answers")));
    }
  }

  void missing_keys_are_errors() {
    const Node node;
    const std::vector<std::string> flags{node.address(), "-keys", "10", "-requests", "1000"};
    const Bench binary = bench(flags);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1000}, binary.errors("refused"));  // FF does not say why
    CPPUNIT_ASSERT_EQUAL(1, binary.finished.status);

    std::vector<std::string> forgiven = flags;
    forgiven.insert(forgiven.end(), {"-errors-ok", "-protocol", "http"});
    const Bench http = bench(forgiven);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1000}, http.errors("missing"));
    CPPUNIT_ASSERT_EQUAL(0, http.finished.status);
  }

  void other_values_are_mismatches() {
    const Node node;
    assert_clean(bench({node.address(), "-preload", "-keys", "10", "-requests", "10", "-value-size", "50"}));
    const Bench result =
        bench({node.address(), "-verify", "-keys", "10", "-requests", "1000", "-value-size", "51"});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1000}, result.errors("mismatched"));
    CPPUNIT_ASSERT_EQUAL(1, result.finished.status);
  }

  void keeps_to_a_rate() {
    const Node node;
    const Bench result = bench({node.address(), "-preload", "-keys", "10", "-rate", "500", "-requests", "250",
                                "-threads", "2", "-connections", "5"});
    assert_clean(result);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{250}, result.number("answers"));
    CPPUNIT_ASSERT(result.json["seconds"].GetDouble() >= 0.49);  // the last is due after 249 / 500 s
  }

  /// A closed loop would ask one request a connection in the pause, and call the server fast.
  void a_pause_of_the_server_is_in_the_latency() {
    const Node node({.flags = {"-procs", "1", "-sync", "none"}});  // a busy disk is not what is asked about
    const pid_t worker = node.child("worker");
    std::jthread pause([&] {
      eventually("requests arrive", [&] {
        const Finished get = run({minivault_binary(), "get", node.address(), "key:000000000000"});
        return get.status == 0;
      });
      suspend(worker);
      std::this_thread::sleep_for(milliseconds(500));  // the pause itself; a worker may stand still so long
      ::kill(worker, SIGCONT);
    });
    const Bench result = bench({node.address(), "-get", "0", "-keys", "10", "-rate", "1000", "-duration",
                                "2s", "-connections", "2"});
    assert_clean(result);
    // A quarter of all requests was due in the pause, three fifths of these at least 200 ms before its end.
    CPPUNIT_ASSERT(result.json["latency_us"]["p90"].GetDouble() >= 200'000);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2000}, result.number("answers"));
  }

  void a_lost_server_is_an_error() {
    Node node;
    assert_clean(bench({node.address(), "-preload", "-keys", "10", "-requests", "10"}));
    const std::size_t before = sockets_of(node);
    std::jthread killer([&] {
      eventually("the run begins", [&] { return sockets_of(node) >= before + 4; });
      node.kill();
    });
    const Bench result = bench({node.address(), "-keys", "10", "-duration", "20s", "-connections", "4"});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, result.errors("broken_connections"));
    CPPUNIT_ASSERT(result.json["seconds"].GetDouble() < 15);
    CPPUNIT_ASSERT_EQUAL(1, result.finished.status);
  }

  void sends_its_key() {
    const Node node({.flags = {"-auth", "secret", "-authmode", "all"}});
    for (const std::string protocol : {"binary", "http"}) {
      assert_clean(bench({node.address(), "-protocol", protocol, "-auth", "secret", "-preload", "-keys", "10",
                          "-requests", "100"}));
      const Bench without = bench({node.address(), "-protocol", protocol, "-keys", "10", "-requests", "100"});
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, without.errors("refused"));
    }
    const Finished wrong =
        run({minivault_binary(), "bench", node.address(), "-auth", "wrong", "-requests", "1"});
    CPPUNIT_ASSERT_EQUAL(1, wrong.status);
    CPPUNIT_ASSERT(wrong.err.find("refused") != std::string::npos);
  }

  /// Numbers in a health from elsewhere may be those of processes here.
  void charges_no_other_process() {
    const std::string health =
        R"({"processes":[{"role":"worker","number":0,"pid":)" + std::to_string(::getpid()) + "}]}";
    const FakeServer server([&](RawConnection& connection, unsigned) {
      for (;;) {
        const SeenRequest request = receive_request(connection);
        connection.send(ok_answer(request.opcode == 5 ? health : ""));
      }
    });
    const Finished refused = run({minivault_binary(), "bench", server.address().text(), "-server-pid", "auto",
                                  "-requests", "10", "-connections", "1"});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.out, 1, refused.status);
    CPPUNIT_ASSERT_MESSAGE(refused.err, refused.err.find("-server-pid auto: the server's worker is process " +
                                                         std::to_string(::getpid())) != std::string::npos);
  }

  void measures_once_the_preload_is_done_with() {
    std::atomic<int> healths = 0;
    std::atomic<int> healths_before_gets = -1;
    const FakeServer server([&](RawConnection& connection, unsigned) {
      for (;;) {
        const SeenRequest request = receive_request(connection);
        int none = -1;
        if (request.opcode == 1) healths_before_gets.compare_exchange_strong(none, healths);
        const std::string checkpoint = request.opcode == 5 && ++healths >= 4 ? "100" : "99";
        const std::string health = R"({"log":{"tail":100,"checkpoint":)" + checkpoint + "}}";
        connection.send(ok_answer(request.opcode == 5 ? health : ""));
      }
    });
    const Finished done = run({minivault_binary(), "bench", server.address().text(), "-preload", "-keys", "3",
                               "-requests", "10", "-connections", "1"});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    CPPUNIT_ASSERT_EQUAL(4, healths_before_gets.load());
  }

  void refuses_wrong_usage() {
    const Finished wrong = run({minivault_binary(), "bench", "127.0.0.1:1", "-keys", "none"});
    CPPUNIT_ASSERT_EQUAL(2, wrong.status);
    CPPUNIT_ASSERT(wrong.err.find("-keys none") != std::string::npos);
    const Finished nobody = run({minivault_binary(), "bench", "127.0.0.1:1"});
    CPPUNIT_ASSERT_EQUAL(1, nobody.status);
    CPPUNIT_ASSERT(nobody.err.find("127.0.0.1:1") != std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BenchTest, "bench_test");

}  // namespace minivault::test
