#include "replicator/replicator.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"

namespace minivault::replicator {
namespace {

constexpr std::uint64_t kLookMs = 200;
constexpr std::uint64_t kRetryMs = 1;
/// A turn comes each 200 ms at least, unless this process did not get to run.
constexpr std::uint64_t kStallMs = 500;
constexpr std::uint64_t kOpenAgainMs = 20;
constexpr std::uint64_t kDrainLookMs = 10;
/// What a stopping node gives its peers, once its workers have gone, to take the rest of its log.
constexpr std::uint64_t kLastWordsMs = 800;

/// Where repairs find this node.
client::Address own_address(const Config& config) {
  const bool any = config.bind == "0.0.0.0" || config.bind == "::";
  return {any ? "127.0.0.1" : config.bind, config.port};
}

}  // namespace

Replicator::Replicator(const ChildContext& context, store::Store& store, net::Poller poller, UniqueFd signals)
    : context_(&context),
      store_(&store),
      board_(&context.region.state().cluster),
      poller_(std::move(poller)),
      signals_(std::move(signals)),
      home_(context, store),
      restamps_(store, home_.id()) {
  repairs_ = std::make_unique<Repairs>(context.config, home_.id(), own_address(context.config), *board_);
}

Status Replicator::run() {
  shared::Region& region = context_->region;
  if (Status watched = poller_.watch_bell(region.bell(context_->slot)); !watched) return watched;
  if (Status watched = poller_.watch_bell(signals_.get()); !watched) return watched;
  const unsigned used = region.state().slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    const bool replicates = region.slot(i).role.load() == shared::Role::kReplicator;
    if (i != context_->slot && replicates) predecessors_.push_back({i, region.slot(i).pid.load()});
  }
  started_ms_ = monotonic_ms();
  // Ready is who knows whether this node is alone: until then its health is bad.
  turn(poller_.wait(0));
  region.slot(context_->slot).state.store(shared::ChildState::kReady, std::memory_order_release);
  region.ring_supervisor();
  while (stop_requests_ < 2 && !drained()) turn(poller_.wait(sleep_ms()));
  return {};
}

void Replicator::turn(std::span<const net::Event> events) {
  const std::uint64_t before_ms = std::exchange(now_ms_, monotonic_ms());
  // Who did not run cannot say that others were silent: what they sent meanwhile is still to be read.
  const std::uint64_t stalled_ms = before_ms == 0 || now_ms_ < before_ms + kStallMs ? 0 : now_ms_ - before_ms;
  for (const auto& peer : peers_) peer->excuse(stalled_ms);
  for (const net::Event& event : events) notice(event);
  if (others_replicate()) return;
  board_->replicator_turn_ms.store(now_ms_, std::memory_order_relaxed);
  store_->begin_turn();
  serve();
  store_->end_turn();
  for (const auto& peer : peers_) peer->flush();
  if (now_ms_ >= next_repair_look_ms_) repair();
}

void Replicator::notice(const net::Event& event) {
  if (event.fd == context_->region.bell(context_->slot)) {
    context_->region.silence(context_->slot);  // what it rang for every turn looks after anyway
  } else if (event.fd == signals_.get()) {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) ++stop_requests_;
    context_->region.slot(context_->slot)
        .state.store(shared::ChildState::kDraining, std::memory_order_release);
  } else {
    for (const auto& peer : peers_) {
      if (peer->note(event)) return;
    }
  }
}

void Replicator::serve() {
  if (home_.epoch() == 0 || services_ == nullptr) {
    if (Status opened = home_.open(); !opened) return complain(opened.error());  // the next turn tries again
    shelf_ = std::make_unique<Shelf>(*store_, home_.id(), home_.epoch());
    services_ =
        std::make_unique<PeerServices>(PeerServices{context_->config, home_, *shelf_, poller_, pool_, *this});
    keep_peers();
    publish_members();
    log_line(LogLevel::kInfo, "replicating",
             {{"node", cluster::id_text(home_.id())},
              {"epoch", cluster::id_text(home_.epoch())},
              {"members", home_.members().members().size()},
              {"peers", peers_.size()}});
  }
  take_introductions();
  for (const auto& peer : peers_) peer->run(now_ms_);
  // A start is over for the clock as soon as enough have answered, before anything they send counts.
  if (board_->clock_confirmed.load(std::memory_order_relaxed) == 0) choose_clock();
  publish_quorum();  // whoever waits for these answers does not wait for what follows
  if (now_ms_ >= next_look_ms_) look_around();
  if (home_.is_open()) {
    for (const auto& peer : peers_) peer->tick(now_ms_);
    seen_tail_ = context_->region.state().marks.tail.load(std::memory_order_acquire);
    restamps_.retry(home_.told());
    for (const auto& peer : peers_) peer->fill(now_ms_, alone_since_ms_ != 0);
  }
  publish_quorum();
}

