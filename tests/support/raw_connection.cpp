#include "tests/support/raw_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/support/bytes.h"

namespace minivault::test {
namespace {

using Clock = std::chrono::steady_clock;

milliseconds left(Clock::time_point end) {
  return std::max(std::chrono::ceil<milliseconds>(end - Clock::now()), milliseconds(0));
}

std::runtime_error failed(const std::string& what) {
  return std::runtime_error(what + ": " + std::strerror(errno));
}

bool not_now() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

RawConnection::RawConnection(std::uint16_t port, milliseconds patience)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), patience_(patience) {
  if (!fd_) throw failed("socket");
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  if (errno != EINPROGRESS) throw failed("connect to port " + std::to_string(port));
  if (!wait(POLLOUT, patience_)) throw std::runtime_error("connect: no answer");
  socklen_t size = sizeof errno;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &errno, &size);
  if (errno != 0) throw failed("connect to port " + std::to_string(port));
}

bool RawConnection::wait(short events, milliseconds limit) const {
  pollfd entry{fd_.get(), events, 0};
  return ::poll(&entry, 1, static_cast<int>(limit.count())) > 0;
}

void RawConnection::send(std::string_view bytes) {
  const auto end = Clock::now() + patience_;
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && !not_now()) throw failed("send");
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (!wait(POLLOUT, left(end))) {
      throw std::runtime_error("send: " + std::to_string(bytes.size()) + " bytes were not taken");
    }
  }
}

std::size_t RawConnection::send_until_stuck(std::string_view bytes, milliseconds pause) {
  std::size_t sent = 0;
  while (sent < bytes.size() && wait(POLLOUT, pause)) {
    const ssize_t count = ::send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && !not_now()) break;
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  return sent;
}

void RawConnection::finish_sending() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void RawConnection::reset() {
  const linger at_once{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  fd_.reset();
}

bool RawConnection::receive_more(Clock::time_point end) {
  std::array<char, 64 << 10> room;
  for (;;) {
    const ssize_t count = ::recv(fd_.get(), room.data(), room.size(), 0);
    if (count > 0) {
      received_.append(room.data(), static_cast<std::size_t>(count));
      return true;
    }
    if (count == 0 || errno == ECONNRESET) return false;
    if (!not_now()) throw failed("receive");
    if (!wait(POLLIN, left(end))) throw std::runtime_error("no answer; so far: " + to_hex(received_));
  }
}

std::string RawConnection::take(std::size_t count) {
  std::string bytes = received_.substr(0, count);
  received_.erase(0, count);
  return bytes;
}

std::string RawConnection::receive(std::size_t count) {
  const auto end = Clock::now() + patience_;
  while (received_.size() < count) {
    if (!receive_more(end)) {
      throw std::runtime_error("closed after " + std::to_string(received_.size()) + " of " +
                               std::to_string(count) + " bytes: " + to_hex(received_));
    }
  }
  return take(count);
}

std::string RawConnection::receive_through(std::string_view mark) {
  const auto end = Clock::now() + patience_;
  std::size_t found = 0;
  while ((found = received_.find(mark)) == std::string::npos) {
    if (!receive_more(end))
      throw std::runtime_error("closed before the mark; so far: " + received_.substr(0, 500));
  }
  return take(found + mark.size());
}

std::string RawConnection::receive_until_close() {
  const auto end = Clock::now() + patience_;
  while (receive_more(end)) {
  }
  return take(received_.size());
}

bool RawConnection::silent_for(milliseconds pause) {
  return received_.empty() && !wait(POLLIN, pause);
}

std::string RawConnection::exchange(std::string_view request, std::size_t answer_size) {
  send(request);
  return receive(answer_size);
}

}  // namespace minivault::test
