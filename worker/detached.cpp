#include "worker/detached.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <limits>
#include <string>
#include <thread>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/store/base_opening.h"

namespace minivault::worker {
namespace {

/// A checkpoint that was asked for comes at once on an idle node, after those under way on a busy one.
constexpr std::uint64_t kSnapshotMs = 30'000;

/// Everything of the worker's that the kernel would keep open for the child: clients, LMDB's files, the log.
void close_all_but(int one, int other) {
  const auto low = static_cast<unsigned>(std::min(one, other));
  const auto high = static_cast<unsigned>(std::max(one, other));
  constexpr unsigned kFirst = STDERR_FILENO + 1;
  if (low > kFirst) ::close_range(kFirst, low - 1, 0);
  if (high > low + 1) ::close_range(low + 1, high - 1, 0);
  ::close_range(high + 1, std::numeric_limits<unsigned>::max(), 0);
}

void become_a_process_of_its_own(const char* name, int socket, int turn) {
  close_all_but(socket, turn);
  std::signal(SIGTERM, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_NAME, name);
  constexpr int kBehindClients = 5;
  (void)!::nice(kBehindClients);
}

}  // namespace

Result<UniqueFd> take_turn(const Config& config, unsigned first_byte, unsigned most, std::string_view what) {
  const std::string path = config.data_directory + "/minivault.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open " + path, errno);
  for (unsigned place = 0; place < most; ++place) {
    struct flock byte {};
    byte.l_type = F_WRLCK;
    byte.l_whence = SEEK_SET;
    byte.l_start = first_byte + place;
    byte.l_len = 1;
    if (::fcntl(fd.get(), F_OFD_SETLK, &byte) == 0) return fd;
    if (errno != EAGAIN && errno != EACCES) return fail_errno("cannot lock " + path, errno);
  }
  return fail(Code::kBusy, std::string(what) + " is under way");
}

Status run_detached(const char* name, int socket, UniqueFd turn,
                    const std::function<int(UniqueFd turn)>& work) {
  // A worker has no other children: nobody needs their status.
  std::signal(SIGCHLD, SIG_IGN);
  const pid_t worker = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(Code::kUnavailable, std::string("no process for a ") + name);
  if (child > 0) return {};
  // Nothing of the worker's may be ended here: its LMDB environment and its sockets are not this process's.
  try {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != worker) ::_exit(1);
    become_a_process_of_its_own(name, socket, turn.get());
    ::_exit(work(std::move(turn)));
  } catch (const std::exception& error) {
    log_line(LogLevel::kWarning, "detached_failed", {{"work", name}, {"error", error.what()}});
  }
  ::_exit(1);
}

Result<store::Base> open_base(const Config& config, shared::State& state) {
  const store::BaseOpening alone(state);
  return store::Base::open_reader(config.data_directory, state.limits.base_map_bytes.load());
}

Result<store::Base::Snapshot> take_snapshot(const store::Base& base, const shared::Region& region,
                                            shared::Lsn at_least, bool whole) {
  shared::State& state = region.state();
  region.ask_for_checkpoint(at_least);
  const std::uint64_t end_ms = monotonic_ms() + kSnapshotMs;
  Result<store::Base::Snapshot> snapshot = base.snapshot();
  while (snapshot) {
    const Result<store::BaseMeta> meta = snapshot->meta();
    if (!meta) return tl::unexpected(meta.error());
    if (meta->checkpoint >= at_least && !(whole && meta->mid_checkpoint)) return snapshot;
    snapshot->reset();
    if (state.failure.load(std::memory_order_acquire) != shared::Failure::kNone || monotonic_ms() >= end_ms) {
      return fail(Code::kUnavailable,
                  "the node's checkpoint does not come: the disk is full, failing or too slow");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (Status renewed = snapshot->renew(); !renewed) return tl::unexpected(renewed.error());
  }
  return snapshot;
}

}  // namespace minivault::worker
