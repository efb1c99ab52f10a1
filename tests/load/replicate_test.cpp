// Goal: bench/replicate forms a cluster, times writes between its nodes, and leaves no process
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

bool python_is_here() {
  if (std::system("python3 -c '' 2>/dev/null") == 0) return true;
  std::cerr << "(python3 is not here: nothing tested) ";
  return false;
}

std::vector<std::string> replicate(const TemporaryDirectory& directory, std::vector<std::string> flags) {
  const fs::path script = source_directory() / "bench" / "replicate";
  flags.insert(flags.begin(), {"/usr/bin/env", "python3", script, "--minivault", minivault_binary(), "--dir",
                               directory.path(), "--json", directory.file("found.json")});
  return flags;
}

bool is_empty_but_for_json(const TemporaryDirectory& directory) {
  const fs::directory_iterator entries(directory.path());
  return std::none_of(begin(entries), end(entries), [](const auto& entry) { return entry.is_directory(); });
}

}  // namespace

class ReplicateTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReplicateTest);
  CPPUNIT_TEST(measures_and_tidies_up);
  CPPUNIT_TEST(an_interrupt_ends_every_node);
  CPPUNIT_TEST(names_a_row_it_does_not_know);
  CPPUNIT_TEST_SUITE_END();

 public:
  void measures_and_tidies_up() {
    if (!python_is_here()) return;
    const TemporaryDirectory directory;
    const Finished done = run(replicate(directory, {"--row", "propagation,writes", "--only", "minivault",
                                                    "--rounds", "1", "--seconds", "0.1"}));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    CPPUNIT_ASSERT(is_empty_but_for_json(directory));

    std::ifstream file(directory.file("found.json"));
    const std::string text(std::istreambuf_iterator<char>(file), {});
    rapidjson::Document json;
    json.Parse(text.c_str());
    CPPUNIT_ASSERT_MESSAGE(text, json.IsObject());
    const auto& rows = json["rows"];
    const auto& write = rows["propagation"]["writes"][0][0];
    CPPUNIT_ASSERT(write["from_request"].GetDouble() >= write["from_answer"].GetDouble());
    CPPUNIT_ASSERT(write["answer"].GetDouble() > 0);
    CPPUNIT_ASSERT(rows["writes"]["minivault"][0]["answers"].GetUint64() > 0);
  }

  void an_interrupt_ends_every_node() {
    if (!python_is_here()) return;
    const TemporaryDirectory directory;
    ChildProcess script(replicate(directory, {"--row", "writes", "--only", "minivault", "--seconds", "60"}),
                        {});
    std::vector<Process> family;
    eventually("nodes work", [&] {
      family = descendants_of(script.pid());
      return 3 <= std::count_if(family.begin(), family.end(), [](const Process& process) {
               return process.name.starts_with("replicator");
             });
    });
    script.signal(SIGINT);
    CPPUNIT_ASSERT(script.wait(3 * kPatience) != 0);
    for (const Process& process : family) CPPUNIT_ASSERT_MESSAGE(process.name, !is_alive(process.pid));
    CPPUNIT_ASSERT(is_empty_but_for_json(directory));
  }

  void names_a_row_it_does_not_know() {
    if (!python_is_here()) return;
    const TemporaryDirectory directory;
    const Finished done = run(replicate(directory, {"--row", "juggle"}));
    CPPUNIT_ASSERT(done.status != 0);
    CPPUNIT_ASSERT(done.err.find("juggle") != std::string::npos);
    CPPUNIT_ASSERT(done.err.find("catch-up") != std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReplicateTest, "replicate_test");

}  // namespace minivault::test
