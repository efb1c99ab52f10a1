// The checkpointer's main.
//
// Started by: the supervisor, first of all children, on a locked data directory.
// Does first: recovers (ENGINE.md rule 13), or, where a checkpointer of this node died, goes on from shared
// memory;
//   then says ready, and only then workers are forked.
// Ends normally: on SIGTERM, after the workers have gone: last checkpoint, mark of an orderly stop, exit 0.
// An unexpected end means to the rest: acknowledgements and, once the ring is full, writes wait until the
// next one is up;
//   reads go on. Nothing is lost: what it had not committed is still in the log.
// kExitRefused: the data directory must not be started on; the supervisor does not try again.

#include <poll.h>

#include <array>

#include "common/core/log.h"
#include "common/process/exit_code.h"
#include "common/process/roles.h"
#include "common/process/signals.h"
#include "common/store/checkpointer.h"

namespace minivault {
namespace {

void say_ready(const ChildContext& context) {
  context.region.slot(context.slot).state.store(shared::ChildState::kReady, std::memory_order_release);
  context.region.ring_supervisor();
}

/// Works until it is told to end.
void serve(const ChildContext& context, store::Checkpointer& checkpointer, int terminate) {
  std::array<pollfd, 2> watched{pollfd{terminate, POLLIN, 0},
                                pollfd{context.region.bell(context.slot), POLLIN, 0}};
  while (true) {
    const int may_sleep_ms = checkpointer.tick();
    // For the supervisor's watcher: it came round.
    context.region.slot(context.slot).turns.fetch_add(1, std::memory_order_relaxed);
    if (::poll(watched.data(), watched.size(), may_sleep_ms) <= 0) continue;
    if (watched[1].revents != 0) context.region.silence(context.slot);
    if (watched[0].revents != 0) return;
  }
}

}  // namespace

int run_checkpointer(const ChildContext& context) {
  const Result<UniqueFd> terminate = take_terminations();
  if (!terminate) {
    log_line(LogLevel::kError, "cannot_start", {{"error", terminate.error().message}});
    return kExitFailure;
  }
  Result<std::unique_ptr<store::Checkpointer>> checkpointer =
      store::Checkpointer::open(context.region, context.config, context.slot);
  if (!checkpointer) {
    log_line(LogLevel::kError, "cannot_start", {{"error", checkpointer.error().message}});
    // Once the node runs, another try may help; at the start it must not be tried again.
    const bool running = context.region.state().limits.recovered.load(std::memory_order_acquire) != 0;
    return running ? kExitFailure : kExitRefused;
  }
  say_ready(context);
  serve(context, **checkpointer, terminate->get());
  context.region.slot(context.slot).state.store(shared::ChildState::kDraining, std::memory_order_release);
  if (Status stopped = (*checkpointer)->stop(); !stopped) {
    log_line(LogLevel::kError, "stopped_without_checkpoint", {{"error", stopped.error().message}});
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace minivault
