#include "worker/acceptor.h"

#include <atomic>
#include <utility>

#include "common/core/log.h"

namespace minivault::worker {

Acceptor::Acceptor(const ChildContext& context, net::Poller& poller, Accepted accepted)
    : context_(&context),
      poller_(&poller),
      accepted_(std::move(accepted)),
      port_(context.port_listener),
      http_(context.http_listener) {}

Status Acceptor::start() {
  if (Status started = port_.start(*poller_); !started) return started;
  if (Status started = http_.start(*poller_); !started) return started;
  aside_until_ms_ = 0;
  return {};
}

void Acceptor::stop() {
  if (std::exchange(stopped_, true)) return;
  for (net::Listener* listener : {&port_, &http_}) {
    listener->stop(*poller_);
    while (take_one(*listener)) {
    }
    listener->close(*poller_);  // while others drain for seconds nobody may be let in to wait for nothing
  }
  if (const auto other = find_fewest()) invite(*other);
}

void Acceptor::accept_from(int fd, std::uint64_t now_ms) {
  if (!stopped_) accept_some(fd == port_.fd() ? port_ : http_, now_ms);
}

void Acceptor::accept_some(net::Listener& listener, std::uint64_t now_ms) {
  for (int i = 0; i < kAcceptsATurn && take_one(listener); ++i) {
    if (now_ms < alone_until_ms_) continue;
    if (const auto other = find_fewest(); other && has_more_than_its_part(*other)) {
      // In this order: the other hears of what still waits here, whose wake-up came to this process.
      step_aside(now_ms);
      return invite(*other);
    }
  }
  if (!listener.short_of_resources()) return;
  if (!std::exchange(shortage_told_, true)) {
    log_line(LogLevel::kWarning, "connections wait: no descriptor or memory for another");
  }
  step_aside(now_ms);
}

bool Acceptor::take_one(net::Listener& listener) {
  UniqueFd socket = listener.accept();
  if (!socket) return false;
  shortage_told_ = false;
  accepted_(std::move(socket), &listener == &http_);
  return true;
}

void Acceptor::step_aside(std::uint64_t now_ms) {
  port_.stop(*poller_);
  http_.stop(*poller_);
  aside_until_ms_ = now_ms + net::Listener::kStepAsideMs;
}

void Acceptor::invite(unsigned slot) {
  context_->region.slot(slot).invited.store(1, std::memory_order_release);  // partner: answer_invitation
  context_->region.ring(slot);
}

void Acceptor::answer_invitation(std::uint64_t now_ms) {
  std::atomic<std::uint32_t>& invited = context_->region.slot(context_->slot).invited;
  if (invited.load(std::memory_order_relaxed) == 0) return;
  invited.exchange(0, std::memory_order_acquire);
  if (!stopped_) listen_again(now_ms);
}

void Acceptor::look_again(std::uint64_t now_ms) {
  if (stopped_ || aside_until_ms_ == 0 || now_ms < aside_until_ms_) return;
  // What has waited all this time nobody else takes: the invited process is hung, so it is let be for a
  // while.
  for (net::Listener* listener : {&port_, &http_}) {
    if (take_one(*listener)) alone_until_ms_ = now_ms + kAloneMs;
  }
  listen_again(now_ms);
}

void Acceptor::listen_again(std::uint64_t now_ms) {
  if (Status started = start(); !started) {
    log_line(LogLevel::kWarning, "cannot listen", {{"error", started.error().message}});
    return step_aside(now_ms);
  }
  for (net::Listener* listener : {&port_, &http_}) {
    if (aside_until_ms_ == 0) accept_some(*listener, now_ms);
  }
}

std::optional<std::uint64_t> Acceptor::next_look_ms() const {
  if (stopped_ || aside_until_ms_ == 0) return std::nullopt;
  return aside_until_ms_;
}

std::optional<unsigned> Acceptor::find_fewest() const {
  const shared::State& state = context_->region.state();
  const unsigned used = state.slots_used.load(std::memory_order_acquire);
  std::optional<unsigned> fewest;
  for (unsigned i = 0; i < used; ++i) {
    const shared::ChildSlot& other = state.slots[i];
    const bool takes_part = i != context_->slot &&
                            other.role.load(std::memory_order_relaxed) == shared::Role::kWorker &&
                            other.state.load(std::memory_order_relaxed) == shared::ChildState::kReady;
    if (takes_part && (!fewest || open_in(i) < open_in(*fewest))) fewest = i;
  }
  return fewest;
}

bool Acceptor::has_more_than_its_part(unsigned other) const {
  return open_in(context_->slot) > open_in(other) + open_in(other) / 32;
}

std::uint64_t Acceptor::open_in(unsigned slot) const {
  return context_->region.slot(slot).counters.connections_open.load(std::memory_order_relaxed);
}

}  // namespace minivault::worker
