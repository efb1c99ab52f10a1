// A worker: serves clients on one event loop.
//
// Started by    the supervisor, one for each of -procs, after the checkpointer said ready; again whenever one
//               ends that was not asked to, and, at a reload, beside the one it is to replace.
// Ends          on SIGTERM: takes no more connections, finishes what it has received, tells its HTTP clients
// to
//               close, and exits 0 after at most 8 s.
// In a hurry    on a second SIGTERM: exits 0 at once; whoever waits for an answer does not get it.
// When it dies  its connections break. An answer that was not sent is unknown to its client; a write that was
//               answered is in the log. The supervisor clears its slot (pin, wishes, ticket), the next holder
//               of the append lock rolls a half-made append forward. The other processes do not notice.
// Must finish   nothing: it keeps no state that is not in the log, in shared memory or at its clients.
//
// It opens LMDB here, after the fork, for reading only.

#include <malloc.h>
#include <sys/resource.h>

#include <exception>
#include <utility>

#include "common/core/log.h"
#include "common/process/exit_code.h"
#include "common/process/roles.h"
#include "common/process/signals.h"
#include "common/store/store.h"
#include "worker/worker.h"

namespace minivault {
namespace {

/// A connection is a descriptor: as many as the machine's administrator allows, without being asked.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Large buffers go back to the system when they are freed, and grow by moving pages instead of bytes.
/// Without this glibc keeps raising the size from which it does so.
void give_large_buffers_back() {
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

Status serve(const ChildContext& context) {
  Result<UniqueFd> signals = take_terminations();
  if (!signals) return tl::unexpected(signals.error());
  Result<net::Poller> poller = net::Poller::create();
  if (!poller) return tl::unexpected(poller.error());
  Result<store::Store> store = store::Store::open(context.region, context.config, context.slot);
  if (!store) return tl::unexpected(store.error());
  return worker::Worker(context, *store, std::move(*poller), std::move(*signals)).run();
}

}  // namespace

int run_worker(const ChildContext& context) {
  raise_descriptor_limit();
  give_large_buffers_back();
  const Status served = serve(context);
  if (served) return kExitOk;
  log_line(LogLevel::kError, "worker failed", {{"error", served.error().message}});
  return kExitFailure;
}

}  // namespace minivault
