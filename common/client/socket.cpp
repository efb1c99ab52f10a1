#include "common/client/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace minivault::client {
namespace {

using std::chrono::milliseconds;

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, FreeAddresses>;

tl::unexpected<Error> unreachable(const std::string& what, int error_number) {
  return fail(Code::kUnavailable, what + ": " + std::strerror(error_number));
}

bool not_now(int error_number) {
  return error_number == EAGAIN || error_number == EWOULDBLOCK || error_number == EINTR;
}

/// Ready, kTimedOut, or kIo where poll itself fails.
Status wait_for(int fd, short events, const Deadline& deadline) {
  for (;;) {
    pollfd entry{fd, events, 0};
    const int ready =
        ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(deadline.left().count(), 1 << 30)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno("poll", errno);
    if (deadline.passed()) return fail(Code::kTimedOut, "time is up");
  }
}

Result<AddressList> resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return fail(Code::kUnavailable, address.text() + ": " + ::gai_strerror(error));
  return AddressList(found);
}

Result<UniqueFd> connect_one(const addrinfo& target, const Address& address, const Deadline& deadline) {
  UniqueFd fd(::socket(target.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return unreachable("socket", errno);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd.get(), target.ai_addr, target.ai_addrlen) == 0) return fd;
  if (errno != EINPROGRESS) return unreachable(address.text(), errno);
  if (!wait_for(fd.get(), POLLOUT, deadline))
    return fail(Code::kTimedOut, address.text() + ": no answer to connect");
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return unreachable(address.text(), error);
  return fd;
}

}  // namespace

Deadline::Deadline(milliseconds time_out) : end_(std::chrono::steady_clock::now() + time_out) {}

milliseconds Deadline::left() const {
  const auto rest = std::chrono::ceil<milliseconds>(end_ - std::chrono::steady_clock::now());
  return std::max(rest, milliseconds(0));
}

Result<Socket> Socket::connect(const Address& address, const Deadline& deadline) {
  const auto targets = resolve(address);
  if (!targets) return tl::unexpected(targets.error());
  Result<UniqueFd> fd = fail(Code::kUnavailable, address.text() + ": no address");
  for (const addrinfo* target = targets->get(); target != nullptr; target = target->ai_next) {
    fd = connect_one(*target, address, deadline);
    if (fd) return Socket(std::move(*fd));
  }
  return tl::unexpected(fd.error());
}

Status Socket::wait(bool to_write, const Deadline& deadline) const {
  return wait_for(fd_.get(), static_cast<short>(POLLIN | (to_write ? POLLOUT : 0)), deadline);
}

Result<std::size_t> Socket::write_some(std::string_view bytes) const {
  const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (not_now(errno)) return std::size_t{0};
  return unreachable("send", errno);
}

Result<std::size_t> Socket::read_some(std::span<char> room) const {
  const ssize_t count = ::recv(fd_.get(), room.data(), room.size(), 0);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0) return fail(Code::kUnavailable, "the other side closed the connection");
  if (not_now(errno)) return std::size_t{0};
  return unreachable("receive", errno);
}

bool Socket::quiet() const {
  char byte = 0;
  return ::recv(fd_.get(), &byte, 1, MSG_PEEK) < 0 && not_now(errno);
}

}  // namespace minivault::client
