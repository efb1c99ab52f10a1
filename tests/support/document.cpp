#include "tests/support/document.h"

#include <cppunit/TestAssert.h>

#include <fstream>

#include "tests/support/source_directory.h"

namespace minivault::test {

std::vector<std::string> commands_below(const std::string& document, const std::string& heading) {
  std::ifstream file(source_directory() / document);
  std::vector<std::string> lines;
  bool in_section = false;
  bool in_block = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) in_section = line == "## " + heading;
    if (line.starts_with("```")) {
      in_block = in_section && line == "```sh";
    } else if (in_block && !line.empty()) {
      lines.push_back(line);
    }
  }
  CPPUNIT_ASSERT_MESSAGE("nothing to type below " + heading, !lines.empty());
  return lines;
}

std::string with(std::string text, const std::string& what, const std::string& instead) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += instead.size()) {
    text.replace(at, what.size(), instead);
  }
  return text;
}

}  // namespace minivault::test
