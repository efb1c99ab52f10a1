#include "common/store/base_count.h"

#include <limits>
#include <string>

#include "common/store/base_format.h"

namespace minivault::store::base {
namespace {

constexpr const char* kCounting = "counting records";

}  // namespace

Result<RecordCount> RecordCount::begin(const Environment& environment, MDB_txn* transaction, By by) {
  MDB_cursor* opened = nullptr;
  if (const int code = ::mdb_cursor_open(transaction, environment.data(), &opened)) {
    return environment.failure(kCounting, code);
  }
  return RecordCount(environment, opened, by);
}

Result<bool> RecordCount::step(std::size_t records, std::uint64_t bytes) {
  MDB_val key{};
  MDB_val value{};
  MDB_val* const looked_at = by_ == By::kKind ? &value : nullptr;
  for (std::uint64_t seen = 0; records > 0 && seen < bytes; --records) {
    // The cursor stands on the last one that was counted, or, at the beginning, nowhere.
    const int code = ::mdb_cursor_get(cursor_.get(), &key, looked_at, MDB_NEXT);
    if (code == MDB_NOTFOUND) return true;
    if (code != 0) return environment_->failure(kCounting, code);
    // A page that stands where another belongs may hold as many keys, but not in order.
    if (to_view(key) <= before_) return environment_->corrupt(kCounting, "a record out of order");
    before_ = to_view(key);
    const bool is_delete =
        looked_at != nullptr && operation_of(before_, to_view(value)) == Operation::kDelete;
    ++(is_delete ? found_.tombstones : found_.keys);
    seen += value.mv_size;
  }
  return false;
}

Status prove_count(const Environment& environment, MDB_txn* transaction, const BaseMeta& meta) {
  auto count = RecordCount::begin(environment, transaction, RecordCount::By::kNumber);
  if (!count) return tl::unexpected(count.error());
  const auto counted = count->step(std::numeric_limits<std::size_t>::max(), 1);
  if (!counted) return tl::unexpected(counted.error());
  return compare_count(environment, meta, static_cast<std::uint64_t>(count->found().keys));
}

Status compare_count(const Environment& environment, const BaseMeta& meta, std::uint64_t found) {
  const std::uint64_t said = meta.keys + meta.tombstones;
  if (found == said) return {};
  return environment.corrupt(kCounting, std::to_string(found) + " records are there of " +
                                            std::to_string(said) + ": pages are damaged");
}

}  // namespace minivault::store::base
