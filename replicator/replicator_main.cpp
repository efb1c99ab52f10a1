// A replicator: brings this node's writes to its peers.
//
// Started by    the supervisor, one a node, once the checkpointer said ready; again when it ends unasked,
// and, at
//               a reload, beside the one it is to replace: it begins when that one has gone.
// Ends          on SIGTERM: where a successor is there, at once. Where the node stops: when the workers have
//               gone (their last answers may wait for peers) and the peers have the rest of the log, at most
//               800 ms later. Exit 0.
// In a hurry    on a second SIGTERM: exits 0 at once.
// When it dies  its connections break and nothing is acknowledged for a moment. Its successor goes on from
// the
//               board and the notes: peers say where they are. Nothing is lost: what it had not sent is in
//               the log, and what a peer acknowledged twice is a number that does not grow.
// Must finish   nothing.
//
// It opens LMDB here, after the fork, for reading only.

#include <utility>

#include "common/core/log.h"
#include "common/process/exit_code.h"
#include "common/process/roles.h"
#include "common/process/signals.h"
#include "replicator/replicator.h"

namespace minivault {
namespace {

Status replicate(const ChildContext& context) {
  Result<UniqueFd> signals = take_terminations();
  if (!signals) return tl::unexpected(signals.error());
  Result<net::Poller> poller = net::Poller::create();
  if (!poller) return tl::unexpected(poller.error());
  Result<store::Store> store = store::Store::open(context.region, context.config, context.slot);
  if (!store) return tl::unexpected(store.error());
  return replicator::Replicator(context, *store, std::move(*poller), std::move(*signals)).run();
}

}  // namespace

int run_replicator(const ChildContext& context) {
  const Status replicated = replicate(context);
  if (replicated) return kExitOk;
  log_line(LogLevel::kError, "replicator_failed", {{"error", replicated.error().message}});
  return kExitFailure;
}

}  // namespace minivault
