#include "tests/store/engine.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <limits>
#include <stdexcept>
#include <thread>

#include "common/core/clock.h"
#include "common/core/fault_point.h"
#include "common/core/log.h"
#include "common/store/checkpointer.h"
#include "common/store/node_clock.h"
#include "common/store/wake.h"
#include "tests/support/processes.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr int kRefused = 3;

std::atomic<int> terminate_asked{0};  // the signal may come to the syncer's thread

int checkpointer_main(shared::Region& region, const Config& config, Engine::Rounds& rounds) {
  struct sigaction action {};
  action.sa_handler = [](int) { terminate_asked = 1; };
  ::sigaction(SIGTERM, &action, nullptr);
  auto checkpointer = store::Checkpointer::open(region, config, Engine::kCheckpointerSlot);
  if (!checkpointer) {
    log_line(LogLevel::kError, "cannot_start", {{"error", checkpointer.error().message}});
    return kRefused;
  }
  region.slot(Engine::kCheckpointerSlot).state.store(shared::ChildState::kReady);
  while (terminate_asked == 0) {
    pollfd bell{region.bell(Engine::kCheckpointerSlot), POLLIN, 0};
    rounds.begun.fetch_add(1);
    rounds.pause_ms.store((*checkpointer)->tick());
    if (::poll(&bell, 1, rounds.pause_ms.load()) <= 0) continue;
    region.silence(Engine::kCheckpointerSlot);
    rounds.rung.fetch_add(1);
  }
  return (*checkpointer)->stop() ? 0 : 1;
}

int wait_for_end(pid_t pid) {
  int status = 0;
  eventually("process " + std::to_string(pid) + " ends",
             [&] { return ::waitpid(pid, &status, WNOHANG) == pid; });
  return status;
}

void own_slot(shared::Region& region, unsigned slot, shared::Role role) {
  shared::ChildSlot& mine = region.slot(slot);
  mine.role.store(role);
  mine.pid.store(::getpid());
  std::uint32_t used = region.state().slots_used.load();
  while (used <= slot && !region.state().slots_used.compare_exchange_weak(used, slot + 1)) {
  }
}

}  // namespace

Engine::Engine(std::uint64_t log_bytes, SyncMode sync) {
  config.data_directory = directory_.path();
  config.log_bytes = log_bytes;
  config.cache_bytes = std::uint64_t{8} << 20;  // each process makes its own anew
  config.sync = sync;
  fault_plan();  // shared by all that is forked from now on
}

Engine::~Engine() {
  kill();
}

void Engine::start() {
  if (!try_start()) throw std::runtime_error("the checkpointer refused to start");
  if (clock_known) tell_the_time();
}

void Engine::tell_the_time() {
  shared::AppendLock& append = state().append;
  append.clock_offset.store(store::hlc_of_us(wall_minus_boot_us()));
  eventually("the clock's next seconds are on disk", [&] {
    if (append.hlc_ceiling.load() > store::node_clock(append)) return true;
    if (state().failure.load() != shared::Failure::kNone) return true;
    state().bell.sync_requested.store(1);
    store::ring_syncer(state().bell);
    return false;
  });
}

bool Engine::try_start() {
  auto region = shared::Region::create(index_words != 0 ? index_words : config.log_bytes / 64);
  if (!region) throw std::runtime_error(region.error().message);
  region_.emplace(std::move(*region));
  // As a replicator would find: without peers deletes need no tombstone.
  const bool alone = config.cluster_nodes.empty();
  state().limits.tombstone_floor_hlc.store(alone ? std::numeric_limits<std::uint64_t>::max() : 0);
  fork_checkpointer();
  const auto settled = [this] {
    if (state().limits.recovered.load() != 0 &&
        region_->slot(kCheckpointerSlot).state.load() == shared::ChildState::kReady) {
      return true;
    }
    int status = 0;
    if (::waitpid(checkpointer_, &status, WNOHANG) != checkpointer_) return false;
    exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    checkpointer_ = 0;
    return true;
  };
  eventually("the checkpointer is ready or ends", settled);
  return checkpointer_ != 0;
}

void Engine::fork_checkpointer() {
  own_slot(*region_, kCheckpointerSlot, shared::Role::kCheckpointer);
  checkpointer_ = ::fork();
  if (checkpointer_ != 0) {
    region_->slot(kCheckpointerSlot).pid.store(checkpointer_);
    return;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NAME, "checkpointer");
  ::_exit(checkpointer_main(*region_, config, *rounds_));
}

