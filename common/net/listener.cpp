#include "common/net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace minivault::net {
namespace {

constexpr int kUnsentBytes = 256 * 1024;  ///< what the kernel takes ahead of what the network does

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Status Listener::start(Poller& poller) {
  short_ = false;
  if (fd_ < 0 || listening_) return {};
  Status watched = poller.watch_listener(fd_);
  listening_ = watched.has_value();
  return watched;
}

void Listener::stop(Poller& poller) {
  if (listening_) poller.forget(fd_);
  listening_ = false;
}

void Listener::close(Poller& poller) {
  stop(poller);
  UniqueFd(std::exchange(fd_, -1)).reset();
}

UniqueFd Listener::accept() {
  if (fd_ < 0) return {};
  for (;;) {
    UniqueFd client(::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      // Answers are gathered by us: the kernel need not wait for more. Fails harmlessly where it is not TCP.
      // A client that vanished without a word is found out by the kernel, in its own time.
      const int on = 1;
      ::setsockopt(client.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      // Without this the kernel takes megabytes for a slow reader, which nobody counts, and says "writable"
      // only when a third of them has gone: a client at 40 KB/s looks as if it did not read at all.
      ::setsockopt(client.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
      return client;
    }
    const int error = errno;
    short_ = is_shortage(error);
    // accept(2): errors that the new connection already had are reported here; the next one may be sound.
    if (error == EAGAIN || short_ || error == EBADF || error == EINVAL) return {};
  }
}

}  // namespace minivault::net
