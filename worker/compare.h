#pragma once

#include "common/config/config.h"
#include "common/core/error.h"
#include "common/shared/region.h"

namespace minivault::worker {

/// Answers the requests of a comparison (common/cluster/range.h) about this node's base over `socket`, from a
/// process of its own; the answer to the request that opened it is its first. What it tells of the node is at
/// least as new as the moment it began; nothing is held between requests, so that the base does not grow.
/// Ends with the client, after 30 s of silence, or with this worker.
///
/// Each costs a process. So those that came to nothing, because the client asked nothing or what does not
/// belong there, are counted in shared memory: after ten in a second the next ones are refused for as long,
/// and the log has 20 lines about them at once, then one in 5 s.
///
/// On success the conversation on `socket` is that process's: the caller forgets the socket without another
/// word. Errors: kBusy (enough are under way, or came to nothing
/// lately), kUnavailable, kIo.
[[nodiscard]] Status serve_comparison(const Config& config, const shared::Region& region, int socket);

}  // namespace minivault::worker