void Engine::stop() {
  end_children();
  if (checkpointer_ == 0) return;
  ::kill(checkpointer_, SIGTERM);
  const int status = wait_for_end(checkpointer_);
  checkpointer_ = 0;
  exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void Engine::kill() {
  end_children();
  if (checkpointer_ != 0) kill_checkpointer();
}

void Engine::kill_checkpointer() {
  ::kill(checkpointer_, SIGKILL);
  reap_checkpointer();
}

void Engine::reap_checkpointer() {
  (void)wait_for_end(checkpointer_);
  checkpointer_ = 0;
  region_->clear_slot(kCheckpointerSlot);
  region_->ring_all();
}

void Engine::restart_checkpointer() {
  fork_checkpointer();
  eventually("the checkpointer is ready again",
             [this] { return region_->slot(kCheckpointerSlot).state.load() == shared::ChildState::kReady; });
}

void Engine::terminate_checkpointer() const {
  ::kill(checkpointer_, SIGTERM);
}
void Engine::suspend_checkpointer() const {
  test::suspend(checkpointer_);
}
/// A stop point says that it was reached before it stops: to go on sooner would be forgotten.
void Engine::resume_checkpointer() const {
  eventually("the checkpointer stands still", [this] { return is_stopped(checkpointer_); });
  ::kill(checkpointer_, SIGCONT);
}

store::Store Engine::open_store(unsigned slot) {
  own_slot(*region_, slot, shared::Role::kWorker);
  auto store = store::Store::open(*region_, config, slot);
  if (!store) throw std::runtime_error(store.error().message);
  return std::move(*store);
}

pid_t Engine::spawn(unsigned slot, const std::function<int(store::Store&)>& work) {
  const pid_t pid = ::fork();
  if (pid != 0) {
    children_.push_back({pid, slot});
    return pid;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int result = 99;
  try {
    store::Store store = open_store(slot);
    result = work(store);
  } catch (const std::exception& error) {
    log_line(LogLevel::kError, "test_process_failed", {{"error", error.what()}});
  }
  ::_exit(result);
}

int Engine::reap(pid_t pid) {
  const int status = wait_for_end(pid);
  const auto child =
      std::find_if(children_.begin(), children_.end(), [&](const Child& c) { return c.pid == pid; });
  if (child != children_.end()) {
    region_->clear_slot(child->slot);
    children_.erase(child);
  }
  region_->ring_all();
  return status;
}

void Engine::kill(pid_t pid) {
  ::kill(pid, SIGKILL);
  reap(pid);
}

void Engine::end_children() {
  while (!children_.empty()) kill(children_.back().pid);
}

void Engine::wait_durable(store::Lsn lsn) {
  eventually("the log is durable", [&] { return state().marks.durable.load() >= lsn; });
}

void Engine::wait_checkpoint(store::Lsn lsn) {
  region_->ask_for_checkpoint(lsn);
  eventually("the base is up to date", [&] { return state().marks.checkpoint.load() >= lsn; });
}

void Engine::checkpoint_now() {
  const store::Lsn tail = state().marks.tail.load();
  wait_durable(tail);
  wait_checkpoint(tail);
}

void Engine::move_to_base() {
  checkpoint_now();
  shared::raise(state().marks.window, state().marks.checkpoint.load());
}

bool rings(Engine& engine, unsigned slot, int patience_ms) {
  pollfd bell{engine.region().bell(slot), POLLIN, 0};
  return ::poll(&bell, 1, patience_ms) == 1;
}

void commit_all(store::Store& store, store::Batch& batch) {
  while (true) {
    const Status done = in_turn(store, [&] { return store.commit(batch); });
    if (done) return;
    if (done.error().code != Code::kNoSpace) throw std::runtime_error("commit: " + done.error().message);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // what a worker does between two tries
  }
}

store::Write write_of(std::string_view key, std::string_view value, store::Condition condition) {
  store::Write write;
  write.key = key;
  write.value = value;
  write.condition = condition;
  return write;
}

store::WriteResult commit_one(store::Store& store, const store::Write& write) {
  store::Batch batch;
  batch.add(write);
  commit_all(store, batch);
  return batch.result(0);
}

void put(store::Store& store, std::string_view key, std::string_view value) {
  store::Write write;
  write.key = key;
  write.value = value;
  if (commit_one(store, write).outcome != store::WriteResult::Outcome::kDone)
    throw std::runtime_error("not stored");
}

void remove(store::Store& store, std::string_view key) {
  store::Write write;
  write.operation = store::Operation::kDelete;
  write.key = key;
  if (commit_one(store, write).outcome != store::WriteResult::Outcome::kDone)
    throw std::runtime_error("not deleted");
}

std::optional<std::string> value_of(store::Store& store, std::string_view key) {
  return in_turn(store, [&]() -> std::optional<std::string> {
    Result<store::Found> found = store.get(key);
    if (!found) throw std::runtime_error("get: " + found.error().message);
    if (!found->present) return std::nullopt;
    return std::string(found->value);
  });
}

}  // namespace minivault::test
