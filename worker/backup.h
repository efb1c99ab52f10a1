#pragma once

#include "common/config/config.h"
#include "common/core/error.h"
#include "common/shared/region.h"

namespace minivault::worker {

/// Sends a backup (common/archive) of the whole node over `socket`, as the body of an HTTP response, from a
/// process of its own: compressing it, waiting for a cold disk and holding an LMDB snapshot for as long as
/// the client takes are all things that a worker must not do. The process ends with the backup, with a client
/// that takes less than 64 KB in 30 s, or with this worker. README.md says what the snapshot costs meanwhile.
///
/// On success the conversation on `socket` is that process's: the caller forgets the socket without another
/// word. Errors: kBusy (the node is sending one already), kUnavailable, kIo.
[[nodiscard]] Status send_backup(const Config& config, const shared::Region& region, int socket);

}  // namespace minivault::worker
