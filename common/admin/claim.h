#pragma once

#include <string>

#include "common/core/error.h"
#include "common/core/unique_fd.h"

/// The claim on a data directory that a node's processes hold (supervisor/data_directory.h), for those who
/// work on the directory without a node. Held as long as the descriptor is open.
namespace minivault::admin {

/// Keeps nodes away and lets other readers in. Changes nothing: where there is no lock file, no node has ever
/// been, and the claim is empty. Errors: kBusy (a node has it: names its pid), kNotFound (no such directory),
/// kIo.
[[nodiscard]] Result<UniqueFd> claim_to_read(const std::string& directory);

/// Keeps everybody away; makes the lock file if there is none. REQUIRES: the directory exists.
[[nodiscard]] Result<UniqueFd> claim_to_write(const std::string& directory);

}  // namespace minivault::admin
