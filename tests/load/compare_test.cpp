// Goal: bench/compare starts servers, measures them, prints and stores what it found, and leaves no process
// and no file behind, even when it is interrupted. Needs python3; says so where there is none.

#include <cppunit/extensions/HelperMacros.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/support/child_process.h"
#include "tests/support/processes.h"
#include "tests/support/source_directory.h"
#include "tests/support/temporary_directory.h"

namespace minivault::test {
namespace {

namespace fs = std::filesystem;

/// It starts nodes, fills and asks them, one after the other, on a machine that may have much else to do.
constexpr milliseconds kLong{200'000};

bool python_is_here() {
  if (std::system("python3 -c '' 2>/dev/null") == 0) return true;
  std::cerr << "(python3 is not here: nothing tested) ";
  return false;
}

std::vector<std::string> compare(const TemporaryDirectory& directory, std::vector<std::string> flags) {
  const fs::path script = source_directory() / "bench" / "compare";
  flags.insert(flags.begin(),
               {"/usr/bin/env", "python3", script, "--no-install", "--minivault", minivault_binary(), "--dir",
                directory.path(), "--json", directory.file("found.json"), "--only", "minivault"});
  return flags;
}

/// Names in the directory that the script made for its servers.
std::size_t left_over(const TemporaryDirectory& directory) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(directory.path())) count += entry.is_directory() ? 1 : 0;
  return count;
}

rapidjson::Document read_json(const std::string& path) {
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  rapidjson::Document json;
  json.Parse(text.c_str());
  CPPUNIT_ASSERT_MESSAGE(text, json.IsObject());
  return json;
}

}  // namespace

class CompareTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CompareTest);
  CPPUNIT_TEST(measures_and_tidies_up);
  CPPUNIT_TEST(tells_how_workers_share_the_work);
  CPPUNIT_TEST(an_interrupt_ends_every_server);
  CPPUNIT_TEST(names_a_work_it_does_not_know);
  CPPUNIT_TEST(says_that_the_floor_is_missing);
  CPPUNIT_TEST(asks_wrk_for_a_second_at_least);
  CPPUNIT_TEST_SUITE_END();

 public:
  void measures_and_tidies_up() {
    if (!python_is_here()) return;
    const TemporaryDirectory directory;
    const Finished done =
        run(compare(directory, {"--work", "get-p1,latency-set", "--rounds", "2", "--seconds", "0.2"}), "", {},
            kLong);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    CPPUNIT_ASSERT(done.out.find("CPU us/req") != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, left_over(directory));

    const auto json = read_json(directory.file("found.json"));
    CPPUNIT_ASSERT_EQUAL(rapidjson::SizeType{2}, json["works"].Size());
    const auto& runs = json["works"][0]["runs"]["minivault"];
    CPPUNIT_ASSERT_EQUAL(rapidjson::SizeType{2}, runs.Size());
    CPPUNIT_ASSERT(runs[0]["answers"].GetUint64() > 0);
    for (const auto& work : json["works"].GetArray()) {
      for (const auto& run : work["runs"]["minivault"].GetArray()) check_errors(run["errors"]);
    }
  }

  void tells_how_workers_share_the_work() {
    if (!python_is_here()) return;
    const TemporaryDirectory directory;
    const Finished done = run(compare(directory, {"--only", "minivault x2", "--work", "busy-100", "--rounds",
                                                  "1", "--seconds", "0.5"}),
                              "", {}, kLong);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    CPPUNIT_ASSERT(done.out.find("workers used equal parts of its time") != std::string::npos);
  }

  void an_interrupt_ends_every_server() {
    if (!python_is_here()) return;
    const TemporaryDirectory directory;
    ChildProcess script(compare(directory, {"--work", "get-p1", "--seconds", "60"}), {});
    std::vector<Process> family;
    eventually(
        "a node works",
        [&] {
          family = descendants_of(script.pid());
          return std::any_of(family.begin(), family.end(),
                             [](const Process& process) { return process.name.starts_with("worker"); });
        },
        kLong);
    script.signal(SIGINT);
    CPPUNIT_ASSERT(script.wait(kLong) != 0);
    for (const Process& process : family) CPPUNIT_ASSERT_MESSAGE(process.name, !is_alive(process.pid));
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, left_over(directory));
  }

  void names_a_work_it_does_not_know() {
    if (!python_is_here()) return;
    const TemporaryDirectory directory;
    const Finished done = run(compare(directory, {"--work", "juggle"}));
    CPPUNIT_ASSERT(done.status != 0);
    CPPUNIT_ASSERT(done.err.find("juggle") != std::string::npos);
    CPPUNIT_ASSERT(done.err.find("get-p64") != std::string::npos);
  }

  void says_that_the_floor_is_missing() {
    if (!python_is_here()) return;
    const TemporaryDirectory directory;
    const std::string minivault = directory.write("minivault", "");
    fs::permissions(minivault, fs::perms::owner_all);
    const auto list = [&](std::vector<std::string> flags) {
      flags.insert(flags.end(), {"--minivault", minivault, "--list"});
      return run(compare(directory, flags)).err;
    };
    CPPUNIT_ASSERT_EQUAL("compare: left out, for " + directory.file("bench_floor") + " is not there: floor\n",
                         list({"--only", ""}));
    CPPUNIT_ASSERT_EQUAL(std::string(), list({"--only", "minivault"}));  // nobody asked for it
    CPPUNIT_ASSERT_EQUAL(std::string(), list({"--only", "", "--floor", minivault}));
  }

  /// wrk counts in whole seconds, and takes none at all for a mistake.
  void asks_wrk_for_a_second_at_least() {
    if (!python_is_here()) return;
    const std::string script =
        "import sys, types; sys.path.insert(0, sys.argv[1])\n"
        "from network import other_tools\n"
        "asked = []\n"
        "def timed(running, command):\n"
        "  asked.extend(command)\n"
        "  return '1 requests in\\nRequests/sec: 1.0\\n50% 1us\\n99% 1us', 0, 0\n"
        "other_tools._timed = timed\n"
        "other_tools.wrk(types.SimpleNamespace(address='a'), {}, 0, float(sys.argv[2]))\n"
        "print([word for word in asked if word and word.startswith('-d')][0])";
    for (const auto& [asked, told] :
         {std::pair{"0.2", "-d1s\n"}, {"1", "-d1s\n"}, {"1.5", "-d2s\n"}, {"5", "-d5s\n"}}) {
      const Finished done =
          run({"/usr/bin/env", "python3", "-B", "-c", script, source_directory() / "bench", asked});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, std::string(told), done.out);
    }
  }

 private:
  /// In the open loop of a busy machine something may be left unsent; nothing else may go wrong.
  static void check_errors(const rapidjson::Value& errors) {
    for (const auto& [kind, count] : errors.GetObject()) {
      if (kind != "unsent")
        CPPUNIT_ASSERT_EQUAL_MESSAGE(kind.GetString(), std::uint64_t{0}, count.GetUint64());
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CompareTest, "compare_test");

}  // namespace minivault::test
