#include "worker/name_lookup.h"

#include <netdb.h>

#include <atomic>
#include <cstring>
#include <system_error>
#include <thread>

namespace minivault::worker {
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

Result<NameLookup::Place> look_up(const std::string& address, int flags) {
  const HostAndPort wanted = split(address);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(wanted.host.c_str(), wanted.port.c_str(), &hints, &found);
  if (error != 0) return fail(Code::kUnavailable, address + ": " + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  NameLookup::Place place;
  std::memcpy(&place.address, found->ai_addr, found->ai_addrlen);
  place.size = found->ai_addrlen;
  return place;
}

}  // namespace

struct NameLookup::Shared {
  Result<Place> result{Place{}};
  std::atomic<bool> there{false};

  void set(Result<Place> found) {
    result = std::move(found);
    there.store(true, std::memory_order_release);
  }
};

NameLookup::NameLookup(const std::string& address) : shared_(std::make_shared<Shared>()) {
  if (Result<Place> number = look_up(address, AI_NUMERICHOST)) {
    shared_->set(std::move(number));
    return;
  }
  try {
    std::thread([shared = shared_, address] { shared->set(look_up(address, 0)); }).detach();
  } catch (const std::system_error& error) {
    shared_->set(fail(Code::kUnavailable, std::string("no thread to look up a name: ") + error.what()));
  }
}

std::optional<Result<NameLookup::Place>> NameLookup::result() const {
  if (!shared_->there.load(std::memory_order_acquire)) return std::nullopt;
  return shared_->result;
}

}  // namespace minivault::worker
