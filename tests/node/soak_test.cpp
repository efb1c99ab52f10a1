// Goal: nothing wears out. Method: for MINIVAULT_SOAK_SECONDS (default 8; `make soak` takes ten minutes)
// everything happens to one node at random: loads over both protocols that know what they are owed, large
// values, deletes, deaths of every process, stops, reloads, processes that stand still for a while. What it
// takes of memory, disk and descriptors is looked at all the time, and must not grow from the second third to
// the last.

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "tests/node/load.h"
#include "tests/support/history.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"
#include "tests/support/seed.h"

namespace minivault::test {

namespace {

using Clock = std::chrono::steady_clock;

/// Writes, deletes and reads a few dozen JSON values over HTTP, one at a time.
class HttpClient {
 public:
  HttpClient(const std::atomic<std::uint16_t>& port, std::uint64_t seed)
      : port_(port), random_(seed), thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void stop() {
    thread_.request_stop();
    thread_.join();
  }
  /// What is wrong with what the node holds now.
  [[nodiscard]] std::vector<std::string> violations() const {
    Content content;
    for (unsigned n = 0; n < kKeys; ++n) {
      const HttpResponse found = http(port_, http_request("GET", '/' + key_of(n)));
      if (found.status == 200) content[key_of(n)] = value_in(found);
    }
    return history_.violations(content);
  }
  [[nodiscard]] History::Counts counts() const { return history_.counts(); }
  [[nodiscard]] const std::string& strange() const { return strange_; }

 private:
  static constexpr unsigned kKeys = 40;

  static std::string key_of(unsigned n) { return "soak/" + std::to_string(n); }
  static std::string value_in(const HttpResponse& found) {
    return std::to_string(parse_json(found.body)["data"]["number"].GetUint64());
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const std::string key = key_of(random_() % kKeys);
      const std::uint64_t dice = random_() % 10;
      if (dice < 3) {
        read(key);
      } else {
        write(key, dice == 3 ? History::State() : std::to_string(++written_));
      }
    }
  }

  void read(const std::string& key) {
    try {
      const HttpResponse found = http(port_, http_request("GET", '/' + key));
      if (found.status == 200 && !history_.was_written(key, value_in(found)))
        strange_ = key + ": " + found.body;
      if (found.status != 200 && found.status != 404 && found.status != 503) strange_ = found.body;
    } catch (const std::exception&) {
      std::this_thread::sleep_for(milliseconds(2));  // what answered is dead
    }
  }

  void write(const std::string& key, const History::State& state) {
    const auto write = history_.begin(key, state);
    Outcome outcome = Outcome::kUnknown;
    try {
      const std::string filler(random_() % 30 == 0 ? 50'000 : random_() % 300, 'f');
      const std::string body =
          R"({"value": {"number": )" + state.value_or("0") + R"(, "filler": ")" + filler + "\"}}";
      const HttpResponse answer = state ? http(port_, http_upload("PUT", '/' + key, body))
                                        : http(port_, http_request("DELETE", '/' + key));
      if (answer.status == 200 || answer.status == 201) outcome = Outcome::kDone;
      if (answer.status >= 400 && answer.status < 500 && answer.status != 404) strange_ = answer.body;
      if (answer.status == 404 && !state) outcome = Outcome::kDone;
    } catch (const std::exception&) {
      std::this_thread::sleep_for(milliseconds(2));
    }
    history_.end(write, outcome);
  }

  const std::atomic<std::uint16_t>& port_;
  std::mt19937_64 random_;
  std::uint64_t written_ = 0;
  History history_{History::Unknowns::kStayUndecided};
  std::string strange_;
  std::jthread thread_;
};

/// What a node takes, and the most of it in each third of a run.
class Usage {
 public:
  explicit Usage(Clock::duration whole) : began_(Clock::now()), whole_(whole) {}

  void look(const Node& node) {
    const auto third = std::min<std::size_t>((Clock::now() - began_) * 3 / whole_, 2);
    note(third, "memory", node.memory_bytes());
    std::error_code gone;
    for (const char* name : {"base.mdb", "changes.log"}) {
      note(third, name, std::filesystem::file_size(node.data() + '/' + name, gone));
    }
    for (const pid_t pid : node.children()) {
      const std::string path = "/proc/" + std::to_string(pid) + "/fd";
      std::filesystem::directory_iterator descriptors(path, gone);
      if (!gone)
        note(third, "descriptors", static_cast<std::uint64_t>(std::distance(begin(descriptors), {})));
    }
  }

