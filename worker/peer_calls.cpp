#include "worker/peer_calls.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/cluster/message.h"
#include "common/core/clock.h"
#include "common/protocol/binary.h"

namespace minivault::worker {
namespace {

/// A connection that nobody needed for so long is closed.
constexpr std::uint64_t kIdleMs = 60'000;
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
/// Of an answer: the largest value there can be, and what is around it.
constexpr std::uint64_t kLargestAnswer = std::uint64_t{1} << 31U;

}  // namespace

PeerCalls::Line& PeerCalls::line_to(const std::string& address) {
  for (const auto& line : lines_) {
    if (line->address == address) return *line;
  }
  lines_.push_back(std::make_unique<Line>(address));
  return *lines_.back();
}

void PeerCalls::call(const std::string& address, std::string_view kind, std::string_view message,
                     Answered answered) {
  Line& line = line_to(address);
  line.used_ms = monotonic_ms();
  if (!line.connection) {
    if (!line.dialer) line.dialer.emplace(*poller_, address);
    if (line.waiting.empty()) greet(line);
  }
  protocol::append_sync(line.unsent, kind, message, false);
  line.waiting.push_back({std::move(answered), line.used_ms});
}

/// What every connection says first. The answers are looked at like all others: a refusal ends the line.
void PeerCalls::greet(Line& line) {
  const auto ignored = [](const Result<std::string_view>&) {};
  if (!context_->config.auth_key.empty()) {
    protocol::append_auth(line.unsent, context_->config.auth_key);
    line.waiting.push_back({ignored, line.used_ms});
  }
  const shared::State& state = context_->region.state();
  cluster::Hello hello;
  hello.dial_back = true;
  hello.id = state.limits.node_id.load(std::memory_order_relaxed);
  hello.epoch = state.cluster.epoch.load(std::memory_order_acquire);
  hello.address = context_->config.public_url;
  hello.clock_us = wall_ms() * 1'000U;
  protocol::append_sync(line.unsent, cluster::kHello, cluster::encode(hello), false);
  line.waiting.push_back({ignored, line.used_ms});
}

bool PeerCalls::note(const net::Event& event) {
  for (const auto& line : lines_) {
    if (line->connection && line->connection->fd() == event.fd) {
      line->connection->note(event);
      return true;
    }
    if (line->dialer && line->dialer->fd() == event.fd) {
      line->dialer->note(event);
      return true;
    }
  }
  return false;
}

void PeerCalls::run(std::uint64_t now_ms) {
  // By index: an answer may lead to a call, and that to a new line.
  for (std::size_t i = 0; i < lines_.size(); ++i) run(*lines_[i], now_ms);
  std::erase_if(lines_, [this, now_ms](const auto& line) {
    if (!line->waiting.empty() || now_ms < line->used_ms + kIdleMs) return false;
    close(*line);
    return true;
  });
}

void PeerCalls::run(Line& line, std::uint64_t now_ms) {
  Status well = line.dialer ? dial(line, now_ms) : Status();
  if (well && line.connection) well = receive(line);
  const auto timeout_ms = static_cast<std::uint64_t>(context_->config.write_timeout.count());
  if (well && !line.waiting.empty() && now_ms >= line.waiting.front().since_ms + timeout_ms) {
    well = fail(Code::kTimedOut, line.address + " does not answer");
  }
  if (!well) hang_up(line, well.error());
}

Status PeerCalls::dial(Line& line, std::uint64_t now_ms) {
  Result<UniqueFd> socket = line.dialer->run(now_ms);
  if (!socket) return tl::unexpected(socket.error());
  if (!*socket) return {};
  line.dialer.reset();
  line.connection = std::make_unique<net::Connection>(std::move(*socket), *pool_);
  if (!line.waiting.empty()) return {};
  line.used_ms = now_ms;  // whoever called has given up meanwhile; the next one finds it greeted
  greet(line);
  return {};
}

Status PeerCalls::receive(Line& line) {
  while (line.connection->readable()) {
    const net::Connection::Received received = line.connection->receive(line.answer_bytes);
    if (Status told = tell_answers(line); !told) return told;
    if (received == net::Connection::Received::kEnd || received == net::Connection::Received::kBroken) {
      return fail(Code::kUnavailable, line.address + " cannot be reached, or closed the connection");
    }
  }
  line.connection->input().settle();
  return {};
}

Status PeerCalls::tell_answers(Line& line) {
  net::InputBuffer& input = line.connection->input();
  while (!input.empty()) {
    protocol::BinaryResponse response;
    const auto parsed = protocol::parse_response(input.unread(), kLargestAnswer, response);
    using Kind = protocol::ResponseParse::Kind;
    line.answer_bytes = parsed.kind == Kind::kNeedMore ? static_cast<std::size_t>(parsed.size) : 0;
    if (parsed.kind == Kind::kNeedMore) return {};
    if (parsed.kind == Kind::kBad || line.waiting.empty()) {
      return fail(Code::kUnavailable, line.address + " answers in another protocol");
    }
    if (!response.ok) return fail(Code::kUnavailable, line.address + " refuses: is its key another?");
    const Answered answered = std::move(line.waiting.front().answered);
    line.waiting.pop_front();
    answered(response.value);
    input.consume(static_cast<std::size_t>(parsed.size));
  }
  return {};
}

/// A process that was just forked may have a copy of the socket: it would stay among the watched, under a
/// number that is nobody's, or another's.
void PeerCalls::close(Line& line) {
  if (line.connection) poller_->forget(line.connection->fd());
  line.connection.reset();
  line.dialer.reset();
}

/// A look-up goes on: the next call would wait for one that takes as long.
void PeerCalls::hang_up(Line& line, const Error& why) {
  if (why.code != Code::kTimedOut || !line.dialer || !line.dialer->waits_for_name()) close(line);
  line.unsent.clear();
  line.answer_bytes = 0;
  const std::deque<Waiting> lost = std::exchange(line.waiting, {});
  for (const Waiting& waiting : lost) waiting.answered(tl::unexpected(why));
}

void PeerCalls::send_all() {
  for (const auto& line : lines_) {
    if (!line->connection) continue;
    net::OutputBuffer& output = line->connection->output();
    if (!line->unsent.empty() && !output.append(line->unsent)) {
      hang_up(*line, {Code::kUnavailable, "no memory"});
      continue;
    }
    line->unsent.clear();
    // What breaks here is seen by the next receive().
    if (!output.empty()) (void)line->connection->send(0);
    output.settle();
  }
}

std::uint64_t PeerCalls::next_look_ms(std::uint64_t now_ms) const {
  const auto timeout_ms = static_cast<std::uint64_t>(context_->config.write_timeout.count());
  std::uint64_t next_ms = kNever;
  for (const auto& line : lines_) {
    if (line->dialer) next_ms = std::min(next_ms, line->dialer->next_look_ms(now_ms));
    if (!line->waiting.empty()) next_ms = std::min(next_ms, line->waiting.front().since_ms + timeout_ms);
  }
  return next_ms;
}

}  // namespace minivault::worker
