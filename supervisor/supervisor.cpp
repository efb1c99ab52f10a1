#include "supervisor/supervisor.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "supervisor/log_style.h"
#include "supervisor/spawn.h"

namespace minivault::supervisor {
namespace {

std::string cause_of(int wait_status) {
  if (!WIFSIGNALED(wait_status)) return "exit status " + std::to_string(WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  return "signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
}

/// Processor time that a child has used; 0 if that cannot be told.
std::uint64_t cpu_ns_of(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(used.tv_nsec);
}

Event checkpointer_event(const Child& dead, int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    // Asked before it had set up anything that would need a clean end.
    const bool obeyed = dead.asked() && WTERMSIG(wait_status) == SIGTERM;
    return obeyed ? Event::kCheckpointerDone : Event::kCheckpointerKilled;
  }
  switch (WEXITSTATUS(wait_status)) {
    case kExitOk:
      return Event::kCheckpointerDone;
    case kExitRefused:
      return Event::kCheckpointerRefused;
    default:
      return Event::kCheckpointerFailed;
  }
}

Event death_event(const Child& dead, int wait_status) {
  return dead.spec->role == shared::Role::kCheckpointer ? checkpointer_event(dead, wait_status)
                                                        : Event::kWorkerDied;
}

}  // namespace

Supervisor::Supervisor(const Config& config, Estate estate, ProcessTitle& title, LoadConfig load)
    : config_(config),
      estate_(std::move(estate)),
      title_(title),
      load_(std::move(load)),
      fleet_(role_table()) {}

int Supervisor::run() {
  while (true) {
    leave_empty_phases();
    if (state_.phase == Phase::kStopped) break;
    carry_out_plan();
    announce();
    wait();
  }
  log_line(LogLevel::kInfo, "stopped", {{"status", state_.exit_status}});
  return state_.exit_status;
}

void Supervisor::handle(Event event) {
  const NodeState before = std::exchange(state_, next(state_, event));
  const std::uint64_t now_ms = monotonic_ms();
  if (state_.hurried && !before.hurried) hurried_ms_ = now_ms;
  if (state_.phase == before.phase || state_.phase == Phase::kStopped) return;
  log_line(LogLevel::kInfo, name_of(state_.phase));
  if (state_.phase >= Phase::kDraining && stop_began_ms_ == kNever) {
    stop_began_ms_ = now_ms;
    // Workers stop accepting through their own copies when they are asked to stop.
    estate_.listeners = {};
  }
}

void Supervisor::leave_empty_phases() {
  while (state_.phase >= Phase::kDraining && state_.phase != Phase::kStopped && fleet_.empty(state_.phase)) {
    handle(Event::kPhaseEmpty);
  }
}

Goal Supervisor::goal() const {
  return {.phase = state_.phase,
          .config = &config_,
          .generation = generation_,
          .stop_began_ms = stop_began_ms_,
          .hurried_ms = hurried_ms_};
}

/// Until there is nothing left to do: an order carried out can make the next one due.
void Supervisor::carry_out_plan() {
  while (true) {
    const Plan plan = fleet_.plan(goal(), monotonic_ms());
    next_plan_ms_ = plan.due_ms;
    if (plan.orders.empty()) return;
    for (const Order& order : plan.orders) {
      order.kind == Order::Kind::kSpawn ? start(order) : send(order);
    }
  }
}

void Supervisor::start(const Order& order) {
  const Result<Child> child = spawn_child(*order.spec, order.number);
  if (child) {
    fleet_.born(*child);
    return;
  }
  log_line(LogLevel::kError, "child_not_started",
           {{"child", title_of(*order.spec, order.number)}, {"error", child.error().message}});
  fleet_.stillborn(*order.spec, order.number, monotonic_ms());
}

Result<Child> Supervisor::spawn_child(const RoleSpec& spec, unsigned number) {
  const std::optional<unsigned> slot = fleet_.free_slot();
  if (!slot) return fail(Code::kUnavailable, "no free slot in shared memory");

  ChildContext context{.config = config_, .region = estate_.region, .slot = *slot};
  std::vector<int> foreign{estate_.signals.fd()};
  const int both = estate_.listeners.both.socket.get();
  const int http = estate_.listeners.http.socket.get();
  if (spec.gets_listeners) {
    context.port_listener = both;
    context.http_listener = http;
  } else {
    foreign.insert(foreign.end(), {both, http});
  }
  const Result<pid_t> pid = spawn({.spec = spec,
                                   .number = number,
                                   .restarts = fleet_.restarts(spec, number),
                                   .context = context,
                                   .foreign = foreign,
                                   .title = title_});
  if (!pid) return tl::unexpected(pid.error());
  return Child{.pid = *pid,
               .slot = *slot,
               .spec = &spec,
               .number = number,
               .generation = spec.replaced_on_reload ? generation_ : 0,
               .born_ms = monotonic_ms()};
}

void Supervisor::send(const Order& order) {
  if (order.kind == Order::Kind::kTerminate) {
    ::kill(order.pid, SIGTERM);
    fleet_.asked(order.pid, monotonic_ms());
    return;
  }
  log_line(LogLevel::kWarning, "child_slow_to_end_killed",
           {{"child", title_of(*order.spec, order.number)}, {"child_pid", order.pid}});
  ::kill(order.pid, SIGKILL);
  fleet_.killed(order.pid);
}

void Supervisor::wait() {
  const std::uint64_t now_ms = monotonic_ms();
  const std::uint64_t until_ms = std::min(next_watch_ms_, next_plan_ms_);
  const int timeout_ms = until_ms > now_ms ? static_cast<int>(until_ms - now_ms) : 0;
  std::array<pollfd, 2> sources{pollfd{estate_.signals.fd(), POLLIN, 0},
                                pollfd{estate_.region.supervisor_bell(), POLLIN, 0}};
  ::poll(sources.data(), sources.size(), timeout_ms);

  const Signals::Seen seen = estate_.signals.read();
  if ((sources[1].revents & POLLIN) != 0) {
    std::uint64_t rings = 0;
    [[maybe_unused]] const ssize_t got = ::read(estate_.region.supervisor_bell(), &rings, sizeof rings);
  }
  greet_ready();
  if (seen.child) reap_all();
  for (unsigned i = 0; i < seen.stop_requests; ++i) handle(Event::kStopRequested);
  if (seen.reload) reload();
  if (monotonic_ms() >= next_watch_ms_) watch();
}

void Supervisor::greet_ready() {
  for (const Child& child : fleet_.children()) {
    if (child.ready) continue;
    // Acquire: pairs with the child's store when it has set up everything (Limits, for the checkpointer).
    const auto state = estate_.region.slot(child.slot).state.load(std::memory_order_acquire);
    if (state != shared::ChildState::kReady) continue;
    fleet_.ready(child.pid);
    if (child.spec->role == shared::Role::kCheckpointer) handle(Event::kCheckpointerReady);
  }
}

void Supervisor::reap_all() {
  int wait_status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0;) bury(pid, wait_status);
}

