// The least that a server can do for a request of the binary protocol: one epoll loop that parses it and
// answers a constant. It stores nothing and finds nothing, so the distance to it is what a server's own work
// costs, and it itself is the price of the system calls and of TCP.
//
//   bench_floor PORT [VALUE_BYTES]     every GET is answered so many bytes (100), all else is answered OK

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "common/core/unique_fd.h"
#include "common/protocol/binary.h"

namespace {

using minivault::UniqueFd;
namespace protocol = minivault::protocol;

constexpr std::size_t kRoom = 256U << 10U;

struct Client {
  UniqueFd fd;
  std::string rest;    ///< of a request that is not whole
  std::string unsent;  ///< answers that the kernel did not take
};

class Floor {
 public:
  Floor(UniqueFd listener, std::size_t value_bytes)
      : listener_(std::move(listener)), epoll_(::epoll_create1(EPOLL_CLOEXEC)), room_(kRoom) {
    protocol::append_value_header(found_, static_cast<std::uint32_t>(value_bytes));
    found_.append(value_bytes, 'x');
    watch(listener_.get(), EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < ready; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_.get()) {
          accept_one();
        } else if (!serve(clients_[fd])) {
          clients_.erase(fd);
        }
      }
    }
  }

 private:
  void watch(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  void accept_one() {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(fd.get(), EPOLLIN | EPOLLOUT | EPOLLET);
    Client& client = clients_[fd.get()];
    client.fd = std::move(fd);
  }

  /// Reads what there is, a roomful at a time, and answers each. False when the client is gone.
  bool serve(Client& client) {
    for (;;) {
      if (!client.unsent.empty() && !send(client)) return false;
      if (!client.unsent.empty()) return true;
      client.rest.copy(room_.data(), client.rest.size());
      const std::size_t front = client.rest.size();
      const ssize_t got = ::recv(client.fd.get(), room_.data() + front, room_.size() - front, 0);
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
      const auto bytes = static_cast<std::size_t>(got);
      if (!answer(client, {room_.data(), front + bytes}) || !send(client)) return false;
      if (front + bytes < room_.size()) return true;
    }
  }

  bool answer(Client& client, std::string_view input) {
    const protocol::BinaryLimits limits{.largest_value = kRoom / 2};
    for (;;) {
      protocol::BinaryRequest request;
      const auto parsed = protocol::parse_binary(input, limits, request);
      if (parsed.kind == protocol::BinaryParse::Kind::kNeedMore) break;
      if (parsed.kind != protocol::BinaryParse::Kind::kRequest) return false;
      if (request.opcode == protocol::Opcode::kGet) {
        client.unsent.append(found_);
      } else {
        protocol::append_ok(client.unsent);
      }
      input.remove_prefix(parsed.size);
    }
    client.rest.assign(input);
    return true;
  }

  static bool send(Client& client) {
    if (client.unsent.empty()) return true;
    const ssize_t sent = ::send(client.fd.get(), client.unsent.data(), client.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    client.unsent.erase(0, static_cast<std::size_t>(sent));
    return true;
  }

  UniqueFd listener_;
  UniqueFd epoll_;
  std::vector<char> room_;
  std::string found_;
  std::map<int, Client> clients_;
};

UniqueFd listen_on(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool listens = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(fd.get(), SOMAXCONN) == 0;
  if (listens) return fd;
  std::perror("bench_floor");
  return UniqueFd();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s PORT [VALUE_BYTES]\n", argv[0]);
    return 2;
  }
  UniqueFd listener = listen_on(static_cast<std::uint16_t>(std::atoi(argv[1])));
  if (!listener) return 1;
  Floor(std::move(listener), argc > 2 ? static_cast<std::size_t>(std::atoi(argv[2])) : 100).run();
}
