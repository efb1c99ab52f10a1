// Goal: man pages and completion say what the program says of itself, so that neither falls behind.
// Method: `minivault -help` is the list; the pages are made as an installation makes them, and bash
// completes.

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/child_process.h"
#include "tests/support/source_directory.h"
#include "tests/support/temporary_directory.h"

namespace minivault::test {
namespace {

using Words = std::set<std::string>;

const std::string kPackaging = source_directory() / "packaging";

std::string output_of(const std::vector<std::string>& command) {
  const Finished finished = run(command);
  CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.err, 0, finished.status);
  return finished.out;
}

std::string help() {
  return output_of({minivault_binary(), "-help"});
}

Words lines_of(const std::string& text) {
  Words lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.insert(line);
  return lines;
}

/// "-port" of every "  -port PORT   ..." line.
Words flags() {
  Words found;
  static const std::regex kFlag("^  (-[a-z-]+)");
  for (const std::string& line : lines_of(help())) {
    std::smatch match;
    if (std::regex_search(line, match, kFlag)) found.insert(match[1]);
  }
  CPPUNIT_ASSERT(found.size() > 20);
  return found;
}

/// "get", "set" of every "  minivault get|set ..." line.
Words commands() {
  Words found;
  static const std::regex kUsage("^  minivault ([a-z|-]+) ");
  for (const std::string& line : lines_of(help())) {
    std::smatch match;
    if (!std::regex_search(line, match, kUsage)) continue;
    std::istringstream words(match[1]);
    for (std::string word; std::getline(words, word, '|');) {
      if (!word.starts_with('-')) found.insert(word);
    }
  }
  CPPUNIT_ASSERT(found.size() > 10);
  return found;
}

/// A man page as text: roff's dashes and emphasis taken off.
std::string page(const std::string& name) {
  const TemporaryDirectory directory;
  (void)output_of({kPackaging + "/man/generate", minivault_binary(), directory.path()});
  std::ifstream stream(directory.file(name));
  std::string text(std::istreambuf_iterator<char>(stream), {});
  CPPUNIT_ASSERT_MESSAGE(name, !text.empty());
  text = std::regex_replace(text, std::regex(R"(\\-)"), "-");
  return std::regex_replace(text, std::regex(R"(\\f[BIR])"), "");
}

/// What bash offers for the last of `words`.
Words offered(const std::vector<std::string>& words) {
  std::vector<std::string> command = {
      "/bin/bash", "-c",
      "source \"$0\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _minivault; "
      "printf '%s\\n' \"${COMPREPLY[@]}\"",
      kPackaging + "/completion/minivault.bash", minivault_binary()};
  command.insert(command.end(), words.begin(), words.end());
  return lines_of(output_of(command));
}

void assert_equal(const Words& expected, const Words& actual) {
  const auto text = [](const Words& words) {
    std::string line;
    for (const std::string& word : words) line += word + ' ';
    return line;
  };
  CPPUNIT_ASSERT_EQUAL(text(expected), text(actual));
}

}  // namespace

class DocumentsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DocumentsTest);
  CPPUNIT_TEST(help_names_what_the_program_knows);
  CPPUNIT_TEST(page_of_the_node_has_every_flag);
  CPPUNIT_TEST(page_of_the_file_has_every_setting);
  CPPUNIT_TEST(page_of_the_commands_has_every_command_and_its_help);
  CPPUNIT_TEST(no_page_has_a_mark_left);
  CPPUNIT_TEST(bash_completes_commands);
  CPPUNIT_TEST(bash_completes_flags);
  CPPUNIT_TEST(bash_completes_values_that_the_program_takes);
  CPPUNIT_TEST_SUITE_END();

 public:
  void help_names_what_the_program_knows() {
    for (const std::string& word : commands()) (void)output_of({minivault_binary(), word, "-help"});
  }

  void page_of_the_node_has_every_flag() {
    const std::string text = page("minivault.8");
    for (const std::string& flag : flags()) {
      const bool is_there = text.find("\n.BR " + flag + ' ') != std::string::npos ||
                            text.find("\n.B " + flag + '\n') != std::string::npos;
      CPPUNIT_ASSERT_MESSAGE(flag, is_there);
    }
  }

  /// What -check-config tells are the settings; the two it comments out are not for the file.
  void page_of_the_file_has_every_setting() {
    const std::string text = page("minivault.conf.5");
    const std::string settings = output_of({minivault_binary(), "-config", "/dev/null", "-check-config"});
    static const std::regex kSetting("^([a-z-]+) = ");
    std::size_t checked = 0;
    for (const std::string& line : lines_of(settings)) {
      std::smatch match;
      if (!std::regex_search(line, match, kSetting)) continue;
      CPPUNIT_ASSERT_MESSAGE(line, text.find("\n.TP\n.BR " + match[1].str() + " \" = ") != std::string::npos);
      ++checked;
    }
    CPPUNIT_ASSERT(checked > 15);
  }

  void page_of_the_commands_has_every_command_and_its_help() {
    const std::string text = page("minivault.1");
    for (const std::string& word : commands()) {
      CPPUNIT_ASSERT_MESSAGE(word,
                             std::regex_search(text, std::regex("\n\\.SS ([a-z-]+, )*" + word + "[,\n]")));
      for (const std::string& line : lines_of(output_of({minivault_binary(), word, "-help"}))) {
        const bool is_plain = line.find('\\') == std::string::npos;
        CPPUNIT_ASSERT_MESSAGE(word + ": " + line, !is_plain || text.find(line) != std::string::npos);
      }
    }
  }

  void no_page_has_a_mark_left() {
    for (const char* name : {"minivault.1", "minivault.8", "minivault.conf.5"}) {
      CPPUNIT_ASSERT_MESSAGE(name, !std::regex_search(page(name), std::regex("@[A-Z]+@")));
    }
  }

  void bash_completes_commands() { assert_equal(commands(), offered({""})); }

  void bash_completes_flags() {
    assert_equal(flags(), offered({"-"}));
    Words with_two_dashes;
    for (const std::string& flag : flags()) with_two_dashes.insert('-' + flag);
    assert_equal(with_two_dashes, offered({"-sync", "none", "--"}));
    assert_equal({"-consistency"}, offered({"get", "-c"}));
    assert_equal({"-pipeline", "-preload", "-protocol"}, offered({"bench", "-p"}));
  }

  void bash_completes_values_that_the_program_takes() {
    assert_equal({"all", "none", "writes"}, offered({"-authmode", ""}));
    for (const char* flag : {"-authmode", "-log-format", "-log-level", "-sync"}) {
      for (std::string value : offered({flag, ""})) {
        if (value.ends_with(':')) value += "100";
        (void)output_of({minivault_binary(), flag, value, "-auth", "key", "-check-config"});
      }
    }
    const TemporaryDirectory directory;
    const std::string file = directory.write("key", "secret");
    assert_equal({file}, offered({"-auth-file", directory.file("k")}));
    assert_equal({file}, offered({"-auth-file", "=", directory.file("k")}));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(DocumentsTest, "documents_test");

}  // namespace minivault::test
