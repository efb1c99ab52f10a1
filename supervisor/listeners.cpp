#include "supervisor/listeners.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace minivault::supervisor {
namespace {

/// Connections that wait for an accept; the kernel cuts it to net.core.somaxconn.
constexpr int kBacklog = 4096;

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<Addresses> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return fail(Code::kIo, "cannot listen on " + host + ": " + ::gai_strerror(error));
  return Addresses(found, &::freeaddrinfo);
}

/// A name that stands for both kinds, as localhost does, means the one that everybody tries.
const addrinfo& pick(const Addresses& addresses) {
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    if (address->ai_family == AF_INET) return *address;
  }
  return *addresses;
}

Error refusal(const std::string& host, std::uint16_t port, int error_number) {
  std::string reason = std::strerror(error_number);
  if (error_number == EADDRINUSE) reason = "the port is in use by another process";
  if (error_number == EADDRNOTAVAIL) reason = "not an address of this machine";
  if (error_number == EACCES) reason = "no permission (a port below 1024?)";
  const Code code = error_number == EACCES ? Code::kUnauthorized : Code::kIo;
  return {code, "cannot listen on " + host + " port " + std::to_string(port) + ": " + reason};
}

bool set(int socket, int level, int name, int value) {
  return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

bool listen_on(int socket, const addrinfo& address) {
  // A node that starts again must not wait for its old connections to time out.
  if (!set(socket, SOL_SOCKET, SO_REUSEADDR, 1)) return false;
  if (address.ai_family == AF_INET6 && !set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0)) return false;
  return ::bind(socket, address.ai_addr, address.ai_addrlen) == 0 && ::listen(socket, kBacklog) == 0;
}

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24U == 127;
  }
  const in6_addr& six = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

}  // namespace

Listener Listener::of(UniqueFd socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  Listener listener;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host.data(), host.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
    listener.host = host.data();
    listener.port = static_cast<std::uint16_t>(std::stoul(port.data()));
  }
  listener.beyond_loopback = !is_loopback(address);
  listener.socket = std::move(socket);
  return listener;
}

Result<Listener> Listener::open(const std::string& host, std::uint16_t port) {
  const Result<Addresses> addresses = resolve(host, port);
  if (!addresses) return tl::unexpected(addresses.error());
  const addrinfo& address = pick(*addresses);
  UniqueFd socket(::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket || !listen_on(socket.get(), address)) return tl::unexpected(refusal(host, port, errno));
  return Listener::of(std::move(socket));
}

Result<Listeners> Listeners::open(const std::string& host, std::uint16_t port, std::uint16_t http_port,
                                  PassedSockets passed) {
  Listeners listeners;
  const auto fill = [&host](Listener& listener, UniqueFd& socket, std::uint16_t wanted_port) -> Status {
    if (socket) {
      listener = Listener::of(std::move(socket));
      listener.was_passed = true;
      return {};
    }
    Result<Listener> opened = Listener::open(host, wanted_port);
    if (!opened) return tl::unexpected(opened.error());
    listener = std::move(*opened);
    return {};
  };
  if (Status filled = fill(listeners.both, passed.both, port); !filled) return tl::unexpected(filled.error());
  if (http_port == 0 && !passed.http) return listeners;
  if (Status filled = fill(listeners.http, passed.http, http_port); !filled) {
    return tl::unexpected(filled.error());
  }
  return listeners;
}

}  // namespace minivault::supervisor
