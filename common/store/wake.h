#pragma once

#include "common/shared/region.h"

namespace minivault::store {

/// Wakes the syncer thread, whatever it waits for.
void ring_syncer(shared::SyncerBell& bell);

/// Wakes who sleeps until the log grows: the syncer and the replicator. Called once the append lock is
/// released, by whoever appended, and for a writer that died before it could: it may have moved the tail
/// already (ENGINE.md rule 7).
void wake_sleepers(const shared::Region& region);

}  // namespace minivault::store
