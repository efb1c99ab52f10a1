#include "replicator/line.h"

#include <sys/socket.h>

#include <utility>

#include "common/core/clock.h"
#include "common/protocol/binary.h"

namespace minivault::replicator {
namespace {

/// Answers are small; the largest tells of a conflict of every record of a batch.
constexpr std::uint64_t kLargestAnswer = 8ULL << 20;
constexpr int kReadsARun = 16;

}  // namespace

void Line::dial(const std::string& address) {
  close();
  dialer_.emplace(*poller_, address);
  state_ = State::kDialling;
}

void Line::close() {
  // A process forked meanwhile may still have a copy of the socket, which would stay among the watched.
  if (connection_) poller_->forget(fd());
  dialer_.reset();
  connection_.reset();
  answer_bytes_ = 0;
  state_ = State::kClosed;
}

void Line::note(const net::Event& event) {
  if (connection_) return connection_->note(event);
  if (dialer_) dialer_->note(event);
}

Status Line::run(const Answered& answered) {
  if (dialer_) {
    Result<UniqueFd> socket = dialer_->run(monotonic_ms());
    if (!socket) return tl::unexpected(socket.error());
    if (!*socket) return {};
    dialer_.reset();
    connection_ = std::make_unique<net::Connection>(std::move(*socket), *pool_);
    state_ = State::kOpen;
  }
  return connection_ ? take_answers(answered) : Status();
}

Status Line::take_answers(const Answered& answered) {
  for (int reads = 0; connection_->readable() && reads < kReadsARun; ++reads) {
    const net::Connection::Received received = connection_->receive(answer_bytes_);
    net::InputBuffer& input = connection_->input();
    while (!input.empty()) {
      protocol::BinaryResponse response;
      const auto parsed = protocol::parse_response(input.unread(), kLargestAnswer, response);
      using Kind = protocol::ResponseParse::Kind;
      answer_bytes_ = parsed.kind == Kind::kNeedMore ? static_cast<std::size_t>(parsed.size) : 0;
      if (parsed.kind == Kind::kNeedMore) break;
      if (parsed.kind == Kind::kBad) return fail(Code::kCorrupt, "it answers in another protocol");
      if (!response.ok) return fail(Code::kUnauthorized, "it refuses: is its key another?");
      if (Status told = answered(response.value); !told) return told;
      input.consume(static_cast<std::size_t>(parsed.size));
    }
    if (received == net::Connection::Received::kEnd || received == net::Connection::Received::kBroken) {
      return fail(Code::kUnavailable, "it closed the connection");
    }
  }
  connection_->input().settle();
  return {};
}

void Line::send(std::string_view frame) {
  if (connection_ && !connection_->output().append(frame)) ::shutdown(fd(), SHUT_RDWR);
}

void Line::send_borrowed(std::string_view frame) {
  if (connection_ && !connection_->output().append_borrowed(frame)) ::shutdown(fd(), SHUT_RDWR);
}

void Line::flush() {
  if (!connection_) return;
  constexpr int kWritesAFlush = 8;
  for (int writes = 0; writes < kWritesAFlush && connection_->writable(); ++writes) {
    if (connection_->output().empty() || connection_->send(0) != net::Connection::Sent::kPart) break;
  }
  connection_->output().settle();
}

bool Line::has_more() const {
  if (!connection_) return false;
  return connection_->readable() || (connection_->writable() && connection_->output().backlog() > 0);
}

}  // namespace minivault::replicator
