#include "worker/worker.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"

namespace minivault::worker {
namespace {

/// A client that owes bytes, or does not take its own, gets this long without progress.
constexpr std::uint64_t kProgressTimeoutMs = 30'000;
/// How long what still comes is read away after this side has said its last.
constexpr std::uint64_t kLingerMs = 2'000;
/// Within the 8 s that the supervisor allows.
constexpr std::uint64_t kDrainMs = 7'500;
constexpr std::uint64_t kDrainLookMs = 100;
constexpr std::uint64_t kParkedLookMs = 1'000;
/// A turn that lasts longer is ended; what is left to do is done in the next. Far below the time after which
/// the supervisor takes the process for hung.
constexpr std::uint64_t kLongTurnMs = 50;
/// How long a write may wait for others to be appended with it, while there are others.
constexpr std::uint64_t kGatherNs = 100'000;
/// And for the sync before theirs. A disk that takes longer is not waited for: the log may be full by then.
constexpr std::uint64_t kLongestSyncWaitMs = 20;

/// Two of the largest requests at once, whatever the configuration.
std::size_t memory_limit(const store::Store& store) {
  constexpr std::size_t kUsual = std::size_t{256} << 20;
  return std::max<std::size_t>(kUsual, 2 * (store.largest_value(1) + (std::size_t{2} << 20)));
}

}  // namespace

Worker::Worker(const ChildContext& context, store::Store& store, net::Poller poller, UniqueFd signals)
    : context_(&context),
      poller_(std::move(poller)),
      signals_(std::move(signals)),
      services_(
          context, store, memory_limit(store), SyncSession::memory_limit(store.largest_value(1)),
          [this](Client& client, const WriteOutcome& outcome) { write_settled(client, outcome); },
          [this](Client& client, const QuorumWait& wait, bool reached) {
            quorum_settled(client, wait, reached);
          }),
      peer_calls_(context, poller_, pool_),
      peer_reads_(services_, peer_calls_, [this](Client& client) { go_on(client); }),
      sync_(services_),
      binary_(services_, sync_, peer_reads_),
      http_(services_, peer_reads_),
      acceptor_(context, poller_,
                [this](UniqueFd socket, bool http_only) { accepted(std::move(socket), http_only); }),
      progress_timeouts_(kProgressTimeoutMs),
      linger_timeouts_(kLingerMs) {}

Status Worker::run() {
  shared::Region& region = context_->region;
  shared::ChildSlot& slot = region.slot(context_->slot);
  if (Status watched = poller_.watch_bell(region.bell(context_->slot)); !watched) return watched;
  if (Status watched = poller_.watch_bell(signals_.get()); !watched) return watched;
  if (Status started = acceptor_.start(); !started) return started;
  if (context_->config.io_uring) open_batch();
  // Release: whoever sees the state also sees an empty slot, counted from.
  slot.counters.connections_open.store(0, std::memory_order_relaxed);
  slot.state.store(shared::ChildState::kReady, std::memory_order_release);
  region.ring_supervisor();
  while (stop_requests_ < 2 && !drained()) turn(sleep());
  return {};
}

void Worker::open_batch() {
  if (Result<net::SendBatch> batch = net::SendBatch::create(); batch) {
    batch_ = std::move(*batch);
  } else {
    log_line(LogLevel::kInfo, "sends go one by one", {{"reason", batch.error().message}});
  }
}

void Worker::turn(std::span<const net::Event> events) {
  services_.store.begin_turn();
  const std::uint64_t now_ns = monotonic_ns();
  now_ms_ = now_ns / 1'000'000;
  services_.meter.begin_turn(now_ns);
  for (const net::Event& event : events) notice(event);
  expire();
  services_.quorum.settle();
  services_.settle_times();
  peer_calls_.run(now_ms_);
  peer_reads_.run(now_ms_);
  resume_memory_line();
  send_released();  // before others are served: who gets an answer now may ask in time for the next commit
  serve_ready();
  gather_writes();
  retry_log();
  if (!writes_wait()) settle_writes();
  peer_calls_.send_all();
  send_released();
  services_.meter.end_turn();
  acceptor_.answer_invitation(now_ms_);
  acceptor_.look_again(now_ms_);
  services_.store.end_turn();
}

void Worker::notice(const net::Event& event) {
  if (acceptor_.owns(event.fd)) {
    acceptor_.accept_from(event.fd, now_ms_);
  } else if (event.fd == context_->region.bell(context_->slot)) {
    context_->region.silence(context_->slot);  // what it rang for every turn looks after anyway
  } else if (event.fd == signals_.get()) {
    read_signals();
  } else if (peer_calls_.note(event)) {
    return;  // every turn looks after them
  } else if (Client* client = client_at(event.fd); client != nullptr) {
    client->connection.note(event);
    ready_.push_back(*client);
  }
}

/// A few clients are read before the first of them is served: what they ask for is then fetched into the
/// processor's caches for all at once.
void Worker::serve_ready() {
  while (!ready_.empty() && !turn_is_long()) {
    std::array<Client*, kServedTogether> together;
    std::size_t count = 0;
    while (count < together.size() && !ready_.empty()) {
      Client& client = *ready_.pop_front();
      if (receive(client)) together[count++] = &client;
    }
    const std::span<Client* const> clients = std::span(together).first(count);
    if (count > 1) binary_.look_ahead(clients);
    for (Client* client : clients) advance(*client);
  }
}

/// A few writes, and the last commit is still being synced: theirs could not be before that is done, so they
/// lose nothing by waiting for it, and whoever writes meanwhile shares their append and their sync. Or it is
/// done, and those that it kept waiting are about to write again.
bool Worker::writes_wait() {
  if (!services_.writes.few() || services_.quorum.is_needed()) return false;
  if (now_ms_ >= services_.writes.waits_since_ms() + kLongestSyncWaitMs) return false;
  if (services_.store.failure() != shared::Failure::kNone) return false;
  if (lowest_mark_ != shared::kNoLsn && services_.store.durable() < lowest_mark_) return true;
  return gathering_.expects_more(services_.writes.waiting(), monotonic_ns());
}

/// Who asks while others are served joins their commit. A client that is alone does not wait: the poller says
/// at once that nobody comes.
void Worker::gather_writes() {
  if (writes_wait()) return;  // the next turns gather
  const std::uint64_t until_ns = services_.writes.few() ? monotonic_ns() + kGatherNs : 0;
  while (services_.writes.few() && monotonic_ns() < until_ns) {
    for (const net::Event& event : poller_.wait(0)) notice(event);
    if (ready_.empty()) return;
    serve_ready();
  }
}

/// One read, if the client may be read now. Returns whether it is to be served.
bool Worker::receive(Client& client) {
  touch(client);
  net::Connection& connection = client.connection;
  if (client.lingering) {
    const net::Connection::Received received = connection.discard();
    client.broken =
        received == net::Connection::Received::kEnd || received == net::Connection::Received::kBroken;
    return false;
  }
  const bool may_read =
      client.stopped_at == Progress::kNeedBytes && !client.closing && !client.input_pinned();
  if (may_read && connection.readable() && !must_read_first(client)) {
    const auto request_bytes = static_cast<std::size_t>(client.request_bytes);
    if (connection.receive(request_bytes) == net::Connection::Received::kBroken) client.broken = true;
  }
  return may_read || client.stopped_at == Progress::kGoOn;
}

/// Deals with requests until the client must wait for something, and puts it where it will be found then.
void Worker::advance(Client& client) {
  touch(client);
  client.stopped_at = Progress::kGoOn;
  while (client.stopped_at == Progress::kGoOn && !client.closing && !client.broken) {
    if (must_read_first(client)) break;
    client.stopped_at = step(client);
  }
  count_answers(client, client.connection.output().backlog());
  switch (client.stopped_at) {
    case Progress::kAwaitWrites:
      awaiting_writes_.push_back(client);
      break;
    case Progress::kAwaitRoom:
      awaiting_room_.push_back(client);
      break;
    case Progress::kAwaitLog:
      awaiting_log_.push_back(client);
      break;
    case Progress::kAwaitMemory:
      break;  // in its line already
    case Progress::kGoOn:
    case Progress::kNeedBytes:
    case Progress::kAwaitPeers:
      net::List<Client, LineTag>::remove(client);
      break;
  }
}

Progress Worker::step(Client& client) {
  const std::string_view input = client.connection.input().unread();
  if (input.empty() && !client.input_pinned()) return Progress::kNeedBytes;
  if (client.protocol == Client::Protocol::kUnknown) {
    const auto first = static_cast<std::uint8_t>(input.front());
    const bool http = protocol::is_http_start(first);
    client.protocol = http ? Client::Protocol::kHttp : Client::Protocol::kBinary;
  }
  return client.protocol == Client::Protocol::kHttp ? http_.step(client) : binary_.step(client);
}

void Worker::settle_writes() {
  WriteQueue& writes = services_.writes;
  do {
    writes.commit(now_ms_);
    resume(awaiting_writes_);
    while (writes.has_room() && !awaiting_room_.empty()) advance(*awaiting_room_.front());
  } while (!writes.empty() && !writes.blocked() && !turn_is_long());
}

void Worker::write_settled(Client& client, const WriteOutcome& outcome) {
  touch(client);
  if (client.protocol == Client::Protocol::kHttp) {
    http_.write_settled(client, outcome);
  } else {
    binary_.write_settled(client, outcome);
  }
}

/// The time of some of the client's answers has come, one way or the other.
void Worker::quorum_settled(Client& client, const QuorumWait& wait, bool reached) {
  touch(client);
  if (client.protocol == Client::Protocol::kHttp) {
    http_.quorum_settled(client, wait, reached);
    go_on(client);
  } else {
    binary_.quorum_settled(client, wait, reached);
  }
}

/// What the client waited for is there: it is served in this turn or the next.
void Worker::go_on(Client& client) {
  client.stopped_at = Progress::kGoOn;
  ready_.push_back(client);
}

/// Once each: whoever still finds no room is back in the line, for the next turn.
void Worker::retry_log() {
  net::List<Client, LineTag> waiting;
  while (Client* client = awaiting_log_.pop_front()) waiting.push_back(*client);
  while (Client* client = waiting.pop_front()) advance(*client);
}

void Worker::resume(net::List<Client, LineTag>& line) {
  line.for_each([this](Client& client) {
    if (client.pending_writes == 0) advance(client);
  });
}

void Worker::resume_memory_line() {
  while (Client* first = services_.memory_line.front()) {
    advance(*first);
    if (services_.memory_line.front() == first) break;
  }
  memory_seen_ = services_.memory.taken();
}

bool Worker::turn_is_long() const {
  return monotonic_ms() - now_ms_ > kLongTurnMs;
}

std::span<const net::Event> Worker::sleep() {
  // Before the other, which may go by it: else the end of the one in between would be the other's whole
  // length.
  const std::uint64_t gather_ns = services_.writes.few() ? gathering_.left_ns(monotonic_ns()) : 0;
  const int timeout_ms = sleep_ms();
  return gather_ns > 0 && timeout_ms != 0 ? poller_.wait_ns(gather_ns) : poller_.wait(timeout_ms);
}

/// How long there is nothing to do but for what the poller sees.
int Worker::sleep_ms() {
  const bool parked = !parked_.empty();
  if (parked && !services_.store.ring_when_durable(lowest_mark_)) return 0;
  if (!ready_.empty() || !touched_.empty()) return 0;
  if (!services_.quorum.empty() && !services_.quorum.ring_when_reached()) return 0;
  const bool writes_wait = this->writes_wait();
  if (!services_.writes.empty() && !writes_wait) return services_.writes.blocked() ? 1 : 0;
  if (!awaiting_log_.empty()) return 1;
  if (!services_.memory_line.empty() && services_.memory.taken() < memory_seen_) return 0;

  std::uint64_t next_ms = parked ? now_ms_ + kParkedLookMs : shared::kNoLsn;
  if (!services_.quorum.empty()) next_ms = std::min(next_ms, services_.quorum.next_deadline_ms());
  next_ms = std::min({next_ms, peer_calls_.next_look_ms(now_ms_), peer_reads_.next_look_ms()});
  if (services_.draining) next_ms = std::min(next_ms, now_ms_ + kDrainLookMs);
  if (writes_wait) next_ms = std::min(next_ms, services_.writes.waits_since_ms() + kLongestSyncWaitMs);
  for (const auto& deadline : {progress_timeouts_.next_deadline_ms(), linger_timeouts_.next_deadline_ms(),
                               acceptor_.next_look_ms()}) {
    next_ms = std::min(next_ms, deadline.value_or(next_ms));
  }
  if (next_ms == shared::kNoLsn) return net::Poller::kWaitForever;
  const std::uint64_t now_ms = monotonic_ms();
  return next_ms <= now_ms ? 0 : static_cast<int>(next_ms - now_ms);
}

void Worker::read_signals() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) ++stop_requests_;
  if (stop_requests_ > 0 && !services_.draining) start_draining();
}

void Worker::start_draining() {
  log_line(LogLevel::kInfo, "draining", {{"connections", client_count_}});
  services_.draining = true;
  drain_until_ms_ = now_ms_ + kDrainMs;
  context_->region.slot(context_->slot).state.store(shared::ChildState::kDraining, std::memory_order_release);
  acceptor_.stop();
}

/// Whether a drain that was asked for has come to its end.
bool Worker::drained() {
  if (!services_.draining) return false;
  if (client_count_ == 0) return true;
  if (now_ms_ >= drain_until_ms_) {
    log_line(LogLevel::kWarning, "drain ends with connections left", {{"connections", client_count_}});
    return true;
  }
  for (const auto& client : clients_) {
    if (client != nullptr) touch(*client);
  }
  return false;
}

}  // namespace minivault::worker
