#include "worker/acceptor.h"

#include <algorithm>
#include <atomic>
#include <limits>
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
  slot().steps_aside.store(0, std::memory_order_relaxed);
  return {};
}

void Acceptor::stop() {
  if (std::exchange(stopped_, true)) return;
  for (net::Listener* listener : {&port_, &http_}) {
    listener->stop(*poller_);
    accept_some(*listener, std::numeric_limits<int>::max());
  }
  invite_others();
}

void Acceptor::accept_from(int fd, std::uint64_t now_ms) {
  if (stopped_) return;
  net::Listener& listener = fd == port_.fd() ? port_ : http_;
  accept_some(listener, kAcceptsATurn);
  if (listener.short_of_resources()) {
    log_line(LogLevel::kWarning, "no descriptor or memory for a new connection: pausing",
             {{"pause_ms", net::Listener::kStepAsideMs}});
    return step_aside(now_ms);
  }
  invite_others();
  if (has_more_than_its_part()) step_aside(now_ms);
}

void Acceptor::accept_some(net::Listener& listener, int limit) {
  for (int i = 0; i < limit; ++i) {
    UniqueFd socket = listener.accept();
    if (!socket) return;
    accepted_(std::move(socket), &listener == &http_);
  }
}

void Acceptor::step_aside(std::uint64_t now_ms) {
  // A store/load pair with a full fence on both sides (the other is invite_others): either this process sees
  // that another has caught up, or that other sees the flag and rings.
  slot().steps_aside.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool short_of_resources = port_.short_of_resources() || http_.short_of_resources();
  if (!short_of_resources && !has_more_than_its_part()) {
    slot().steps_aside.store(0, std::memory_order_relaxed);
    return;
  }
  port_.stop(*poller_);
  http_.stop(*poller_);
  aside_until_ms_ = now_ms + net::Listener::kStepAsideMs;
}

void Acceptor::invite_others() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const shared::State& state = context_->region.state();
  const unsigned used = state.slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    const bool aside = state.slots[i].steps_aside.load(std::memory_order_relaxed) != 0;
    if (aside && i != context_->slot) context_->region.ring(i);
  }
}

void Acceptor::reconsider(std::uint64_t now_ms) {
  if (stopped_ || aside_until_ms_ == 0) return;
  if (now_ms >= aside_until_ms_) {
    // What has waited all this time nobody else wants.
    accept_some(port_, kAcceptsATurn);
    accept_some(http_, kAcceptsATurn);
    aside_until_ms_ = now_ms + net::Listener::kStepAsideMs;
  }
  if (port_.short_of_resources() || http_.short_of_resources() || has_more_than_its_part()) return;
  if (Status started = start(); !started) {
    log_line(LogLevel::kWarning, "cannot listen", {{"error", started.error().message}});
  }
}

std::optional<std::uint64_t> Acceptor::next_look_ms() const {
  if (stopped_ || aside_until_ms_ == 0) return std::nullopt;
  return aside_until_ms_;
}

bool Acceptor::has_more_than_its_part() const {
  const shared::State& state = context_->region.state();
  const std::uint64_t mine = slot().counters.connections_open.load(std::memory_order_relaxed);
  std::uint64_t fewest = mine;
  const unsigned used = state.slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    const shared::ChildSlot& other = state.slots[i];
    const bool takes_part = other.role.load(std::memory_order_relaxed) == shared::Role::kWorker &&
                            other.state.load(std::memory_order_relaxed) == shared::ChildState::kReady;
    if (!takes_part) continue;
    fewest = std::min(fewest, other.counters.connections_open.load(std::memory_order_relaxed));
  }
  return mine > fewest + fewest / 16;
}

shared::ChildSlot& Acceptor::slot() const {
  return context_->region.slot(context_->slot);
}

}  // namespace minivault::worker
