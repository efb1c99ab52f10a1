// Goal: what the README tells a newcomer to type works as printed. Method: its `sh` blocks are read from the
// document and run by a shell in a directory where build/minivault is the binary under test; only the ports
// are other ones. A line "# ..." behind a command is what that command prints.

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <vector>

#include "tests/support/document.h"
#include "tests/support/node.h"

namespace minivault::test {
class ReadmeTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReadmeTest);
  CPPUNIT_TEST(try_it_and_look_after_it);
  CPPUNIT_TEST(three_nodes);
  CPPUNIT_TEST_SUITE_END();

  TemporaryDirectory directory_;

  [[nodiscard]] Finished shell(const std::string& script) const {
    return run({"/bin/bash", "-e", "-c", "cd '" + directory_.path() + "' && " + script});
  }

 public:
  void setUp() override {
    std::filesystem::create_directory(directory_.file("build"));
    std::filesystem::create_symlink(minivault_binary(), directory_.file("build/minivault"));
  }

  void try_it_and_look_after_it() {
    Node node;
    std::filesystem::create_symlink(node.data(), directory_.file("data"));
    std::vector<std::string> lines = commands_below("README.md", "Try it");
    const std::vector<std::string> more = commands_below("README.md", "Looking after it");
    lines.insert(lines.end(), more.begin(), more.end());
    Finished last;
    std::string command;
    for (const std::string& line : lines) {
      if (line.starts_with("# ")) {  // the first line of it
        CPPUNIT_ASSERT_EQUAL_MESSAGE(command, line.substr(2), last.out.substr(0, last.out.find('\n')));
        continue;
      }
      command = with(line, "localhost:3000", node.address());
      last = shell(command);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(command + '\n' + last.err, 0, last.status);
    }
  }

  /// Typed by hand the nodes have the time to start; the test waits for it.
  void three_nodes() {
    std::string script = "trap 'kill $(jobs -p); wait' EXIT\n";
    for (const std::string& line : commands_below("README.md", "Three nodes")) {
      if (line.find("minivault cluster ") != std::string::npos) {
        for (const char* const port : {"3001", "3002", "3003"}) {
          script += std::string("until build/minivault health localhost:") + port +
                    "; do [ $(jobs -pr | wc -l) = 3 ] || exit 9; done >>waits.txt 2>&1\n";
        }
      }
      script += line + "\n";
    }
    for (const char* const port : {"3001", "3002", "3003"}) {
      const std::string free = std::to_string(free_port());
      script = with(script, std::string("localhost:") + port, "localhost:" + free);
      script = with(script, std::string("-port ") + port, "-port " + free);
    }
    const Finished done = shell(script);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(script + done.err, 0, done.status);
    CPPUNIT_ASSERT_MESSAGE(done.out, done.out.ends_with("hello"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReadmeTest, "readme_test");

}  // namespace minivault::test
