#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/core/error.h"
#include "common/store/base_environment.h"

/// How many records the base really holds. LMDB's pages have no checksums: one that is damaged may hide keys
/// from lookups and scans without an error, so only a count tells what is absent from what is lost.
namespace minivault::store::base {

/// A walk through all records that one transaction sees, in order, in steps. Must not outlive the
/// transaction.
class RecordCount {
 public:
  /// kNumber looks at no value, and counts all as keys; kKind tells what each is, damaged ones as whoever
  /// replaces them takes them (operation_of()).
  enum class By { kNumber, kKind };
  [[nodiscard]] static Result<RecordCount> begin(const Environment& environment, MDB_txn* transaction, By by);

  /// The next `records`, or fewer once their values came to `bytes`. True: that was the end. Errors: kCorrupt
  /// (out of order), kIo.
  [[nodiscard]] Result<bool> step(std::size_t records, std::uint64_t bytes);
  [[nodiscard]] const Kinds& found() const { return found_; }

 private:
  RecordCount(const Environment& environment, MDB_cursor* cursor, By by)
      : environment_(&environment), cursor_(cursor), by_(by) {}

  const Environment* environment_;
  CursorHandle cursor_;
  By by_;
  std::string_view before_;  ///< in LMDB's map; empty: none yet
  Kinds found_;
};

/// kCorrupt unless as many records are there as `meta` says. Looks at no value. Errors: kIo too.
[[nodiscard]] Status prove_count(const Environment& environment, MDB_txn* transaction, const BaseMeta& meta);
/// kCorrupt unless `found` records are as many as `meta` says.
[[nodiscard]] Status compare_count(const Environment& environment, const BaseMeta& meta, std::uint64_t found);

}  // namespace minivault::store::base
