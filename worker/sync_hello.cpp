// Hello and pulse: who calls, whether it is believed, and what it is told of this node.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "common/cluster/notes.h"
#include "common/core/clock.h"
#include "worker/peer_text.h"
#include "worker/sync_session.h"

namespace minivault::worker {
namespace {

using cluster::Reply;

/// A node that is heard from more often than this is alive (pulses come every 200 ms).
constexpr std::uint64_t kAliveMs = 1'000;

std::uint64_t wall_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

/// Where the caller calls from, as host; empty: from this machine.
std::string remote_host(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    const std::string host = text.data();
    return cluster::is_loopback_name(host) ? std::string() : host;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  constexpr std::uint8_t kLoopbackNet = 127;
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == kLoopbackNet;
  if (mapped || IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr)) return {};
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  return '[' + std::string(text.data()) + ']';
}

/// A loopback name means this machine to whoever says it, so heard from another it is of no use.
std::string reachable_address(const std::string& told, int socket) {
  const std::size_t colon = told.rfind(':');
  if (colon == std::string::npos || !cluster::is_loopback_name(told)) return told;
  const std::string host = remote_host(socket);
  return host.empty() ? told : host + told.substr(colon);
}

}  // namespace

void SyncSession::hello(Client& client, std::string_view message) {
  const Result<cluster::Hello> decoded = cluster::decode_hello(message);
  if (!decoded) return refuse(client, Reply::kMalformed, decoded.error().message);
  Result<cluster::MemberSet> known = members(client);
  if (!known) return refuse(client, Reply::kCannotWrite, known.error().message);
  if (!accept_caller(client, *decoded, *known)) return;
  Result<cluster::Position> position = position_in(client, decoded->id);
  const Result<store::Found> members_note = services_->store.note(cluster::kMembersNote);
  if (!position) return refuse(client, Reply::kCannotWrite, position.error().message);
  if (!members_note) return refuse(client, Reply::kCannotWrite, members_note.error().message);

  const Result<bool> has_agreed = this->has_agreed(client);
  if (!has_agreed) return refuse(client, Reply::kCannotWrite, has_agreed.error().message);

  SyncState& state = *client.sync;
  state.id = decoded->id != 0 ? decoded->id : own_id();  // whoever only asks may have no id yet
  state.epoch = decoded->epoch;
  state.introduced = !decoded->dial_back;
  state.is_member = known->find(decoded->id) != nullptr;
  state.joined_hlc = members_note->version.hlc;
  state.members_digest = known->digest();
  state.next.reset();
  if (state.introduced) introduce(client, *decoded);

  cluster::HelloReply answer;
  answer.id = own_id();
  answer.epoch = board().epoch.load(std::memory_order_acquire);
  answer.previous_epoch = board().previous_epoch.load(std::memory_order_relaxed);
  answer.address = services_->config.public_url;
  answer.clock_us = wall_us();
  answer.largest_value = services_->store.largest_value(1);
  answer.position = *position;
  answer.complete = board().complete.load(std::memory_order_acquire) != 0;
  answer.has_agreed = *has_agreed;
  answer.members = std::move(*known);
  reply(client, cluster::encode(answer));
}

/// From the note: the board does not know it before the replicator runs.
Result<bool> SyncSession::has_agreed(Client& client) {
  const Result<std::string_view> value = note(client, cluster::kAgreedNote);
  if (!value) return tl::unexpected(value.error());
  if (value->empty()) return false;
  const Result<cluster::MemberSet> agreed = cluster::MemberSet::decode(*value);
  if (!agreed) return tl::unexpected(agreed.error());
  return cluster::has_agreed(*agreed, own_id());
}

/// False: it was refused.
bool SyncSession::accept_caller(Client& client, const cluster::Hello& hello,
                                const cluster::MemberSet& known) {
  const std::uint64_t epoch = board().epoch.load(std::memory_order_acquire);
  if (hello.version != cluster::kProtocolVersion) {
    refuse(client, Reply::kOtherVersion,
           "the peer speaks version " + std::to_string(cluster::kProtocolVersion) +
               " of the protocol between nodes and was called in version " + std::to_string(hello.version) +
               ": run one release on all nodes");
    return false;
  }
  if (epoch == 0) {
    refuse(client, Reply::kBusy, "this node is starting");
    return false;
  }
  if (hello.id == own_id()) {
    const bool itself = hello.epoch == epoch;
    // Of two live holders of an id the one that reaches a majority goes on: who does not has nothing to say.
    const std::uint32_t needed = board().needed.load(std::memory_order_relaxed);
    const bool has_majority = needed != shared::kNotYetKnown &&
                              board().reachable.load(std::memory_order_relaxed) >= needed &&
                              board().id_taken.load(std::memory_order_relaxed) == 0;
    if (!itself && !has_majority) {
      refuse(client, Reply::kBusy, "two live nodes have the id " + cluster::id_text(hello.id));
      return false;
    }
    refuse(client, itself ? Reply::kItself : Reply::kIdTaken,
           itself ? "you are calling yourself" : "this node has that id: " + cluster::id_text(hello.id));
    return false;
  }
  if (!hello.dial_back && hello.address.find(':') == std::string::npos) {
    refuse(client, Reply::kMalformed, "the address of a hello is host:port");
    return false;
  }
  if (known.is_forgotten(hello.id)) {
    refuse_forgotten(client, hello.id);
    return false;
  }
  const OtherHolder other = other_holder(hello, reachable_address(hello.address, client.connection.fd()));
  if (other == OtherHolder::kMayBeGone) {
    refuse(client, Reply::kBusy, "your last life may not be over: its connections are not");
  } else if (other == OtherHolder::kLives) {
    refuse(client, Reply::kIdTaken, "another live node has the id " + cluster::id_text(hello.id));
  }
  return other == OtherHolder::kNone;
}

