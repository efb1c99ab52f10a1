#include "common/net/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace minivault::net {
namespace {

constexpr std::size_t kPiecesASend = 128;

/// What is sent meanwhile leaves in full packets: sendfile(2) knows no MSG_MORE, and the last bracket of a
/// large JSON value should not cost a packet of its own.
class Cork {
 public:
  Cork(int fd, bool wanted) : fd_(fd), wanted_(wanted) { set(1); }
  ~Cork() { set(0); }
  Cork(const Cork&) = delete;
  Cork& operator=(const Cork&) = delete;

 private:
  void set(int on) const {
    if (wanted_)
      ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);  // fails harmlessly if it is not TCP
  }
  int fd_;
  bool wanted_;
};

ssize_t send_pieces(int fd, std::span<iovec> pieces, int flags) {
  // The usual case: the kernel has less to look at.
  if (pieces.size() == 1) return ::send(fd, pieces[0].iov_base, pieces[0].iov_len, flags);
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  return ::sendmsg(fd, &message, flags);
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
  const Cork cork(socket_.get(), writable_ && output_.ends_behind_frozen());
  while (writable_) {
    const OutputBuffer::Frozen frozen = output_.frozen_in_front();
    if (frozen.size == 0 ? !send_in_memory() : !send_frozen(frozen)) return Sent::kBroken;
    if (output_.sendable() == 0) return Sent::kAll;
    if (frozen.size == 0 && output_.frozen_in_front().size == 0) break;  // more pieces than one call takes
  }
  return Sent::kPart;
}

bool Connection::send_together(std::uint64_t reached, SendBatch& batch, void* owner) {
  output_.release(reached);
  if (!writable_ || output_.sendable() == 0) return false;
  std::array<iovec, 2> pieces;
  const std::span<iovec> filled = output_.gather(pieces);
  if (filled.size() != 1 || filled[0].iov_len != output_.sendable()) return false;
  sent_with_others_ = filled[0].iov_len;
  batch.add(socket_.get(), {static_cast<const char*>(filled[0].iov_base), sent_with_others_}, owner);
  return true;
}

bool Connection::sent_together(int result) {
  errno = result < 0 ? -result : 0;
  return after_send(result < 0 ? -1 : result, std::cmp_equal(result, sent_with_others_));
}

/// False: the connection is broken.
bool Connection::send_in_memory() {
  std::array<iovec, kPiecesASend> pieces;
  const std::span<iovec> filled = output_.gather(pieces);
  std::size_t asked = 0;
  for (const iovec& piece : filled) asked += piece.iov_len;
  // What follows at once shares the last packet.
  const int more = asked < output_.sendable() ? MSG_MORE : 0;
  const ssize_t taken = send_pieces(socket_.get(), filled, MSG_NOSIGNAL | more);
  return after_send(taken, taken == static_cast<ssize_t>(asked));
}

/// As often as it takes until the socket says that it is full: sendfile(2) may stop for other reasons.
bool Connection::send_frozen(const OutputBuffer::Frozen& frozen) {
  auto offset = static_cast<off_t>(frozen.offset);
  const ssize_t taken = ::sendfile(socket_.get(), frozen.fd, &offset, frozen.size);
  return after_send(taken, taken > 0);
}

/// `all`: the socket may take more.
bool Connection::after_send(ssize_t taken, bool all) {
  if (taken < 0 && errno != EAGAIN && errno != EINTR) return false;
  const std::size_t bytes = taken < 0 ? 0 : static_cast<std::size_t>(taken);
  writable_ = all || (taken < 0 && errno == EINTR);
  output_.sent(bytes);
  bytes_sent_ += bytes;
  return true;
}

void Connection::finish_sending() {
  ::shutdown(socket_.get(), SHUT_WR);
}

}  // namespace minivault::net
