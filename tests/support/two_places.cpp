#include "tests/support/two_places.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdexcept>
#include <string>

namespace {

using GetAddrInfo = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

}  // namespace

/// In place of libc's for what is linked into this program. Lists are chained of libc's own, which frees them
/// piece by piece.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  static const auto real = reinterpret_cast<GetAddrInfo>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string name = node == nullptr ? "" : node;
  const int elsewhere = name == minivault::test::kNameOfTwo    ? 1
                        : name == minivault::test::kNameOfMany ? minivault::test::kTimesElsewhere
                                                               : 0;
  if (elsewhere == 0) return real(node, service, hints, found);
  if (hints != nullptr && (hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
  addrinfo* list = nullptr;
  int error = real("127.0.0.1", service, hints, &list);
  for (int i = 0; error == 0 && i < elsewhere; ++i) {
    addrinfo* first = nullptr;
    error = real(minivault::test::kElsewhere, service, hints, &first);
    if (error != 0) continue;
    first->ai_next = list;
    list = first;
  }
  *found = list;
  if (error != 0 && list != nullptr) ::freeaddrinfo(list);
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
