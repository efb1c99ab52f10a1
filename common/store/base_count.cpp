#include "common/store/base_count.h"

#include <string>

#include "common/store/base_format.h"

namespace minivault::store::base {
namespace {

constexpr const char* kCounting = "counting records";

/// `value` may be null: then none is read.
template <typename Visit>
Status walk(const Environment& environment, MDB_txn* transaction, MDB_val* value, const Visit& visit) {
  MDB_cursor* opened = nullptr;
  if (const int code = ::mdb_cursor_open(transaction, environment.data(), &opened)) {
    return environment.failure(kCounting, code);
  }
  const CursorHandle cursor(opened);
  MDB_val key{};
  std::string_view before;
  int code = ::mdb_cursor_get(opened, &key, value, MDB_FIRST);
  for (; code == 0; code = ::mdb_cursor_get(opened, &key, value, MDB_NEXT)) {
    // A page that stands where another belongs may hold as many keys, but not in order.
    if (to_view(key) <= before) return environment.corrupt(kCounting, "a record out of order");
    before = to_view(key);
    visit(before);
  }
  return code == MDB_NOTFOUND ? Status() : environment.failure(kCounting, code);
}

}  // namespace

Result<std::uint64_t> count_records(const Environment& environment, MDB_txn* transaction) {
  std::uint64_t found = 0;
  Status walked = walk(environment, transaction, nullptr, [&](std::string_view) { ++found; });
  if (!walked) return tl::unexpected(walked.error());
  return found;
}

Result<Kinds> count_kinds(const Environment& environment, MDB_txn* transaction) {
  Kinds found;
  MDB_val value{};
  Status walked = walk(environment, transaction, &value, [&](std::string_view key) {
    const bool is_delete = operation_of(key, to_view(value)) == Operation::kDelete;
    ++(is_delete ? found.tombstones : found.keys);
  });
  if (!walked) return tl::unexpected(walked.error());
  return found;
}

Status compare_count(const Environment& environment, const BaseMeta& meta, std::uint64_t found) {
  const std::uint64_t said = meta.keys + meta.tombstones;
  if (found == said) return {};
  return environment.corrupt(kCounting, std::to_string(found) + " records are there of " +
                                            std::to_string(said) + ": pages are damaged");
}

}  // namespace minivault::store::base
