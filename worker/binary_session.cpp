#include "worker/binary_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/core/clock.h"

namespace minivault::worker {
namespace {

using protocol::BinaryParse;
using protocol::BinaryRequest;
using protocol::Opcode;
using shared::Op;
using shared::Told;

bool is_write(Opcode opcode) {
  return opcode == Opcode::kSet || opcode == Opcode::kDelete;
}

Access access_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::kGet:
      return Access::kRead;
    case Opcode::kSet:
    case Opcode::kDelete:
      return Access::kWrite;
    case Opcode::kSync:
      return Access::kPeer;
    case Opcode::kHealth:
    case Opcode::kAuth:
      return Access::kPublic;
  }
  return Access::kPeer;
}

Op op_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::kGet:
      return Op::kGet;
    case Opcode::kSet:
      return Op::kSet;
    case Opcode::kDelete:
      return Op::kDelete;
    case Opcode::kSync:
      return Op::kSync;
    case Opcode::kHealth:
      return Op::kHealth;
    case Opcode::kAuth:
      return Op::kAuth;
  }
  return Op::kOther;
}

void finish_request(Client& client, std::size_t size) {
  client.connection.input().consume(size);
  client.request_bytes = 0;
  client.admitted = false;
}

}  // namespace

Progress BinarySession::step(Client& client) {
  if (client.skip_bytes > 0) return skip(client);
  if (get_many(client)) return Progress::kGoOn;
  const std::string_view input = client.connection.input().unread();
  BinaryRequest request;
  // The key's own length is judged with the whole request in hand (carry_out).
  const std::uint64_t largest = services_->store.largest_value(1);
  const protocol::BinaryLimits limits{largest, SyncSession::largest_message(largest)};
  const BinaryParse parsed = protocol::parse_binary(input, limits, request);
  switch (parsed.kind) {
    case BinaryParse::Kind::kNeedMore:
      return await_bytes(client, request, parsed.size);
    case BinaryParse::Kind::kRequest:
      return carry_out(client, request, static_cast<std::size_t>(parsed.size));
    case BinaryParse::Kind::kSkip:
      if (is_large_message(client, request, parsed.size, limits.largest_message)) {
        if (client.pending_writes > 0) return Progress::kAwaitWrites;
        client.request_bytes = 0;
        client.skipped_message_bytes = client.skip_bytes = parsed.size;
        return Progress::kGoOn;
      }
      return start_skip(client, parsed.size, op_of(request.opcode),
                        request.key.empty() ? Told::kInvalid : Told::kTooLarge);
    case BinaryParse::Kind::kBad:
      break;
  }
  if (client.pending_writes > 0) return Progress::kAwaitWrites;
  count(Op::kOther, Told::kInvalid);
  answer_error(client);
  client.closing = true;
  return Progress::kGoOn;
}

void BinarySession::look_ahead(std::span<Client* const> clients) const {
  std::array<std::string_view, store::Store::kMostAtOnce> keys;
  std::size_t count = 0;
  for (Client* client : clients) {
    const std::string_view key = protocol::get_key_in_front(client->connection.input().unread());
    if (!key.empty()) keys[count++] = key;
  }
  services_->store.look_ahead(std::span(keys).first(count));
}

Progress BinarySession::skip(Client& client) {
  net::InputBuffer& input = client.connection.input();
  const auto now =
      static_cast<std::size_t>(std::min<std::uint64_t>(client.skip_bytes, input.unread().size()));
  input.consume(now);
  client.skip_bytes -= now;
  if (client.skip_bytes > 0) return Progress::kNeedBytes;
  if (const std::uint64_t bytes = std::exchange(client.skipped_message_bytes, 0); bytes > 0) {
    sync_->answer_too_large(client, bytes);
  } else if (std::exchange(client.fail_after_skip, false)) {
    answer_error(client);
  }
  return Progress::kGoOn;
}

Progress BinarySession::await_bytes(Client& client, const BinaryRequest& request, std::uint64_t size) {
  client.request_bytes = size;
  if (size <= kSmallBytes) return Progress::kNeedBytes;
  // The key is only filled in when `size` is that of the whole request.
  const bool hopeless = !request.key.empty() && is_hopeless(client, request.opcode);
  if (hopeless) return start_skip(client, size, op_of(request.opcode), Told::kUnauthorized);
  if (!services_->reserve(client, client.request_memory,
                          std::max<std::uint64_t>(size, net::BlockPool::kBlockBytes))) {
    return Progress::kAwaitMemory;
  }
  return Progress::kNeedBytes;
}

