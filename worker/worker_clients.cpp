// The part of a Worker that looks after its clients around their requests: how they come, how their answers
// leave or are parked, and how they go.

#include <algorithm>
#include <limits>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "worker/worker.h"

namespace minivault::worker {
namespace {

/// A connection that was accepted just before the drain gets this long to say what it came for.
constexpr std::uint64_t kDrainGraceMs = 1'000;
/// Whoever holds a part of the memory budget must move at least this much within the time-out.
constexpr std::uint64_t kFairProgressBytes = 64 * 1024;

}  // namespace

void Worker::accepted(UniqueFd socket, bool http_only) {
  const int fd = socket.get();
  if (Status watched = poller_.watch_stream(fd); !watched) {
    log_line(LogLevel::kWarning, "connection refused", {{"error", watched.error().message}});
    return;
  }
  const auto place = static_cast<std::size_t>(fd);
  if (place >= clients_.size()) clients_.resize(place + 1);
  clients_[place] = std::make_unique<Client>(std::move(socket), pool_, http_only);
  clients_[place]->accepted_ms = now_ms_;
  ++client_count_;
  shared::add(services_.counters.connections_accepted, 1);
  shared::add(services_.counters.connections_open, 1);
}

/// nullptr: none has that descriptor.
Client* Worker::client_at(int fd) const {
  const auto place = static_cast<std::size_t>(fd);
  return place < clients_.size() ? clients_[place].get() : nullptr;
}

void Worker::destroy(Client& client) {
  memory_seen_ = std::numeric_limits<std::size_t>::max();  // whoever stood behind it in the line may try
  // Another process's copy of the socket would keep it among the watched.
  if (client.handed_over) poller_.forget(client.connection.fd());
  count_answers(client, 0);
  --client_count_;
  shared::add(services_.counters.connections_open, static_cast<std::uint64_t>(-1));
  clients_[static_cast<std::size_t>(client.connection.fd())].reset();
}

void Worker::touch(Client& client) {
  if (!net::List<Client, TouchedTag>::contains(client)) touched_.push_back(client);
}

void Worker::finish_touched() {
  send_together();
  while (Client* client = touched_.pop_front()) finish(*client);
}

/// What many clients wait for leaves by one system call; what remains of it, finish() sends.
void Worker::send_together() {
  const shared::Lsn durable = services_.store.durable();
  const auto sent = [](void* owner, int result) {
    auto& client = *static_cast<Client*>(owner);
    if (!client.connection.sent_together(result)) client.broken = true;
  };
  const auto run = [&] {
    // Told once: from then on there is none.
    if (Status done = batch_.run(sent); !done) {
      log_line(LogLevel::kWarning, "sends go one by one", {{"reason", done.error().message}});
    }
  };
  touched_.for_each([&](Client& client) {
    if (!batch_.available() || client.broken) return;
    if (!client.connection.send_together(durable, batch_, &client)) return;
    client.had_answers = true;
    if (batch_.full()) run();
  });
  run();
}

/// The end of the turn for one client: its answers leave, and nothing of it points into the store any more.
void Worker::finish(Client& client) {
  net::OutputBuffer& output = client.connection.output();
  const bool had_answers = std::exchange(client.had_answers, false) || !output.empty();
  if (!client.broken) send(client);
  if (!client.broken && !output.keep()) client.broken = true;
  park(client);
  if (client.broken) {
    // The write queue still looks at the client's input.
    if (client.pending_writes == 0) destroy(client);
    return;
  }
  if (!client.input_pinned()) client.connection.input().settle();
  output.settle();
  if (output.empty()) client.answer_memory.release();
  count_answers(client, output.backlog());
  if (!client.holds_large_request()) client.request_memory.release();
  if (client.lingering) {
    if (client.connection.readable()) ready_.push_back(client);
    return;
  }
  if (has_said_all(client)) {
    if (!had_answers) return destroy(client);
    client.closing = true;
  }
  if (client.closing && output.empty() && client.pending_writes == 0) return linger(client);
  if (can_go_on(client)) ready_.push_back(client);
  watch_progress(client);
}

void Worker::send(Client& client) {
  const auto sent = client.connection.send(services_.store.durable());
  if (sent == net::Connection::Sent::kBroken) client.broken = true;
}

/// Nothing will come of waiting for this client: it sends no more, or this process takes no more from it.
bool Worker::has_said_all(Client& client) const {
  if (client.stopped_at != Progress::kNeedBytes || client.pending_writes > 0) return false;
  if (client.connection.ended()) return true;
  if (!services_.draining || client.mid_request() || client.connection.readable()) return false;
  const bool newcomer =
      client.connection.bytes_received() == 0 && now_ms_ < client.accepted_ms + kDrainGraceMs;
  return !newcomer;
}

/// Whether there is something to do for the client that the poller will not tell again.
bool Worker::can_go_on(Client& client) const {
  net::Connection& connection = client.connection;
  if (connection.writable() && connection.output().sendable() > 0) return true;
  if (must_read_first(client) || client.closing) return false;
  if (client.stopped_at == Progress::kGoOn) return true;
  // Pinned input is not read; what pins it touches the client again when it is settled.
  return client.stopped_at == Progress::kNeedBytes && connection.readable() && !client.input_pinned();
}

void Worker::count_answers(Client& client, std::size_t waiting) {
  if (client.answer_memory.bytes() > 0) waiting = 0;
  answers_waiting_ += waiting - std::exchange(client.answers_counted, waiting);
}

/// A thousand clients that ask and do not read cost what a few may cost. What they have to send wakes them.
bool Worker::must_read_first(Client& client) const {
  return client.connection.output().backlog() >
         (answers_waiting_ > kManyAnswers ? kFewAnswers : kAnswerBacklog);
}

/// Puts the client among those whose answers wait, or takes it out. What a broken one has, waits for nothing.
void Worker::park(Client& client) {
  const net::OutputBuffer& output = client.connection.output();
  if (client.broken || !output.held()) return net::List<Client, ParkedTag>::remove(client);
  if (!net::List<Client, ParkedTag>::contains(client)) parked_.push_back(client);
  lowest_mark_ = std::min(lowest_mark_, output.next_mark());
}

void Worker::send_released() {
  const std::size_t released = release_parked();
  finish_touched();
  if (released > 0) gathering_.answers_left(released, services_.writes.waiting(), monotonic_ns());
}

/// Returns how many clients' answers may leave now.
std::size_t Worker::release_parked() {
  const shared::Lsn durable = services_.store.durable();
  const bool failed = services_.store.failure() != shared::Failure::kNone;
  if (durable < lowest_mark_ && !failed) return 0;
  lowest_mark_ = shared::kNoLsn;
  std::size_t released = 0;
  parked_.for_each([&](Client& client) {
    const shared::Lsn mark = client.connection.output().next_mark();
    if (mark <= durable) {
      touch(client);
      ++released;
    } else if (failed) {
      // What it waits for will never be: it may neither be told that its write is safe nor that it is not.
      client.broken = true;
      touch(client);
    } else {
      lowest_mark_ = std::min(lowest_mark_, mark);
    }
  });
  return released;
}

/// The conversation is over on this side; what the client still sends is read away before the socket is
/// closed.
void Worker::linger(Client& client) {
  if (client.connection.ended()) return destroy(client);
  client.connection.finish_sending();
  client.lingering = true;
  linger_timeouts_.start(client, now_ms_);
  if (client.connection.readable()) ready_.push_back(client);
}

/// Runs the client's time-out while it owes bytes or does not take its own; progress starts it anew.
void Worker::watch_progress(Client& client) {
  const net::Connection& connection = client.connection;
  const bool holds_memory = client.request_memory.bytes() + client.answer_memory.bytes() > 0;
  const bool owes = client.stopped_at == Progress::kNeedBytes && client.mid_request();
  const bool blocks_others = client.stopped_at == Progress::kAwaitMemory && holds_memory;
  const bool reads_not = client.connection.output().sendable() > 0;
  if (!owes && !blocks_others && !reads_not) return progress_timeouts_.stop(client);

  const std::uint64_t moved = connection.bytes_received() + connection.bytes_sent();
  const std::uint64_t enough = holds_memory ? kFairProgressBytes : 1;
  if (progress_timeouts_.running(client) && moved - client.progress_seen < enough) return;
  client.progress_seen = moved;
  progress_timeouts_.start(client, now_ms_);
}

void Worker::expire() {
  for (net::Timeouts<Client>* timeouts : {&progress_timeouts_, &linger_timeouts_}) {
    while (Client* client = timeouts->expired(now_ms_)) {
      client->broken = true;
      touch(*client);
    }
  }
}

}  // namespace minivault::worker
