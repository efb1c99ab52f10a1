#include "common/client/connection.h"

#include <array>

#include "common/core/assert.h"
#include "common/protocol/binary.h"

namespace minivault::client {
namespace {

constexpr std::size_t kLargestKey = 65'535;
constexpr std::size_t kLargestLength = 0xffff'ffff;
constexpr std::size_t kReadBytes = 64 << 10;

Status check_key(std::string_view key) {
  if (key.empty()) return fail(Code::kInvalidArgument, "the key is empty");
  if (key.size() > kLargestKey) {
    return fail(Code::kInvalidArgument,
                "the key has " + std::to_string(key.size()) + " bytes, 65535 at most");
  }
  return {};
}

}  // namespace

Result<Connection> Connection::open(const Address& address, const Options& options) {
  auto socket = Socket::connect(address, Deadline(options.connect_timeout));
  if (!socket) return tl::unexpected(socket.error());
  Connection connection(std::move(*socket), options);
  if (!options.auth_key.empty()) {
    if (const Status status = connection.authenticate(); !status) return tl::unexpected(status.error());
  }
  return connection;
}

Status Connection::authenticate() {
  if (options_.auth_key.size() > kLargestKey)
    return fail(Code::kInvalidArgument, "the authentication key is too long");
  protocol::append_auth(outgoing_, options_.auth_key);
  queued(Kind::kAuth);
  return receive().map([](const std::string&) {});
}

Result<std::string> Connection::get(std::string_view key) {
  MV_ASSERT(pending_.empty());
  if (const Status status = queue_get(key); !status) return tl::unexpected(status.error());
  return receive();
}

Status Connection::set(std::string_view key, std::string_view value, Encoding encoding) {
  MV_ASSERT(pending_.empty());
  if (const Status status = queue_set(key, value, encoding); !status) return status;
  return receive().map([](const std::string&) {});
}

Status Connection::remove(std::string_view key) {
  MV_ASSERT(pending_.empty());
  if (const Status status = queue_remove(key); !status) return status;
  return receive().map([](const std::string&) {});
}

Result<std::string> Connection::health() {
  MV_ASSERT(pending_.empty());
  queue_health();
  return receive();
}

Result<std::string> Connection::sync(std::string_view kind, std::string_view message) {
  MV_ASSERT(pending_.empty());
  if (Status status = queue_sync(kind, message); !status) return tl::unexpected(status.error());
  return receive();
}

Status Connection::queue_sync(std::string_view kind, std::string_view message) {
  if (message.size() > kLargestLength) return fail(Code::kTooLarge, "the message has more than 4 GiB");
  protocol::append_sync(outgoing_, kind, message, false);
  queued(Kind::kSync);
  send_more();
  return {};
}

Status Connection::queue_get(std::string_view key) {
  if (const Status status = check_key(key); !status) return status;
  protocol::append_get(outgoing_, key);
  queued(Kind::kGet);
  return {};
}

Status Connection::queue_set(std::string_view key, std::string_view value, Encoding encoding) {
  if (const Status status = check_key(key); !status) return status;
  if (value.size() > kLargestLength) return fail(Code::kTooLarge, "the value has more than 4 GiB");
  protocol::append_set(outgoing_, key, value, encoding == Encoding::kZstdFrame);
  queued(Kind::kWrite);
  return {};
}

Status Connection::queue_remove(std::string_view key) {
  if (const Status status = check_key(key); !status) return status;
  protocol::append_delete(outgoing_, key);
  queued(Kind::kWrite);
  return {};
}

void Connection::queue_health() {
  protocol::append_health(outgoing_);
  queued(Kind::kHealth);
}

void Connection::queued(Kind kind) {
  pending_.push_back({kind, outgoing_start_ + outgoing_.size()});
}

Result<std::string> Connection::receive() {
  MV_ASSERT(!pending_.empty());
  const Deadline deadline(options_.request_timeout);
  while (!broken_) {
    if (auto answer = next_answer()) return std::move(*answer);
    if (broken_) break;
    if (const Status status = exchange(deadline); !status) broken_ = status.error();
  }
  const Pending request = pending_.front();
  pending_.pop_front();
  return lost(request);
}

std::optional<Result<std::string>> Connection::next_answer() {
  using Parse = protocol::ResponseParse::Kind;
  protocol::BinaryResponse response;
  const std::string_view unread = std::string_view(incoming_).substr(consumed_);
  const auto parsed = protocol::parse_response(unread, options_.largest_answer_bytes, response);
  if (parsed.kind == Parse::kBad) broken_ = Error{Code::kCorrupt, "the answer is not one of this protocol"};
  if (parsed.kind != Parse::kResponse) return std::nullopt;

  const Kind kind = pending_.front().kind;
  pending_.pop_front();
  Result<std::string> answer = response.ok ? Result<std::string>(response.value) : refusal(kind);
  consumed_ += parsed.size;
  if (consumed_ == incoming_.size()) {
    incoming_.clear();
    consumed_ = 0;
  }
  return answer;
}

Result<std::string> Connection::refusal(Kind kind) const {
  switch (kind) {
    case Kind::kGet:
      return fail(Code::kNotFound, "not found, or not allowed");
    case Kind::kWrite:
      return fail(Code::kOutcomeUnknown, "not acknowledged: refused, or its quorum was not reached");
    case Kind::kHealth:
      return fail(Code::kUnavailable, "the node does not tell its health");
    case Kind::kSync:
      return fail(Code::kUnavailable, "the node takes no messages from other nodes: is the key right?");
    case Kind::kAuth:
      return fail(Code::kUnauthorized, "the authentication key was refused");
  }
  return fail(Code::kCorrupt, "no such request");
}

Result<std::string> Connection::lost(const Pending& request) const {
  const bool sent_whole = request.end <= outgoing_start_ + sent_;
  if (request.kind == Kind::kWrite && sent_whole) {
    return fail(Code::kOutcomeUnknown, "sent, but not answered: " + broken_->message);
  }
  return tl::unexpected(*broken_);
}

/// Sends and receives what is possible now, after waiting for either to be.
Status Connection::exchange(const Deadline& deadline) {
  send_more();
  if (const Status ready = socket_.wait(!outgoing_.empty(), deadline); !ready) {
    return ready.error().code == Code::kTimedOut ? fail(Code::kTimedOut, "no answer in time") : ready;
  }
  std::array<char, kReadBytes> room;
  const auto count = socket_.read_some(room);
  if (!count) return tl::unexpected(count.error());
  if (*count == 0) return {};
  incoming_.erase(0, std::exchange(consumed_, 0));
  incoming_.append(room.data(), *count);
  return {};
}

/// A failure to send is left to the next read to tell: answers that the node sent before it closed still
/// count.
void Connection::send_more() {
  const auto count = socket_.write_some(std::string_view(outgoing_).substr(sent_));
  if (count) sent_ += *count;
  if (sent_ < outgoing_.size()) return;
  outgoing_start_ += outgoing_.size();
  outgoing_.clear();
  sent_ = 0;
}

bool Connection::usable() const {
  if (broken_) return false;
  if (!pending_.empty()) return true;
  return incoming_.empty() && socket_.quiet();
}

}  // namespace minivault::client
