#include "tests/support/loopback_listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <stdexcept>

namespace minivault::test {

LoopbackListener listen_on_loopback(int flags) {
  LoopbackListener listener{UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0))};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.fd.get(), generic, size) != 0 || ::listen(listener.fd.get(), SOMAXCONN) != 0 ||
      ::getsockname(listener.fd.get(), generic, &size) != 0) {
    throw std::runtime_error("no listening socket");
  }
  listener.port = ntohs(address.sin_port);
  return listener;
}

}  // namespace minivault::test
