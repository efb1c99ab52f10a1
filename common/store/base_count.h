#pragma once

#include <cstdint>

#include "common/core/error.h"
#include "common/store/base_environment.h"

/// How many records the base really holds. LMDB's pages have no checksums: one that is damaged may hide keys
/// from lookups and scans without an error, so only a count tells what is absent from what is lost.
namespace minivault::store::base {

/// Walks the keys of all records, in order, and looks at no value. Errors: kCorrupt, kIo.
[[nodiscard]] Result<std::uint64_t> count_records(const Environment& environment, MDB_txn* transaction);

struct Kinds {
  std::uint64_t keys = 0;
  std::uint64_t tombstones = 0;
};
/// The same by what each is; damaged ones as whoever replaces them takes them (operation_of()).
[[nodiscard]] Result<Kinds> count_kinds(const Environment& environment, MDB_txn* transaction);

/// kCorrupt unless `found` records are as many as `meta` says.
[[nodiscard]] Status compare_count(const Environment& environment, const BaseMeta& meta, std::uint64_t found);

}  // namespace minivault::store::base
