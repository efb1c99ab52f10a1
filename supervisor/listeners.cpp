#include "supervisor/listeners.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
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
  return {Code::kIo, "cannot listen on " + host + " port " + std::to_string(port) + ": " + reason};
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

std::uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

Result<Listener> Listener::open(const std::string& host, std::uint16_t port) {
  const Result<Addresses> addresses = resolve(host, port);
  if (!addresses) return tl::unexpected(addresses.error());
  const addrinfo& address = pick(*addresses);
  UniqueFd socket(::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket || !listen_on(socket.get(), address)) return tl::unexpected(refusal(host, port, errno));
  const std::uint16_t real_port = port_of(socket.get());
  return Listener{std::move(socket), real_port};
}

Result<Listeners> Listeners::open(const std::string& host, std::uint16_t port, std::uint16_t http_port) {
  Listeners listeners;
  Result<Listener> both = Listener::open(host, port);
  if (!both) return tl::unexpected(both.error());
  listeners.both = std::move(*both);
  if (http_port != 0) {
    Result<Listener> http = Listener::open(host, http_port);
    if (!http) return tl::unexpected(http.error());
    listeners.http = std::move(*http);
  }
  return listeners;
}

}  // namespace minivault::supervisor
