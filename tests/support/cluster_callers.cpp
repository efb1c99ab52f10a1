#include "tests/support/cluster_callers.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace minivault::test {
namespace {

/// 127.0.0.1:3000 as /proc/net/tcp writes it.
std::string kernel_text(std::uint16_t port) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0100007F:%04X", port);
  return text.data();
}

std::vector<pid_t> children_of(pid_t pid) {
  const std::string task = std::to_string(pid);
  std::ifstream stream("/proc/" + task + "/task/" + task + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; stream >> child;) children.push_back(child);
  return children;
}

bool has_socket(pid_t pid, const std::string& link) {
  std::error_code ignored;
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd", ignored);
  return std::any_of(begin(all), end(all), [&](const auto& entry) {
    std::error_code gone;
    return std::filesystem::read_symlink(entry.path(), gone) == link;
  });
}

}  // namespace

std::uint64_t socket_between(std::uint16_t from, std::uint16_t to) {
  const std::string local = kernel_text(from);
  const std::string remote = kernel_text(to);
  std::ifstream table("/proc/net/tcp");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::vector<std::string> field(10);
    for (std::string& text : field) fields >> text;
    if (field[1] == local && field[2] == remote) return std::stoull(field[9]);
  }
  return 0;
}

bool family_has_socket(pid_t pid, std::uint64_t socket) {
  if (has_socket(pid, "socket:[" + std::to_string(socket) + "]")) return true;
  const std::vector<pid_t> children = children_of(pid);
  return std::any_of(children.begin(), children.end(),
                     [&](pid_t child) { return family_has_socket(child, socket); });
}

}  // namespace minivault::test
