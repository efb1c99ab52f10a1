// Read, compare and commands: what is asked of a node. Hello and pulse are in sync_hello.cpp; what it is sent
// to be kept is in sync_records.cpp.

#include "worker/sync_session.h"

#include <algorithm>
#include <utility>

#include "common/cluster/notes.h"
#include "worker/compare.h"

namespace minivault::worker {
namespace {

using cluster::Reply;

}  // namespace

Progress SyncSession::answer(Client& client, const protocol::BinaryRequest& request) {
  if (!client.sync) client.sync = std::make_unique<SyncState>();
  SyncState& state = *client.sync;
  if (!state.writing && request.compressed) {
    const std::uint64_t content =
        std::min(largest_content(client), protocol::most_content_bytes(request.value));
    if (!state.memory.extend(services_->sync_memory, content)) return Progress::kAwaitLog;
  }
  const Progress progress = state.writing ? write(client) : answer_new(client, request);
  if (progress != Progress::kAwaitLog) let_go(state);
  return progress;
}

/// Of a stranger's message nothing is unfolded that is larger than a hello.
std::uint64_t SyncSession::largest_content(const Client& client) const {
  return has_said_hello(client) ? largest_message(services_->store.largest_value(1)) : kLargestHello;
}

/// Nothing of what a message took stays with its connection, however many of these there are.
void SyncSession::let_go(SyncState& state) {
  constexpr std::size_t kKeptRecords = 16 << 10;
  state.writing = false;
  std::string().swap(state.plain);
  store::Batch batch = std::exchange(state.batch, {});
  std::vector<cluster::Record> records = std::exchange(state.records, {});
  state.memory.release();
  if (batch.size() > kKeptRecords || records.capacity() > kKeptRecords) return;
  batch.clear();
  records.clear();
  spare_batch_ = std::move(batch);
  spare_records_ = std::move(records);
}

/// The message itself; none: it was refused.
std::optional<std::string_view> SyncSession::content_of(Client& client,
                                                        const protocol::BinaryRequest& request) {
  if (!request.compressed) return request.value;
  const bool is_stranger = !has_said_hello(client);
  if (is_stranger && request.key != cluster::kHello) {
    refuse(client, Reply::kSayHelloFirst, "a connection begins with a hello");
    return std::nullopt;
  }
  const std::uint64_t largest = largest_content(client);
  Result<std::string> plain = services_->decompressor.decompress(request.value, largest);
  if (plain) return client.sync->plain = std::move(*plain);
  if (plain.error().code == Code::kTooLarge && !is_stranger) {
    answer_too_large(client, std::max(largest + 1, protocol::stated_content_size(request.value)));
  } else {
    refuse(client, Reply::kMalformed, plain.error().message);
  }
  return std::nullopt;
}

Progress SyncSession::answer_new(Client& client, const protocol::BinaryRequest& request) {
  const SyncState& state = *client.sync;
  const std::optional<std::string_view> content = content_of(client, request);
  if (!content) return Progress::kGoOn;
  const std::string_view message = *content;
  if (request.key == cluster::kHello) {
    hello(client, message);
  } else if (state.id == 0) {
    refuse(client, Reply::kSayHelloFirst, "a connection begins with a hello");
  } else if (was_forgotten_since(client)) {
    refuse_forgotten(client, state.id);
  } else if (request.key == cluster::kBatch) {
    return batch(client, message);
  } else if (request.key == cluster::kPush) {
    return push(client, message);
  } else if (request.key == cluster::kPulse) {
    if (const auto pulse_message = cluster::decode_pulse(message); !pulse_message) {
      refuse(client, Reply::kMalformed, pulse_message.error().message);
    } else {
      pulse(client);
    }
  } else if (request.key == cluster::kRead) {
    read(client, message);
  } else if (request.key == cluster::kDebt) {
    debt(client);
  } else if (request.key == cluster::kCompare) {
    return compare(client, request);
  } else if (request.key == cluster::kRepair) {
    repair(client);
  } else if (request.key == cluster::kForget) {
    forget(client, message);
  } else {
    refuse(client, Reply::kMalformed, "unknown kind of message");
  }
  return Progress::kGoOn;
}

/// A hello is good for the set that it was judged by, whichever has been published meanwhile: whoever is
/// forgotten since is refused from then on.
bool SyncSession::was_forgotten_since(Client& client) {
  SyncState& state = *client.sync;
  if (board().members_digest.load(std::memory_order_acquire) == state.members_digest) return false;
  const Result<cluster::MemberSet> known = members(client);
  if (!known) return false;  // whatever it asks for fails for the same reason
  if (known->is_forgotten(state.id)) return true;
  state.members_digest = known->digest();
  return false;
}

void SyncSession::refuse_forgotten(Client& client, cluster::NodeId id) {
  refuse(client, Reply::kForgotten, cluster::id_text(id) + " was removed from the cluster");
}

void SyncSession::read(Client& client, std::string_view key) {
  if (key.empty() || key.size() > store::kLargestKey) {
    return refuse(client, Reply::kMalformed, "a read names a key of 1 to 65535 bytes");
  }
  const Result<store::Found> found = services_->store.get(key);
  if (!found || !services_->will_leave(found->answer_after)) {
    return refuse(client, Reply::kCannotWrite, found ? "the log cannot be synced" : found.error().message);
  }
  services_->hold(client, found->answer_after);
  using State = cluster::ReadReply::State;
  cluster::ReadReply answer;
  answer.state = found->present ? State::kPresent : found->known ? State::kDeleted : State::kAbsent;
  answer.complete = !services_->quorum.is_filling();
  answer.members_digest = board().members_digest.load(std::memory_order_acquire);
  answer.flags = found->flags;
  answer.version = found->version;
  answer.value = found->value;
  reply(client, cluster::encode(answer));
}

void SyncSession::debt(Client& client) {
  const Result<std::string_view> owed = note(client, cluster::debt_note(client.sync->id));
  if (!owed) return refuse(client, Reply::kCannotWrite, owed.error().message);
  reply(client, cluster::encode_debt_reply(!owed->empty()));
}

/// The rest of the conversation is the comparison, which a process of its own has with the peer.
Progress SyncSession::compare(Client& client, const protocol::BinaryRequest& request) {
  // Its process has the socket, and not what was read from it.
  const std::string_view input = client.connection.input().unread();
  const bool is_last = request.value.data() + request.value.size() == input.data() + input.size();
  if (!request.value.empty() || !is_last) {
    refuse(client, Reply::kMalformed,
           "a comparison is opened without a word, and answered before it goes on");
    return Progress::kGoOn;
  }
  if (!client.connection.output().empty()) {
    refuse(client, Reply::kBusy, "a comparison wants a connection without unread answers");
    return Progress::kGoOn;
  }
  const Status serving =
      serve_comparison(services_->config, services_->store.region(), client.connection.fd());
  if (serving) {
    client.handed_over = client.broken = true;
  } else {
    refuse(client, Reply::kBusy, serving.error().message);
  }
  return Progress::kGoOn;
}

void SyncSession::repair(Client& client) {
  services_->state.cluster.repair_requested.fetch_add(1, std::memory_order_relaxed);
  services_->store.region().ring_role(shared::Role::kReplicator);
  reply(client, std::string_view("\0", 1));
}

/// Whom this node was ever told of: a mistyped id would be remembered for ever, and nobody would be gone.
bool SyncSession::has_heard_of(Client& client, cluster::NodeId id) {
  const Result<cluster::MemberSet> known = members(client);
  if (known && (known->find(id) != nullptr || known->is_forgotten(id))) return true;
  return std::any_of(std::begin(board().peers), std::end(board().peers), [id](const shared::PeerPlace& peer) {
    return peer.node_id.load(std::memory_order_relaxed) == id;
  });
}

/// The replicator alone changes the member set.
void SyncSession::forget(Client& client, std::string_view id) {
  const std::optional<cluster::NodeId> node = cluster::parse_id(id);
  if (!node || *node == 0) return refuse(client, Reply::kMalformed, "an id has 16 hexadecimal digits");
  if (*node == own_id()) return refuse(client, Reply::kItself, "a node does not forget itself");
  if (!has_heard_of(client, *node)) {
    return refuse(client, Reply::kMalformed,
                  cluster::id_text(*node) + " is no member here: `minivault cluster` shows who is");
  }
  if (const Result<cluster::MemberSet> known = members(client); known && known->is_full_for(*node)) {
    return refuse(client, Reply::kMalformed, cluster::text_of_too_many_forgotten());
  }
  std::uint64_t nobody = 0;
  if (!services_->state.cluster.forget_requested.compare_exchange_strong(nobody, *node) && nobody != *node) {
    return refuse(client, Reply::kBusy, "another node is being forgotten; try again");
  }
  services_->store.region().ring_role(shared::Role::kReplicator);
  reply(client, std::string_view("\0", 1));
}

Result<std::string_view> SyncSession::note(Client& client, std::string_view name) {
  const Result<store::Found> found = services_->store.note(name);
  if (!found) return tl::unexpected(found.error());
  services_->hold(client, found->answer_after);
  return found->value;
}

Result<cluster::Position> SyncSession::position_in(Client& client, cluster::NodeId origin) {
  const Result<std::string_view> value = note(client, cluster::position_note(origin));
  if (!value) return tl::unexpected(value.error());
  return value->empty() ? cluster::Position{} : cluster::decode_position(*value);
}

Result<cluster::MemberSet> SyncSession::members(Client& client) {
  const Result<std::string_view> value = note(client, cluster::kMembersNote);
  if (!value) return tl::unexpected(value.error());
  return cluster::decode_members(*value);
}

/// Published replicators read status FF as "wrong key": a refusal is an answer like others.
void SyncSession::refuse(Client& client, Reply reason, std::string_view text) {
  reply(client, cluster::encode_refusal(reason, text), shared::Told::kUnavailable);
}

void SyncSession::reply(Client& client, std::string_view message, shared::Told told) {
  services_->meter.count(shared::Proto::kBinary, shared::Op::kSync, told);
  std::string& scratch = services_->scratch;
  scratch.clear();
  protocol::append_value_header(scratch, static_cast<std::uint32_t>(message.size()));
  services_->append(client, scratch);
  services_->append(client, message);
}

}  // namespace minivault::worker
