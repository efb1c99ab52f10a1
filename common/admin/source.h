#pragma once

#include <functional>
#include <string>

#include "common/admin/arguments.h"
#include "common/archive/format.h"

namespace minivault::admin {

/// Reads all records of `from`, which is a data directory without a running node, a backup file, or the
/// address of a running node (through its /_/backup). OK only when all were told and everything was as it was
/// written; until then what was told may be a part. Errors: the callbacks'; all that name what is wrong with
/// `from`.
using Begin = std::function<Status(const archive::Header&)>;
using Visit = std::function<Status(const archive::Record&)>;
[[nodiscard]] Status read_records(const std::string& from, const Arguments& arguments, const Begin& begin,
                                  const Visit& visit);

}  // namespace minivault::admin
