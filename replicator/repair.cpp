#include "replicator/repair.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>
#include <utility>

#include "common/client/connection.h"
#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/process/errand.h"
#include "replicator/node_side.h"

namespace minivault::replicator {
namespace {

constexpr int kWithComplete = 10;  // exit status
constexpr std::uint64_t kFirstNoteMs = 2'000;
constexpr std::uint64_t kNextNoteMs = 10'000;

Result<std::unique_ptr<NodeSide>> connect(const RepairTask& task, const client::Address& address) {
  client::Options options;
  options.auth_key = task.auth_key;
  // The first answer of a comparison waits for a checkpoint, a sum over a cold base for the disk.
  options.request_timeout = std::chrono::minutes(2);
  Result<client::Connection> comparison = client::Connection::open(address, options);
  if (!comparison) return tl::unexpected(comparison.error());
  Result<client::Connection> pushes = client::Connection::open(address, options);
  if (!pushes) return tl::unexpected(pushes.error());
  return std::make_unique<NodeSide>(std::move(*comparison), std::move(*pushes));
}

/// Sleeps as long as the bytes moved so far are more than the time passed allows.
void hold_back(std::uint64_t bytes, std::uint64_t bytes_a_second, std::uint64_t began_ms) {
  if (bytes_a_second == 0) return;
  const std::uint64_t due_ms = began_ms + bytes * 1'000 / bytes_a_second;
  const std::uint64_t now_ms = monotonic_ms();
  if (due_ms > now_ms) std::this_thread::sleep_for(std::chrono::milliseconds(due_ms - now_ms));
}

void note(std::string_view event, const RepairTask& task, const cluster::Reconciliation::Figures& figures,
          std::uint64_t keys_of, std::uint64_t bytes, std::uint64_t began_ms) {
  log_line(LogLevel::kInfo, event,
           {{"peer", task.peer.text()},
            {"keys", figures.keys},
            {"of", std::max(keys_of, figures.keys)},
            {"ranges", figures.ranges_compared},
            {"different", figures.ranges_different},
            {"records_in", figures.to_first},
            {"records_out", figures.to_second},
            {"ghosts", figures.ghosts},
            {"contradictions", figures.contradictions},
            {"bytes", bytes},
            {"ms", monotonic_ms() - began_ms}});
}

void show(const RepairTask& task, const cluster::Reconciliation::Figures& figures, std::uint64_t keys_of,
          std::uint64_t moved) {
  if (task.place == nullptr) return;
  task.place->repaired_keys.fetch_add(moved, std::memory_order_relaxed);
  task.place->repair_keys.store(figures.keys, std::memory_order_relaxed);
  task.place->repair_keys_of.store(std::max(keys_of, figures.keys), std::memory_order_relaxed);
}

/// A node that answers nobody of its own id is asked on nobody's behalf.
cluster::Hello hello_here() {
  cluster::Hello hello;
  hello.dial_back = true;
  return hello;
}

cluster::Hello hello_to_peer(const RepairTask& task) {
  cluster::Hello hello = hello_here();
  hello.id = task.id;
  hello.epoch = task.epoch;
  hello.previous_epoch = task.previous_epoch;
  hello.address = task.public_url;
  return hello;
}

/// True: the peer is complete.
Result<bool> repair(const RepairTask& task) {
  const std::uint64_t began_ms = monotonic_ms();
  const auto here = connect(task, task.here);
  if (!here) return tl::unexpected(here.error());
  const auto peer = connect(task, task.peer);
  if (!peer) return tl::unexpected(peer.error());
  const Result<cluster::CompareReply> about_here = (*here)->begin(hello_here());
  if (!about_here) return tl::unexpected(about_here.error());
  const Result<cluster::CompareReply> about_peer = (*peer)->begin(hello_to_peer(task));
  if (!about_peer) return tl::unexpected(about_peer.error());
  if (about_here->id == about_peer->id) return fail(Code::kInvalidArgument, "the peer is this node itself");

  cluster::Reconciliation work;
  // A tombstone up to one side's floor may be purged there, and need not be here.
  work.cut_off_hlc = std::max(about_here->floor_hlc, about_peer->floor_hlc);
  work.ghosts_of_first_up_to = about_peer->floor_hlc;
  work.ghosts_of_second_up_to = about_here->floor_hlc;
  const std::uint64_t most = std::max(about_here->keys, about_peer->keys);
  std::uint64_t moved_before = 0;
  std::uint64_t next_note_ms = began_ms + kFirstNoteMs;
  work.progress = [&](const cluster::Reconciliation::Figures& figures, std::string_view) {
    const std::uint64_t moved = figures.to_first + figures.to_second;
    show(task, figures, most, moved - moved_before);
    moved_before = moved;
    hold_back((*peer)->bytes(), task.bytes_a_second, began_ms);
    if (const std::uint64_t now_ms = monotonic_ms(); now_ms >= next_note_ms) {
      next_note_ms = now_ms + kNextNoteMs;
      note("repairing", task, figures, most, (*peer)->bytes(), began_ms);
    }
    return true;
  };
  Status reconciled = cluster::reconcile(**here, **peer, most, work);
  work.progress(work.figures, {});
  if (!reconciled) return tl::unexpected(reconciled.error());
  note("repaired", task, work.figures, most, (*peer)->bytes(), began_ms);
  return about_peer->complete;
}

/// The process's main: it has nothing of the replicator's but its shared memory.
int run(const RepairTask& task) {
  const Result<bool> done = repair(task);
  if (done) return *done ? kWithComplete : 0;
  log_line(LogLevel::kWarning, "repair_failed",
           {{"peer", task.peer.text()}, {"error", done.error().message}});
  return 1;
}

}  // namespace

Result<Repair> Repair::start(const RepairTask& task) {
  const Result<pid_t> forked = fork_errand("repair", {}, [&task] { return run(task); });
  if (!forked) return tl::unexpected(forked.error());
  return Repair(*forked);
}

Repair::Repair(Repair&& other) noexcept : pid_(std::exchange(other.pid_, 0)), state_(other.state_) {}

Repair& Repair::operator=(Repair&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(state_, other.state_);
  return *this;
}

Repair::~Repair() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

Repair::State Repair::look() {
  int status = 0;
  if (pid_ != 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = 0;
    const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    state_ = exit_status == kWithComplete ? State::kDoneWithComplete
             : exit_status == 0           ? State::kDone
                                          : State::kFailed;
  }
  return state_;
}

}  // namespace minivault::replicator
