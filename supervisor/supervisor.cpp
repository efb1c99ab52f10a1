#include "supervisor/supervisor.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/user.h"
#include "supervisor/deaths.h"
#include "supervisor/exposure.h"
#include "supervisor/log_style.h"
#include "supervisor/spawn.h"
#include "supervisor/status_text.h"

namespace minivault::supervisor {
namespace {

/// How long a stop waits for a checkpointer that just died: its longest back-off, and time to open the store.
constexpr std::uint64_t kAwaitCheckpointerMs = 7'000;

}  // namespace

Supervisor::Supervisor(const Config& config, Estate estate, ProcessTitle& title, LoadConfig load,
                       ServiceManager manager)
    : config_(config),
      estate_(std::move(estate)),
      title_(title),
      load_(std::move(load)),
      manager_(std::move(manager)),
      fleet_(role_table()) {
  take_over_sockets(config_, estate_.listeners);
  warn_at_start(config_, estate_.listeners);
}

int Supervisor::run() {
  while (true) {
    leave_empty_phases();
    if (state_.phase == Phase::kStopped) break;
    carry_out_plan();
    announce();
    wait();
  }
  note(std::string(kStopped) + std::to_string(state_.exit_status));
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
    note(kDraining);
    // Workers stop accepting through their own copies when they are asked to stop.
    estate_.listeners = {};
    manager_.stopping();
  }
  manager_.status(status_now());
}

void Supervisor::leave_empty_phases() {
  while (state_.phase >= Phase::kDraining && state_.phase != Phase::kStopped && fleet_.empty(state_.phase) &&
         !must_await_checkpointer()) {
    handle(Event::kPhaseEmpty);
  }
}

bool Supervisor::recovered() const {
  return estate_.region.state().limits.recovered.load(std::memory_order_acquire) != 0;
}

/// A stop that comes while the checkpointer is down: only its successor can leave a clean end behind.
bool Supervisor::must_await_checkpointer() const {
  if (state_.phase != Phase::kDraining || state_.hurried || !recovered()) return false;
  const auto children = fleet_.children();
  const bool is_there = std::any_of(children.begin(), children.end(), [](const Child& child) {
    return child.spec->role == shared::Role::kCheckpointer && child.ready;
  });
  return !is_there && monotonic_ms() < stop_began_ms_ + kAwaitCheckpointerMs;
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
  handle(death_event(*dead, wait_status, recovered()));
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
  manager_.ready(status_now());
  if (is_reloading_) reload_ended(kReloaded);
}

void Supervisor::reload_ended(std::string_view outcome) {
  is_reloading_ = false;
  ++reloads_;
  note(outcome);
}

/// For whoever waits in `minivault reload|drain`; without room on the disk they wait in vain.
void Supervisor::note(std::string_view outcome) const {
  const LockNote note{.pid = ::getpid(), .reloads = reloads_, .outcome = std::string(outcome)};
  if (Status noted = estate_.directory.note(note); !noted) {
    log_line(LogLevel::kWarning, "lock_file_not_written", {{"error", noted.error().message}});
  }
}

std::string Supervisor::status_now() const {
  return status_text(state_.phase, announced_.has_value(), config_, estate_.region.state());
}

void Supervisor::reload() {
  if (state_.phase > Phase::kRunning) return;
  if (announced_) manager_.reloading();
  Result<Config> fresh = load_();
  if (!fresh) {
    log_line(LogLevel::kError, "configuration_not_reloaded",
             {{"error", fresh.error().message}, {"user", current_user_name()}});
    // Unless an earlier reload is still under way, which will say so itself.
    if (announced_ == generation_) manager_.ready("configuration not reloaded: " + fresh.error().message);
    return reload_ended(fresh.error().message);
  }
  take_over_sockets(*fresh, estate_.listeners);
  Reloaded reloaded = merge(config_, std::move(*fresh));
  for (const std::string& flag : reloaded.needs_restart) {
    log_line(LogLevel::kWarning, "setting_needs_restart", {{"setting", flag}});
  }
  config_ = std::move(reloaded.config);
  set_log_style(log_style_of(config_));
  warn_if_open(config_, estate_.listeners);
  warn_if_nameless(config_);
  ++generation_;
  is_reloading_ = true;
  log_line(LogLevel::kInfo, "reloading", {{"generation", generation_}});
}

int run_node(const Config& config, ProcessTitle& title, const LoadConfig& load) {
  title.set("supervisor");
  set_log_style(log_style_of(config));
  ServiceManager manager = ServiceManager::take_from_environment();
  Result<Estate> estate = Estate::acquire(config);
  if (!estate) {
    log_line(LogLevel::kError, "cannot_start", {{"error", estate.error().message}});
    return Estate::exit_code_of(estate.error());
  }
  if (::geteuid() != 0 && !config.user.empty()) {
    // What only root could read cannot be reloaded: better known now than at the first SIGHUP.
    if (const Result<Config> again = load(); !again) {
      log_line(LogLevel::kWarning, "reload_will_fail",
               {{"error", again.error().message}, {"user", config.user}});
    }
  }
  share_log_style(estate->region.state().log_style);
  return Supervisor(config, std::move(*estate), title, load, std::move(manager)).run();
}

}  // namespace minivault::supervisor
