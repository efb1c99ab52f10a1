#include "common/store/wake.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace minivault::store {

void ring_syncer(shared::SyncerBell& bell) {
  bell.rings.fetch_add(1, std::memory_order_release);
  ::syscall(SYS_futex, &bell.rings, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

/// Rule 7: tail, full fence, look whether the syncer or the replicator sleeps. Partners: Syncer::sleep and
/// Replicator::may_sleep store, fence, look at the tail. What others wrote wakes the replicator too: it only
/// passes over that, but a small ring would have gone round before it looked by itself.
void wake_sleepers(const shared::Region& region) {
  shared::State& state = region.state();
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::atomic<std::uint32_t>& replicator = state.cluster.replicator_asleep;
  if (replicator.load(std::memory_order_relaxed) != 0) {
    if (const std::uint32_t slot = replicator.exchange(0, std::memory_order_relaxed); slot != 0) {
      region.ring(slot - 1);
    }
  }
  if (state.bell.asleep.load(std::memory_order_relaxed) != 0) ring_syncer(state.bell);
}

}  // namespace minivault::store
