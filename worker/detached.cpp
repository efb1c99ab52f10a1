#include "worker/detached.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/process/errand.h"
#include "common/store/base_opening.h"

namespace minivault::worker {
namespace {

/// A checkpoint that was asked for comes at once on an idle node, after those under way on a busy one.
constexpr std::uint64_t kSnapshotMs = 30'000;

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
  const std::array kept{socket, turn.get()};
  const Result<pid_t> forked = fork_errand(name, kept, [&] { return work(std::move(turn)); });
  return forked ? Status() : tl::unexpected(forked.error());
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

void tell_damage(shared::State& state, const Error& error) {
  std::uint32_t before = shared::kNoDamage;
  bool is_new = state.base_damage.compare_exchange_strong(before, shared::kDamageFound);
  // What was found before, and is being seen to, may be what is seen here.
  if (!is_new && before == shared::kDamageNoted && state.recount_after.load() == 0)
    is_new = state.base_damage.compare_exchange_strong(before, shared::kDamageFound);
  if (is_new) log_line(LogLevel::kError, "base_damaged", {{"error", error.message}});
}

}  // namespace minivault::worker
