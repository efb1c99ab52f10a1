#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

#include "common/core/assert.h"
#include "common/core/fault_point.h"
#include "common/core/key_text.h"
#include "common/core/log.h"
#include "common/store/base_format.h"
#include "common/store/base_impl.h"

namespace minivault::store {
namespace {

using base::Environment;
using base::StoredKey;
using base::Table;

constexpr const char* kWriting = "writing a record";
constexpr const char* kSweeping = "sweeping tombstones";

/// What one apply did to a key: the operation it held before and holds now, nullopt for none.
struct Outcome {
  std::optional<Operation> before;
  std::optional<Operation> after;
};

/// Writes records of one table through a cursor that stays where the last one went: for sorted keys the next
/// is on the same page, and no tree is walked.
class TableWriter {
 public:
  TableWriter(const Environment& environment, MDB_cursor* cursor, Table table)
      : environment_(environment), cursor_(cursor), table_(table) {}

  Result<Outcome> put(const StoredKey& key, const BaseRecord& record) {
    // One walk both finds out whether the key is there and, if not, makes room for it.
    MDB_val stored_under = base::to_val(key.bytes());
    MDB_val room{base::record_bytes(key, record), nullptr};
    int code = ::mdb_cursor_put(cursor_, &stored_under, &room, MDB_NOOVERWRITE | MDB_RESERVE);
    Outcome outcome{std::nullopt, record.operation};
    if (code == MDB_KEYEXIST) {
      const auto held = held_under(key, base::to_view(room));
      if (!held) return tl::unexpected(held.error());
      outcome.before = held->operation;
      if (record.version < held->version) return Outcome{outcome.before, outcome.before};
      room = {base::record_bytes(key, record), nullptr};
      // The cursor is there: no second walk.
      code = ::mdb_cursor_put(cursor_, &stored_under, &room, MDB_CURRENT | MDB_RESERVE);
    }
    if (code != 0) return environment_.write_failure(kWriting, code);
    base::encode_record(key, record, static_cast<char*>(room.mv_data));
    return outcome;
  }

  Result<Outcome> remove(const StoredKey& key, const Version& version) {
    MDB_val stored_under = base::to_val(key.bytes());
    MDB_val value{};
    int code = ::mdb_cursor_get(cursor_, &stored_under, &value, MDB_SET_KEY);
    if (code == MDB_NOTFOUND) return Outcome{};
    if (code != 0) return environment_.failure(kWriting, code);
    const auto held = held_under(key, base::to_view(value));
    if (!held) return tl::unexpected(held.error());
    if (version < held->version) return Outcome{held->operation, held->operation};
    const Operation before = held->operation;
    code = ::mdb_cursor_del(cursor_, 0);
    if (code != 0) return environment_.write_failure(kWriting, code);
    return Outcome{before, std::nullopt};
  }

