#include "tests/support/notify_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace minivault::test {

NotifySocket::NotifySocket(std::string name)
    : name_(std::move(name)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name_.size() >= sizeof address.sun_path) throw std::runtime_error("too long a name: " + name_);
  std::memcpy(address.sun_path, name_.data(), name_.size());
  if (name_.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    throw std::runtime_error("cannot bind " + name_);
  }
}

const std::vector<std::string>& NotifySocket::messages() {
  std::array<char, 4096> room{};
  for (ssize_t size = 0; (size = ::recv(socket_.get(), room.data(), room.size(), 0)) >= 0;) {
    messages_.emplace_back(room.data(), static_cast<std::size_t>(size));
  }
  return messages_;
}

std::size_t NotifySocket::await(std::string_view line, std::size_t start, milliseconds limit) {
  std::size_t found = start;
  const auto came = [&] {
    for (; found < messages().size(); ++found) {
      if (has_line(messages_[found], line)) return true;
    }
    return false;
  };
  eventually("the service manager is told " + std::string(line), came, limit);
  return found;
}

std::size_t NotifySocket::count(std::string_view line, std::size_t start) {
  const auto& all = messages();
  return static_cast<std::size_t>(
      std::count_if(all.begin() + static_cast<std::ptrdiff_t>(std::min(start, all.size())), all.end(),
                    [line](const std::string& message) { return has_line(message, line); }));
}

bool has_line(std::string_view message, std::string_view line) {
  return ("\n" + std::string(message) + "\n").find("\n" + std::string(line) + "\n") != std::string::npos;
}

bool has_line_like(std::string_view message, std::string_view beginning) {
  return ("\n" + std::string(message)).find("\n" + std::string(beginning)) != std::string::npos;
}

}  // namespace minivault::test
