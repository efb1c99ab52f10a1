#include "common/net/connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace minivault::net {
namespace {

constexpr std::size_t kPiecesASend = 128;

ssize_t send_pieces(int fd, std::span<iovec> pieces) {
  // The usual case: the kernel has less to look at.
  if (pieces.size() == 1) return ::send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

}  // namespace

void Connection::note(const Event& event) {
  readable_ = readable_ || event.readable;
  writable_ = writable_ || event.writable;
  ending_ = ending_ || event.ending;
}

Connection::Received Connection::receive(std::size_t request_bytes) {
  const std::span<char> room = input_.room(request_bytes);
  if (room.empty()) return Received::kBroken;
  const ssize_t got = ::recv(socket_.get(), room.data(), room.size(), 0);
  if (got > 0) input_.received(static_cast<std::size_t>(got));
  return after_recv(got, room.size());
}

Connection::Received Connection::discard() {
  std::array<char, 16 * 1024> bytes;
  const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  return after_recv(got, bytes.size());
}

Connection::Received Connection::after_recv(ssize_t got, std::size_t asked) {
  if (got > 0) {
    bytes_received_ += static_cast<std::size_t>(got);
    // epoll(7): less than asked for means that all was read. Only an end that was announced before is still
    // there and will not be announced again.
    readable_ = static_cast<std::size_t>(got) == asked || ending_;
    return Received::kBytes;
  }
  if (got < 0 && errno == EINTR) return Received::kNothing;
  readable_ = false;
  if (got == 0) {
    ended_ = true;
    return Received::kEnd;
  }
  return errno == EAGAIN ? Received::kNothing : Received::kBroken;
}

Connection::Sent Connection::send(std::uint64_t reached) {
  output_.release(reached);
  if (output_.sendable() == 0) return Sent::kAll;
  if (!writable_) return Sent::kPart;
  std::array<iovec, kPiecesASend> pieces;
  const std::span<iovec> filled = output_.gather(pieces);
  std::size_t asked = 0;
  for (const iovec& piece : filled) asked += piece.iov_len;
  const ssize_t taken = send_pieces(socket_.get(), filled);
  if (taken < 0 && errno != EAGAIN && errno != EINTR) return Sent::kBroken;
  const std::size_t bytes = taken < 0 ? 0 : static_cast<std::size_t>(taken);
  output_.sent(bytes);
  bytes_sent_ += bytes;
  writable_ = bytes == asked || (taken < 0 && errno == EINTR);
  return output_.sendable() == 0 ? Sent::kAll : Sent::kPart;
}

void Connection::finish_sending() {
  ::shutdown(socket_.get(), SHUT_WR);
}

}  // namespace minivault::net