/// Will be refused whatever else it says, so its value need not be kept.
bool BinarySession::is_hopeless(const Client& client, Opcode opcode) const {
  return services_->access.needs_key(access_of(opcode)) && !client.authorized;
}

/// Of a node that was let in: FF would say to it that its key is wrong.
bool BinarySession::is_large_message(const Client& client, const BinaryRequest& request, std::uint64_t size,
                                     std::uint64_t largest) const {
  const std::uint64_t head = protocol::kBinaryPrefixBytes + request.key.size() + protocol::kBinaryValueBytes;
  return request.opcode == Opcode::kSync && !request.key.empty() && size > head + largest &&
         SyncSession::has_said_hello(client) && !is_hopeless(client, request.opcode);
}

Progress BinarySession::start_skip(Client& client, std::uint64_t size, Op op, Told why) {
  if (client.pending_writes > 0) return Progress::kAwaitWrites;
  count(op, why);
  client.request_bytes = 0;
  client.skip_bytes = size;
  client.fail_after_skip = true;
  return Progress::kGoOn;
}

Progress BinarySession::carry_out(Client& client, const BinaryRequest& request, std::size_t size) {
  const bool waits = client.pending_writes > 0;
  if (waits && !is_write(request.opcode)) return Progress::kAwaitWrites;
  if (is_write(request.opcode) && !services_->writes.has_room()) return Progress::kAwaitRoom;

  const auto admission = services_->admit(client, access_of(request.opcode), client.authorized);
  if (admission != Services::Admission::kGranted) {
    const bool limited = admission == Services::Admission::kRateLimited;
    return refuse(client, size, op_of(request.opcode), limited ? Told::kLimited : Told::kUnauthorized);
  }
  switch (request.opcode) {
    case Opcode::kGet:
      if (const Progress got = get(client, request.key); got != Progress::kGoOn) return got;
      break;
    case Opcode::kSet:
    case Opcode::kDelete:
      return write(client, request, size);
    case Opcode::kSync:
      return synchronize(client, request, size);
    case Opcode::kHealth:
      answer_health(client);
      break;
    case Opcode::kAuth:
      authenticate(client, request.key);
      break;
  }
  finish_request(client, size);
  return Progress::kGoOn;
}

Progress BinarySession::synchronize(Client& client, const BinaryRequest& request, std::size_t size) {
  const std::uint64_t asked_ns = monotonic_ns();
  const Progress progress = sync_->answer(client, request);
  if (progress == Progress::kGoOn) {
    services_->meter.looked_up({.proto = shared::Proto::kBinary,
                                .op = Op::kSync,
                                .asked_ns = asked_ns,
                                .found_ns = monotonic_ns(),
                                .value_bytes = request.value.size()});
  }
  if (progress == Progress::kGoOn && !client.handed_over) finish_request(client, size);
  return progress;
}

Progress BinarySession::write(Client& client, const BinaryRequest& request, std::size_t size) {
  const Op op = op_of(request.opcode);
  if (services_->quorum.forbids_writes()) return refuse(client, size, op, Told::kUnavailable);
  const std::uint64_t largest = services_->largest_value(request.key.size());
  store::Write write;
  write.key = request.key;
  write.value = request.value;
  std::string plain;
  if (request.opcode == Opcode::kDelete) {
    write.operation = store::Operation::kDelete;
  } else if (request.compressed) {
    Result<std::string> content = services_->decompressor.decompress(request.value, largest);
    if (!content) return refuse(client, size, op, Told::kInvalid);
    plain = std::move(*content);
    write.value = plain;
  } else if (request.value.size() > largest) {
    return refuse(client, size, op, Told::kTooLarge);
  }
  services_->writes.add(client, write, std::move(plain));
  finish_request(client, size);
  return Progress::kGoOn;
}