/// A node that was killed and starts again may be back before its old connections are known to be dead. Only
/// who is heard from long after the newcomer came lives beside it.
SyncSession::OtherHolder SyncSession::other_holder(const cluster::Hello& hello, const std::string& address) {
  const std::uint64_t now_ms = monotonic_ms();
  const auto is_contest = [&](const Contest& contest) {
    return contest.id == hello.id && contest.epoch == hello.epoch;
  };
  for (const shared::PeerPlace& peer : board().peers) {
    if (hello.id == 0 || peer.node_id.load(std::memory_order_relaxed) != hello.id) continue;
    const std::uint64_t other = peer.last_epoch.load(std::memory_order_acquire);
    const std::uint64_t heard_ms = peer.last_heard_ms.load(std::memory_order_relaxed);
    const bool is_fork = hello.previous_epoch != other && read_text(peer, peer.address) != address;
    const bool is_there = peer.epoch.load(std::memory_order_acquire) != 0;
    const std::uint64_t patience_ms = is_fork ? shared::kForkSilenceMs : is_there ? kAliveMs : 0;
    if (other == 0 || other == hello.epoch || now_ms >= heard_ms + patience_ms) continue;
    const auto contest = std::find_if(contests_.begin(), contests_.end(), is_contest);
    if (contest != contests_.end()) {
      return heard_ms >= contest->since_ms + kAliveMs ? OtherHolder::kLives : OtherHolder::kMayBeGone;
    }
    if (contests_.size() == kMostContests) contests_.erase(contests_.begin());
    contests_.push_back({hello.id, hello.epoch, now_ms});
    return OtherHolder::kMayBeGone;
  }
  std::erase_if(contests_, is_contest);
  return OtherHolder::kNone;
}

void SyncSession::introduce(Client& client, const cluster::Hello& hello) const {
  using shared::Introduction;
  const std::string address = reachable_address(hello.address, client.connection.fd());
  for (Introduction& place : services_->state.cluster.introductions) {
    std::uint32_t free = Introduction::kFree;
    if (address.size() >= sizeof place.address ||
        !place.state.compare_exchange_strong(free, Introduction::kBeingWritten, std::memory_order_acquire)) {
      continue;
    }
    place.node_id = hello.id;
    place.epoch = hello.epoch;
    place.address[address.copy(place.address, sizeof place.address - 1)] = '\0';
    place.state.store(Introduction::kThere, std::memory_order_release);
    break;
  }
  services_->store.region().ring_role(shared::Role::kReplicator);
}

void SyncSession::pulse(Client& client) {
  shared::State& node = services_->state;
  cluster::PulseReply answer;
  answer.id = own_id();
  answer.epoch = board().epoch.load(std::memory_order_acquire);
  answer.clock_us = wall_us();
  answer.floor_hlc = node.limits.tombstone_floor_hlc.load(std::memory_order_relaxed);
  answer.complete = board().complete.load(std::memory_order_acquire) != 0;
  // The clock value before the tail: every record of this node up to it lies below.
  const bool vouches = board().vouched_from.load(std::memory_order_acquire) != 0;
  const std::uint64_t hlc = vouches ? node.append.last_hlc.load(std::memory_order_acquire) : 0;
  const shared::Lsn tail = node.marks.tail.load(std::memory_order_acquire);
  answer.held.push_back({answer.id, {answer.epoch, tail, hlc}});
  // The set after the clock value: whoever comes in later comes in above it (SyncSession::guard_against()).
  const Result<cluster::MemberSet> known = members(client);
  if (!known) return refuse(client, Reply::kCannotWrite, known.error().message);
  answer.members_digest = known->digest();
  answer.agreed = board().agreed_digest.load(std::memory_order_acquire) == answer.members_digest;
  answer.agreed_version = board().agreed_version.load(std::memory_order_relaxed);
  answer.backs =
      answer.agreed || board().backed_digest.load(std::memory_order_relaxed) == answer.members_digest;
  const Result<std::string_view> settled = note(client, cluster::kSettledNote);
  if (settled && !settled->empty()) {
    if (const auto decoded = cluster::decode_settled(*settled)) answer.settled = decoded->told;
  }
  for (const cluster::NodeId origin : cluster::origins_of(*known)) {
    if (origin == answer.id) continue;
    const Result<cluster::Position> position = position_in(client, origin);
    if (position && position->epoch != 0) answer.held.push_back({origin, *position});
  }
  reply(client, cluster::encode(answer));
}

}  // namespace minivault::worker
