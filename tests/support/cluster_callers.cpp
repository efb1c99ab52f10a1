#include "tests/support/cluster_callers.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/core/unique_fd.h"

namespace minivault::test {
namespace {

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

/// Asked by name: the table of all connections of a busy machine has tens of thousands of ended ones, and a
/// proxy that read it at each call would stand still for its node until the nodes took each other for silent.
std::uint64_t socket_between(std::uint16_t from, std::uint16_t to) {
  const UniqueFd kernel(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  struct {
    nlmsghdr head{};
    inet_diag_req_v2 wanted{};
  } question;
  question.head.nlmsg_len = sizeof question;
  question.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.head.nlmsg_flags = NLM_F_REQUEST;
  question.wanted.sdiag_family = AF_INET;
  question.wanted.sdiag_protocol = IPPROTO_TCP;
  question.wanted.idiag_states = ~0U;
  question.wanted.id.idiag_sport = htons(from);
  question.wanted.id.idiag_dport = htons(to);
  question.wanted.id.idiag_src[0] = question.wanted.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
  std::fill(std::begin(question.wanted.id.idiag_cookie), std::end(question.wanted.id.idiag_cookie),
            static_cast<std::uint32_t>(INET_DIAG_NOCOOKIE));
  if (::send(kernel.get(), &question, sizeof question, 0) != sizeof question) {
    throw std::runtime_error("the kernel does not tell of connections (NETLINK_SOCK_DIAG)");
  }
  alignas(nlmsghdr) std::array<char, 4096> answer{};
  const ssize_t size = ::recv(kernel.get(), answer.data(), answer.size(), 0);
  const auto& head = reinterpret_cast<const nlmsghdr&>(answer);
  const bool is_there = size >= static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg))) &&
                        head.nlmsg_type == SOCK_DIAG_BY_FAMILY;
  return is_there ? reinterpret_cast<const inet_diag_msg*>(answer.data() + NLMSG_HDRLEN)->idiag_inode : 0;
}

bool family_has_socket(pid_t pid, std::uint64_t socket) {
  if (has_socket(pid, "socket:[" + std::to_string(socket) + "]")) return true;
  const std::vector<pid_t> children = children_of(pid);
  return std::any_of(children.begin(), children.end(),
                     [&](pid_t child) { return family_has_socket(child, socket); });
}

}  // namespace minivault::test