  Result<Base::Transaction::Swept> sweep(std::string_view from, std::size_t most, std::uint64_t up_to) {
    Base::Transaction::Swept swept;
    MDB_val key = base::to_val(from);
    MDB_val value{};
    int code = ::mdb_cursor_get(cursor_, &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
    for (std::size_t seen = 0; code == 0; ++seen) {
      if (seen == most) {
        swept.next = base::to_view(key);
        return swept;
      }
      const auto stored = base::decode_record(table_, base::to_view(key), base::to_view(value));
      const bool purged = stored && stored->record.operation == Operation::kDelete &&
                          stored->record.version.hlc <= up_to &&
                          base::checksum_holds(base::to_view(key), base::to_view(value));  // damage stays
      if (purged) {
        code = ::mdb_cursor_del(cursor_, 0);
        if (code != 0) return environment_.write_failure(kSweeping, code);
        ++swept.removed;
      }
      code = ::mdb_cursor_get(cursor_, &key, &value, MDB_NEXT);  // after a removal: what stands there now
    }
    if (code != MDB_NOTFOUND) return environment_.failure(kSweeping, code);
    return swept;
  }

 private:
  /// What is there. A damaged record is older than any: the log's, which is whole, takes its place. (Its
  /// version cannot be believed, and nobody could write the key any more.)
  [[nodiscard]] Result<BaseRecord> held_under(const StoredKey& key, std::string_view bytes) const {
    const auto stored = base::decode_record(table_, key.bytes(), bytes);
    if (!stored || !base::checksum_holds(key.bytes(), bytes)) {
      log_line(LogLevel::kWarning, "damaged record replaced", {{"key", shown_key(key.bytes())}});
      BaseRecord damaged;
      damaged.operation = base::operation_of(key.bytes(), bytes);
      return damaged;
    }
    if (!key.beside_value().empty() && stored->key != key.beside_value()) {
      return environment_.corrupt(kWriting, "two long keys have the same hash");
    }
    return stored->record;
  }

  const Environment& environment_;
  MDB_cursor* cursor_;
  Table table_;
};

/// What a damaged record was cannot always be known: it may have been counted as the other kind. Their sum
/// stays right, by which everybody tells whether records are hidden (base_count.h).
void take_off(std::uint64_t removed, std::uint64_t& of_its_kind, std::uint64_t& of_the_other) {
  const std::uint64_t counted = std::min(removed, of_its_kind);
  of_its_kind -= counted;
  of_the_other -= std::min(removed - counted, of_the_other);
}

void count(const Outcome& outcome, BaseMeta& meta, base::Kinds& changed) {
  const auto change = [&](Operation kind) {
    return std::int64_t{outcome.after == kind} - std::int64_t{outcome.before == kind};
  };
  changed += {change(Operation::kSet), change(Operation::kDelete)};
  if (outcome.before == Operation::kSet) take_off(1, meta.keys, meta.tombstones);
  if (outcome.before == Operation::kDelete) take_off(1, meta.tombstones, meta.keys);
  if (outcome.after == Operation::kSet) ++meta.keys;
  if (outcome.after == Operation::kDelete) ++meta.tombstones;
}

Status check_key(std::string_view key) {
  if (!key.empty() && key.size() <= base::kMaxKey) return {};
  return fail(Code::kInvalidArgument, "a key of " + std::to_string(key.size()) + " bytes");
}

}  // namespace

Base::Transaction::Transaction(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Base::Transaction::Transaction(Transaction&&) noexcept = default;
Base::Transaction& Base::Transaction::operator=(Transaction&&) noexcept = default;
Base::Transaction::~Transaction() = default;

Status Base::Transaction::apply(std::string_view key, const BaseRecord& record, bool keep_tombstone) {
  MV_ASSERT(impl_->transaction != nullptr && record.operation != Operation::kNote);
  if (!impl_->state) return impl_->state;
  if (auto checked = check_key(key); !checked) return impl_->state = checked;
  const StoredKey stored_key(key, impl_->environment->key_hash_seed());
  TableWriter table(*impl_->environment, impl_->data, Table::kData);
  const bool remove = record.operation == Operation::kDelete && !keep_tombstone;
  const auto outcome = remove ? table.remove(stored_key, record.version) : table.put(stored_key, record);
  if (!outcome) return impl_->state = tl::unexpected(outcome.error());
  count(*outcome, impl_->meta, impl_->changed);
  impl_->meta.last_hlc = std::max(impl_->meta.last_hlc, record.version.hlc);
  return {};
}

Status Base::Transaction::apply_note(std::string_view name, const BaseRecord& record) {
  MV_ASSERT(impl_->transaction != nullptr && record.operation == Operation::kNote);
  if (!impl_->state) return impl_->state;
  if (auto checked = check_key(name); !checked) return impl_->state = checked;
  if (impl_->notes == nullptr) {
    const int code = ::mdb_cursor_open(impl_->transaction.get(), impl_->environment->notes(), &impl_->notes);
    if (code != 0) return impl_->state = impl_->environment->failure(kWriting, code);
  }
  const StoredKey stored_key(name, impl_->environment->key_hash_seed());
  const auto outcome = TableWriter(*impl_->environment, impl_->notes, Table::kNotes).put(stored_key, record);
  if (!outcome) return impl_->state = tl::unexpected(outcome.error());
  impl_->meta.last_hlc = std::max(impl_->meta.last_hlc, record.version.hlc);
  return {};
}

Result<Base::Transaction::Swept> Base::Transaction::sweep(std::string_view from, std::size_t most,
                                                          std::uint64_t up_to) {
  MV_ASSERT(impl_->transaction != nullptr && most > 0);
  if (!impl_->state) return tl::unexpected(impl_->state.error());
  Result<Swept> swept = TableWriter(*impl_->environment, impl_->data, Table::kData).sweep(from, most, up_to);
  if (!swept) {
    impl_->state = tl::unexpected(swept.error());
  } else {
    take_off(swept->removed, impl_->meta.tombstones, impl_->meta.keys);
    impl_->changed.tombstones -= static_cast<std::int64_t>(swept->removed);
  }
  return swept;
}

void Base::Transaction::take(const Recount& counted) {
  MV_ASSERT(impl_->transaction != nullptr && !counted.impl_->walk);
  const base::Kinds now = counted.impl_->with(impl_->changed);
  // Damage may have shown a transaction what it hid from the walk.
  impl_->meta.keys = static_cast<std::uint64_t>(std::max(now.keys, std::int64_t{0}));
  impl_->meta.tombstones = static_cast<std::uint64_t>(std::max(now.tombstones, std::int64_t{0}));
}

BaseMeta& Base::Transaction::meta() {
  return impl_->meta;
}

Status Base::Transaction::commit() {
  MV_ASSERT(impl_->transaction != nullptr);
  Environment& environment = *impl_->environment;
  if (impl_->state) impl_->state = environment.write_meta(impl_->transaction.get(), impl_->meta);
  if (!impl_->state) {
    impl_->end();
    return impl_->state;
  }
  int code = ::mdb_txn_commit(impl_->transaction.release());
  if (MV_FAULT_FAILS("base.commit")) code = ENOMEM;
  environment.writing = false;
  if (code == 0) {
    environment.changed += impl_->changed;
    return {};
  }
  auto failed = environment.write_failure("committing", code);
  // LMDB refuses further writes once its meta page could not be written, whatever the reason.
  MDB_txn* probe = nullptr;
  if (::mdb_txn_begin(environment.get(), nullptr, 0, &probe) != 0) {
    failed.value().code = Code::kIo;
  } else {
    ::mdb_txn_abort(probe);
  }
  // A lack of memory may be what the sync tells of pages that it lost.
  if (failed.value().code == Code::kUnavailable) failed.value().code = Code::kIo;
  environment.failed_to_sync = failed.value().code == Code::kIo;
  return failed;
}

}  // namespace minivault::store
