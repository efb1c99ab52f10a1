#pragma once

#include <cstdint>

#include "common/shared/layout.h"

namespace minivault::store {

/// How writers are slowed down so that the backlog, what a start would have to replay, stays within a quarter
/// of the ring however long they write as fast as they can (ENGINE.md rule 9, but for where it begins: from a
/// half full ring on, a load without end settled at 300 MB of 512).
///
/// A checkpoint takes its part off the backlog all at once, at its end. So what may still be written until
/// then is spread over the time that it still takes: room / left times the rate at which it gets on. With
/// checkpoints of half of what may be there, that is the checkpointer's own rate from the first to the last
/// byte: writers feel that, and no wall. Where it was guessed too high, room shrinks faster than what is
/// left, and the pace with it. It never stands still: without room, a small part of that rate is let through.
///
/// The pace is the node's, not a writer's: `AppendLock::paced_until_ns`.

/// What the backlog is kept within: a little less than a quarter, for the pace counts in whole commits.
[[nodiscard]] constexpr std::uint64_t most_backlog(std::uint64_t ring_bytes) {
  return ring_bytes / 64 * 15;
}
/// What makes a checkpoint due, and the most that one covers.
[[nodiscard]] constexpr std::uint64_t checkpoint_bytes(std::uint64_t ring_bytes) {
  return most_backlog(ring_bytes) / 2;
}
/// A burst is taken as fast as it comes up to here. Behind it the backlog is not caught up with, and the next
/// checkpoint follows at once: then the pace holds from its beginning.
[[nodiscard]] constexpr std::uint64_t burst_bytes(std::uint64_t ring_bytes) {
  return ring_bytes / 16 * 3;
}
/// Of a checkpointer that was not seen at work yet.
inline constexpr std::uint64_t kUsualDrain = 64ULL << 20;

/// The least that is let through, as a part of the checkpointer's rate: what a checkpointer that stands still
/// leaves of the ring is filled slowly.
inline constexpr double kLeast = 1.0 / 16;
/// The longest pause that one commit makes, however little room there is.
inline constexpr std::uint64_t kLongestPauseNs = 10'000'000;
/// Writers come back a ms or so after they were told to: so much of the time that they were late counts as
/// paused.
inline constexpr std::uint64_t kLateNs = 2'000'000;

/// How long the node's writers pause for a commit of `bytes` that left the log with `backlog`. 0: not at all.
[[nodiscard]] std::uint64_t pause_ns(const shared::Drain& drain, std::uint64_t ring_bytes,
                                     std::uint64_t backlog, std::uint64_t bytes);

}  // namespace minivault::store
