#include "common/process/title.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace minivault {
namespace {

/// The environment's strings lie right behind the arguments' and have to move before they are written over.
void move_environment() {
  std::vector<std::string> copies;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) copies.emplace_back(*entry);
  ::clearenv();
  for (const std::string& entry : copies) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    ::setenv(entry.substr(0, equals).c_str(), entry.c_str() + equals + 1, 1);
  }
}

/// `end`, or the end of `text` where that begins exactly there.
char* extend(char* end, char* text) {
  return text == end ? text + std::strlen(text) + 1 : end;
}

}  // namespace

ProcessTitle::ProcessTitle(int argc, char** argv) {
  if (argc < 1) return;
  char* const begin = argv[0];
  char* end = begin;
  for (int i = 0; i < argc; ++i) end = extend(end, argv[i]);
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) end = extend(end, *entry);
  move_environment();
  area_ = {begin, end};
}

void ProcessTitle::set(std::string_view role) {
  const std::string short_name(role.substr(0, 15));
  ::prctl(PR_SET_NAME, short_name.c_str());
  if (area_.empty()) return;
  const std::string title = "minivault: " + std::string(role);
  const std::size_t length = std::min(title.size(), area_.size() - 1);
  std::fill(area_.begin(), area_.end(), '\0');
  std::copy_n(title.begin(), length, area_.begin());
}

}  // namespace minivault
