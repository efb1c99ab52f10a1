#include "common/net/name_lookup.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

namespace minivault::net {
namespace {

struct HostAndPort {
  std::string host;
  std::string port;
};

HostAndPort split(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {address, ""};
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {host, address.substr(colon + 1)};
}

Result<NameLookup::Places> look_up(const std::string& address, int flags) {
  const HostAndPort wanted = split(address);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(wanted.host.c_str(), wanted.port.c_str(), &hints, &found);
  if (error != 0) return fail(Code::kUnavailable, address + ": " + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  NameLookup::Places places;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    Place& place = places.emplace_back();
    std::memcpy(&place.address, each->ai_addr, each->ai_addrlen);
    place.size = each->ai_addrlen;
  }
  return places;
}

}  // namespace

struct NameLookup::Shared {
  Result<Places> result{Places{}};
  std::atomic<bool> there{false};

  void set(Result<Places> found) {
    result = std::move(found);
    there.store(true, std::memory_order_release);
  }
};

NameLookup::NameLookup(const std::string& address) : shared_(std::make_shared<Shared>()) {
  if (Result<Places> number = look_up(address, AI_NUMERICHOST)) {
    shared_->set(std::move(number));
    return;
  }
  try {
    std::thread([shared = shared_, address] { shared->set(look_up(address, 0)); }).detach();
  } catch (const std::system_error& error) {
    shared_->set(fail(Code::kUnavailable, std::string("no thread to look up a name: ") + error.what()));
  }
}

std::optional<Result<NameLookup::Places>> NameLookup::result() const {
  if (!shared_->there.load(std::memory_order_acquire)) return std::nullopt;
  return shared_->result;
}

Result<UniqueFd> begin_connect(const Place& place) {
  UniqueFd socket(::socket(place.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket", errno);
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto* address = reinterpret_cast<const sockaddr*>(&place.address);
  if (::connect(socket.get(), address, place.size) != 0 && errno != EINPROGRESS) {
    return fail_errno("connect", errno);
  }
  return socket;
}

}  // namespace minivault::net