void Supervisor::bury(pid_t pid, int wait_status) {
  const std::optional<Child> dead = fleet_.buried(pid, monotonic_ms());
  if (!dead) return;  // adopted, if this is process 1 of a container
  const bool expected = dead->asked() && wait_status == 0;
  log_line(
      expected ? LogLevel::kInfo : LogLevel::kWarning, expected ? "child_ended" : "child_died",
      {{"child", title_of(*dead->spec, dead->number)}, {"child_pid", pid}, {"cause", cause_of(wait_status)}});

  // The lock's holder word is a hint for the watcher; left behind, it would accuse the slot's next owner.
  std::uint32_t held = dead->slot + 1;
  estate_.region.state().append.holder.compare_exchange_strong(held, 0, std::memory_order_relaxed);
  if (!expected) {
    shared::add(estate_.region.state().unasked_deaths[static_cast<std::size_t>(dead->spec->role)]);
  }
  estate_.region.clear_slot(dead->slot);
  // Somebody may wait for what the dead one would have done; all look again (ENGINE.md rule 7).
  estate_.region.ring_all();
  handle(death_event(*dead, wait_status));
}

/// Says so once every child is there and ready, after the start and after each reload.
void Supervisor::announce() {
  if (state_.phase != Phase::kRunning || announced_ == generation_ || !fleet_.settled(goal())) return;
  log_line(LogLevel::kInfo, announced_ ? "reloaded" : "ready",
           {{"port", estate_.listeners.both.port},
            {"http_port", estate_.listeners.http.port},
            {"address", config_.bind},
            {"workers", config_.worker_processes},
            {"pid", ::getpid()}});
  announced_ = generation_;
}

void Supervisor::reload() {
  if (state_.phase > Phase::kRunning) return;
  Result<Config> fresh = load_();
  if (!fresh) {
    log_line(LogLevel::kError, "configuration_not_reloaded", {{"error", fresh.error().message}});
    return;
  }
  Reloaded reloaded = merge(config_, std::move(*fresh));
  for (const std::string& flag : reloaded.needs_restart) {
    log_line(LogLevel::kWarning, "setting_needs_restart", {{"setting", flag}});
  }
  config_ = std::move(reloaded.config);
  set_log_style(log_style_of(config_));
  ++generation_;
  log_line(LogLevel::kInfo, "reloading", {{"generation", generation_}});
}

Sighting Supervisor::sight() const {
  const shared::AppendLock& lock = estate_.region.state().append;
  // Hints, read without the lock: a wrong one would have to stay wrong for seconds to matter.
  const std::uint32_t holder = lock.holder.load(std::memory_order_relaxed);
  Sighting seen{.lock_acquisitions = lock.acquisitions.load(std::memory_order_relaxed)};
  for (const Child& child : fleet_.children()) {
    const shared::ChildSlot& slot = estate_.region.slot(child.slot);
    if (child.slot + 1 == holder) seen.lock_holder = child.pid;
    seen.turns.push_back({child.pid, slot.pin.load(std::memory_order_relaxed),
                          slot.turns.load(std::memory_order_relaxed), cpu_ns_of(child.pid)});
  }
  return seen;
}

void Supervisor::watch() {
  const std::uint64_t now_ms = monotonic_ms();
  next_watch_ms_ = now_ms + kWatchIntervalMs;
  for (const Verdict& verdict : watcher_.look(sight(), now_ms)) {
    const bool lock = verdict.reason == Verdict::Reason::kLockHeld;
    log_line(LogLevel::kError, lock ? "child_holding_append_lock_killed" : "child_pinning_log_killed",
             {{"child_pid", verdict.pid}, {"stalled_ms", verdict.stalled_ms}});
    // Its pin is cleared when it was reaped, not before: until then it may still read what it pinned.
    ::kill(verdict.pid, SIGKILL);
  }
}

int run_node(const Config& config, ProcessTitle& title, const LoadConfig& load) {
  title.set("supervisor");
  set_log_style(log_style_of(config));
  Result<Estate> estate = Estate::acquire(config);
  if (!estate) {
    log_line(LogLevel::kError, "cannot_start", {{"error", estate.error().message}});
    return kExitFailure;
  }
  share_log_style(estate->region.state().log_style);
  return Supervisor(config, std::move(*estate), title, load).run();
}

}  // namespace minivault::supervisor
