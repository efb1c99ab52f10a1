#include "tests/support/two_places.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdexcept>

namespace {

using GetAddrInfo = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

}  // namespace

/// In place of libc's for what is linked into this program. Lists are chained of libc's own, which frees them
/// piece by piece.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  static const auto real = reinterpret_cast<GetAddrInfo>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (node == nullptr || std::string(node) != minivault::test::kNameOfTwo)
    return real(node, service, hints, found);
  if (hints != nullptr && (hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
  addrinfo* second = nullptr;
  if (const int error = real("127.0.0.1", service, hints, &second); error != 0) return error;
  const int error = real(minivault::test::kElsewhere, service, hints, found);
  if (error == 0) {
    (*found)->ai_next = second;
  } else {
    ::freeaddrinfo(second);
  }
  return error;
}

namespace minivault::test {

SilentPlace::SilentPlace(std::uint16_t port) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, kElsewhere, &address.sin_addr);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(listener_.get(), generic, sizeof address) != 0 || ::listen(listener_.get(), 0) != 0) {
    throw std::runtime_error("no silent place");
  }
  for (int i = 0; i < 4; ++i) {
    UniqueFd& caller =
        callers_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)::connect(caller.get(), generic, sizeof address);
  }
}

}  // namespace minivault::test