Progress BinarySession::get(Client& client, std::string_view key) {
  const std::uint64_t asked_ns = monotonic_ns();
  const Result<store::Found> found = services_->store.get(key);
  const std::uint64_t found_ns = monotonic_ns();
  if (found && !found->present && services_->quorum.is_filling()) {
    const PeerReads::Fetched fetched = peer_reads_->fetch(client, key);
    if (fetched == PeerReads::Fetched::kAsked) return Progress::kAwaitPeers;
    if (fetched == PeerReads::Fetched::kNobody) {
      count(Op::kGet, Told::kUnavailable);
      answer_error(client);
      return Progress::kGoOn;
    }
  }
  const std::size_t size = found ? found->value.size() : 0;
  if (size > kSmallBytes && !services_->reserve(client, client.answer_memory, size))
    return Progress::kAwaitMemory;
  client.peer_read.reset();
  if (!found || !services_->will_leave(found->answer_after)) {
    count(Op::kGet, Told::kUnavailable);
    answer_error(client);
    return Progress::kGoOn;
  }
  count(Op::kGet, found->present ? Told::kOk : Told::kNotFound);
  services_->meter.looked_up({.proto = shared::Proto::kBinary,
                              .op = Op::kGet,
                              .asked_ns = asked_ns,
                              .found_ns = found_ns,
                              .key = key,
                              .value_bytes = size});
  services_->hold(client, found->answer_after);
  if (found->present) {
    answer_value(client, *found);
  } else {
    answer_error(client);
  }
  return Progress::kGoOn;
}

/// The usual case in a few steps: GETs that stand in a row at the front are looked up together. False:
/// nothing was done, because the first request there is another, or its answer is not a small value or none.
bool BinarySession::get_many(Client& client) {
  if (client.pending_writes > 0 || client.peer_read ||
      !services_->admits_all(access_of(Opcode::kGet), client.authorized)) {
    return false;
  }
  std::string_view input = client.connection.input().unread();
  std::array<std::string_view, store::Store::kMostAtOnce> keys;
  std::size_t count = 0;
  while (count < keys.size()) {
    keys[count] = protocol::get_key_in_front(input);
    if (keys[count].empty()) break;
    input.remove_prefix(protocol::kBinaryPrefixBytes + keys[count++].size());
  }
  if (count == 0) return false;
  std::array<store::Found, store::Store::kMostAtOnce> found;
  const std::uint64_t asked_ns = monotonic_ns();
  const std::size_t looked = services_->store.get_many(std::span(keys).first(count), found);
  const std::uint64_t found_ns = monotonic_ns();
  const std::size_t answered = answer_many(client, std::span(found).first(looked));
  if (answered == 0) return false;
  services_->meter.looked_up({.proto = shared::Proto::kBinary,
                              .op = Op::kGet,
                              .asked_ns = asked_ns,
                              .found_ns = found_ns,
                              .times = answered,
                              .key = keys[0],
                              .value_bytes = found[0].value.size()});
  const std::string_view last = keys[answered - 1];
  finish_request(client, static_cast<std::size_t>(last.end() - client.connection.input().unread().begin()));
  return true;
}

/// Answers from the front as long as values are small, and not much more than one of the largest small ones
/// together. Returns how many.
std::size_t BinarySession::answer_many(Client& client, std::span<const store::Found> found) {
  net::OutputBuffer& output = client.connection.output();
  const std::size_t enough = output.backlog() + kSmallBytes;
  const bool filling = services_->quorum.is_filling();
  std::size_t answered = 0;
  std::uint64_t missing = 0;
  for (const store::Found& one : found) {
    if (one.value.size() > kSmallBytes || output.backlog() > enough) break;
    if (!one.present && filling) break;
    if (one.answer_after != 0 && !services_->will_leave(one.answer_after)) break;
    if (one.answer_after != 0) services_->hold(client, one.answer_after);
    char* to = output.extend(protocol::kResponseHeadBytes + one.value.size());
    if (to == nullptr) client.broken = true;
    if (to == nullptr) break;
    if (one.present) {
      protocol::write_value(to, one.value);
    } else {
      protocol::write_error(to);
      ++missing;
    }
    ++answered;
  }
  count(Op::kGet, Told::kOk, answered - missing);
  if (missing > 0) count(Op::kGet, Told::kNotFound, missing);
  return answered;
}

/// The request does not happen and its length is known.
Progress BinarySession::refuse(Client& client, std::size_t size, Op op, Told why) {
  if (client.pending_writes > 0) return Progress::kAwaitWrites;
  count(op, why);
  answer_error(client);
  finish_request(client, size);
  return Progress::kGoOn;
}

}  // namespace minivault::worker