/// No room for a note is no news: the workers say so. Anything else is said once.
void Replicator::complain(const Error& error) {
  if (error.code == Code::kNoSpace || std::exchange(complained_, true)) return;
  log_line(LogLevel::kError, "cannot_replicate", {{"error", error.message}});
}

/// What needs no hurry.
void Replicator::look_around() {
  next_look_ms_ = now_ms_ + kLookMs;
  note_given_up();
  publish_lag();
  publish_debts();
  publish_unheard();
  forget_on_request();
  std::erase_if(unnoted_debts_, [this](NodeId id) { return owe(id).has_value(); });
  (void)home_.refresh();  // what went wrong goes wrong again, or right, at the next look
  keep_peers();
  publish_members();
  tell_disagreement();
  const std::uint32_t needed = board_->needed.load(std::memory_order_relaxed);
  had_majority_ = had_majority_ || board_->reachable.load(std::memory_order_relaxed) >= needed;
  publish_floor();
  choose_clock();
  follow_clocks();
  look_at_damage();
  find_completeness();
  vouch();
}

bool Replicator::others_replicate() const {
  return std::any_of(predecessors_.begin(), predecessors_.end(), [this](const Predecessor& each) {
    const shared::ChildSlot& slot = context_->region.slot(each.slot);
    return slot.pid.load(std::memory_order_acquire) == each.pid;
  });
}

int Replicator::sleep_ms() {
  if (others_replicate()) return static_cast<int>(kLookMs);
  if (services_ == nullptr) return now_ms_ == 0 ? 0 : static_cast<int>(kOpenAgainMs);
  std::uint64_t next_ms = next_look_ms_;
  if (!home_.is_open() || restamps_.has_to_retry()) next_ms = std::min(next_ms, now_ms_ + kRetryMs);
  if (stop_requests_ > 0) next_ms = std::min(next_ms, now_ms_ + kDrainLookMs);
  for (const auto& peer : peers_) {
    if (peer->has_more()) return 0;
    next_ms = std::min(next_ms, peer->next_look_ms(now_ms_));
  }
  if (!may_sleep()) return 0;
  const std::uint64_t now_ms = monotonic_ms();
  return next_ms <= now_ms ? 0 : static_cast<int>(next_ms - now_ms);
}

/// ENGINE.md rule 7: say that we sleep, full fence, look once more. Partner: store::wake_sleepers.
bool Replicator::may_sleep() {
  const bool hungry =
      std::any_of(peers_.begin(), peers_.end(), [](const auto& peer) { return peer->is_hungry(); });
  if (!hungry) return true;
  board_->replicator_asleep.store(context_->slot + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (context_->region.state().marks.tail.load(std::memory_order_relaxed) == seen_tail_) return true;
  board_->replicator_asleep.store(0, std::memory_order_relaxed);
  return false;
}

bool Replicator::workers_live() const {
  const unsigned used = context_->region.state().slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    if (context_->region.slot(i).role.load(std::memory_order_relaxed) == shared::Role::kWorker) return true;
  }
  return false;
}

/// A successor that is there takes over at once. Else the node stops: its workers' last answers may wait for
/// peers, and a peer that has the whole log needs no repair at the next start.
bool Replicator::drained() {
  if (stop_requests_ == 0) return false;
  const unsigned used = context_->region.state().slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    const shared::ChildSlot& slot = context_->region.slot(i);
    if (i != context_->slot && slot.role.load() == shared::Role::kReplicator) return true;
  }
  if (workers_live()) return false;
  if (alone_since_ms_ == 0) alone_since_ms_ = monotonic_ms();
  if (monotonic_ms() >= alone_since_ms_ + kLastWordsMs) return true;
  const Lsn tail = context_->region.state().marks.tail.load(std::memory_order_acquire);
  return std::all_of(peers_.begin(), peers_.end(), [tail](const auto& peer) { return peer->has_all(tail); });
}

}  // namespace minivault::replicator