  void assert_flat() const {
    for (const auto& [what, most] : most_) {
      std::cerr << what << ": " << most[0] << ", " << most[1] << ", " << most[2] << '\n';
      const std::uint64_t before = std::max(most[0], most[1]);
      CPPUNIT_ASSERT_MESSAGE(what + " grows", most[2] <= before * 5 / 4 + (1 << 20));
    }
  }

 private:
  void note(std::size_t third, const std::string& what, std::uint64_t amount) {
    std::uint64_t& most = most_[what][third];
    most = std::max(most, amount);
  }

  Clock::time_point began_;
  Clock::duration whole_;
  std::map<std::string, std::array<std::uint64_t, 3>> most_;
};

}  // namespace

class SoakTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SoakTest);
  CPPUNIT_TEST(everything_at_random);
  CPPUNIT_TEST_SUITE_END();

 public:
  void everything_at_random() {
    const std::uint64_t chosen = seed();
    std::mt19937_64 random(chosen);
    const std::chrono::seconds whole(environment_number("MINIVAULT_SOAK_SECONDS", 8));
    Node node({.flags = {"-sync", random() % 3 == 0 ? "interval:20" : "always"}});
    std::atomic<std::uint16_t> port = node.port();
    Load load(node.port(), chosen);
    HttpClient http_client(port, chosen);
    Usage usage(whole);
    std::map<std::string, unsigned> events;
    for (const auto end = Clock::now() + whole; Clock::now() < end;) {
      std::this_thread::sleep_for(milliseconds(random() % (random() % 4 == 0 ? 1'500 : 200)));
      usage.look(node);
      ++events[something_happens(node, random)];
      load.moved_to(node.port());
      port = node.port();
    }
    load.await_answers(100);  // nothing is stuck
    http_client.stop();
    load.stop_and_verify();
    for (const auto& [event, count] : events) std::cerr << count << " times " << event << '\n';
    std::cerr << load.counts().acknowledged << " requests answered, " << http_client.counts().done
              << " over HTTP\n";
    for (int life = 0; life < 2; ++life) {
      for (const std::string& what : load.violations()) CPPUNIT_FAIL(what);
      for (const std::string& what : http_client.violations()) CPPUNIT_FAIL(what);
      CPPUNIT_ASSERT_EQUAL(std::string(), http_client.strange());
      CPPUNIT_ASSERT_EQUAL(0, node.stop());
      node.start();
      load.moved_to(node.port());
      port = node.port();
      load.stop_and_verify();
    }
    usage.assert_flat();
  }

 private:
  static const char* something_happens(Node& node, std::mt19937_64& random) {
    switch (random() % 10) {
      case 0:
        node.kill();
        node.start();
        return "the node died";
      case 1:
        CPPUNIT_ASSERT_EQUAL(0, node.stop());
        node.start();
        return "a stop";
      case 2:
        node.reload();
        return "a reload";
      case 3:
      case 4:
        signal_one(node, "checkpointer", SIGKILL, random);
        return "the checkpointer died";
      case 5:
      case 6:
        signal_one(node, "worker", SIGKILL, random);
        return "a worker died";
      case 7: {
        const pid_t pid = signal_one(node, random() % 2 == 0 ? "worker" : "checkpointer", SIGSTOP, random);
        std::this_thread::sleep_for(milliseconds(random() % 800));
        if (pid != 0) ::kill(pid, SIGCONT);
        return "a pause";
      }
      default:
        return "nothing";
    }
  }

  static pid_t signal_one(const Node& node, const std::string& role, int number, std::mt19937_64& random) {
    const std::vector<pid_t> pids = node.children(role);
    if (pids.empty()) return 0;
    const pid_t pid = pids[random() % pids.size()];
    ::kill(pid, number);
    return pid;
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SoakTest, "soak_test");

}  // namespace minivault::test
