#include <array>

#include "common/core/assert.h"
#include "common/store/base_count.h"
#include "common/store/base_format.h"
#include "common/store/base_impl.h"

namespace minivault::store {
namespace {

using base::Descent;
using base::Environment;
using base::StoredKey;
using base::Table;

constexpr const char* kReading = "reading a record";
using Found = Base::Snapshot::Answer;

/// What was found under `stored_key` as the record of `key`.
Found read_record(const Environment& environment, Table table, std::string_view key,
                  const StoredKey& stored_key, std::string_view bytes) {
  const bool whole = base::checksum_holds(stored_key.bytes(), bytes);
  BaseRecord usual;
  if (whole && base::decode_usual(table, stored_key.bytes(), bytes, usual)) return usual;
  const auto stored = base::decode_record(table, stored_key.bytes(), bytes);
  if (!stored) return environment.corrupt(kReading, stored.error().message);
  if (!whole) return environment.corrupt(kReading, "a record whose checksum does not match");
  if (!stored_key.beside_value().empty() && stored->key != key) {
    return environment.corrupt(kReading, "two long keys have the same hash");
  }
  return stored->record;
}

bool can_be_stored(std::string_view key) {
  return !key.empty() && key.size() <= base::kMaxKey;
}

/// By LMDB.
Found find(const Environment& environment, MDB_txn* transaction, Table table, std::string_view key) {
  if (!can_be_stored(key)) return std::nullopt;
  const StoredKey stored_key(key, environment.key_hash_seed());
  MDB_val stored_under = base::to_val(stored_key.bytes());
  MDB_val value{};
  const MDB_dbi dbi = table == Table::kData ? environment.data() : environment.notes();
  const int code = ::mdb_get(transaction, dbi, &stored_under, &value);
  if (code == MDB_NOTFOUND) return std::nullopt;
  if (code != 0) return environment.failure(kReading, code);
  return read_record(environment, table, key, stored_key, base::to_view(value));
}

/// By a descent that is over.
Found conclude(const Environment& environment, std::string_view key, const StoredKey& stored_key,
               const Descent& descent) {
  if (descent.state() == Descent::State::kFound) [[likely]]
    return read_record(environment, Table::kData, key, stored_key, descent.value());
  if (descent.state() == Descent::State::kAbsent) return std::nullopt;
  return environment.corrupt(kReading, "page " + std::to_string(descent.page()) + ": " + descent.damage());
}

/// A record on the way of a scan, all of it checked. `before` is the stored key of the one before, or empty.
Result<base::StoredRecord> verify(Table table, std::uint64_t hash_seed, std::string_view before,
                                  std::string_view stored_key, std::string_view bytes) {
  if (stored_key.empty()) return fail(Code::kCorrupt, "a record without a key");
  if (stored_key <= before) return fail(Code::kCorrupt, "a record out of order");
  auto stored = base::decode_record(table, stored_key, bytes);
  if (!stored) return stored;
  if (!base::checksum_holds(stored_key, bytes)) {
    return fail(Code::kCorrupt, "a record whose checksum does not match");
  }
  if (StoredKey(stored->key, hash_seed).bytes() != stored_key) {
    return fail(Code::kCorrupt, "a long key under another key's hash");
  }
  return stored;
}

}  // namespace

Base::Snapshot::Snapshot(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Base::Snapshot::Snapshot(Snapshot&&) noexcept = default;
Base::Snapshot& Base::Snapshot::operator=(Snapshot&&) noexcept = default;
Base::Snapshot::~Snapshot() = default;

void Base::Snapshot::reset() {
  if (!impl_->live) return;
  ::mdb_txn_reset(impl_->transaction.get());
  impl_->let_go();
}

Status Base::Snapshot::renew() {
  reset();
  const auto again = [this] { return ::mdb_txn_renew(impl_->transaction.get()); };
  int code = again();
  if (code != 0) [[unlikely]]
    code = impl_->environment->begin_reading(again);
  if (code != 0) return impl_->environment->failure("renewing a snapshot", code);
  const Status seen = impl_->see();
  if (!seen) reset();
  return seen;
}

Result<std::optional<BaseRecord>> Base::Snapshot::get(std::string_view key) const {
  MV_ASSERT(impl_->live);
  const Environment& environment = *impl_->environment;
  if (!impl_->can_descend) return find(environment, impl_->transaction.get(), Table::kData, key);
  if (!can_be_stored(key) || impl_->records.root == base::kNoPage) return std::nullopt;
  const StoredKey stored_key(key, environment.key_hash_seed());
  Descent descent(impl_->map, impl_->records.root, impl_->records.depth, stored_key.bytes());
  descent.finish();
  return conclude(environment, key, stored_key, descent);
}

void Base::Snapshot::get_many(std::span<const std::string_view> keys, std::span<Answer> answers) const {
  MV_ASSERT(impl_->live && keys.size() <= kMostAtOnce && keys.size() == answers.size());
  std::array<std::optional<Descent>, kMostAtOnce> descents;
  const bool can_descend = impl_->can_descend && impl_->records.root != base::kNoPage;
  for (std::size_t i = 0; i < keys.size() && can_descend; ++i) {
    // A stored key that is not the key itself would have to be kept somewhere.
    if (keys[i].empty() || keys[i].size() > base::kMaxPlainKey) continue;
    descents[i].emplace(impl_->map, impl_->records.root, impl_->records.depth, keys[i]);
  }
  for (bool goes_on = can_descend; goes_on;) {
    goes_on = false;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (descents[i] && !descents[i]->is_over() && descents[i]->step()) goes_on = true;
    }
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!descents[i]) {
      answers[i] = get(keys[i]);
      continue;
    }
    const StoredKey stored_key(keys[i], 0);
    answers[i] = conclude(*impl_->environment, keys[i], stored_key, *descents[i]);
  }
}

Result<BaseMeta> Base::Snapshot::meta() const {
  MV_ASSERT(impl_->live);
  return impl_->environment->read_meta(impl_->transaction.get());
}

Result<std::optional<BaseRecord>> Base::Snapshot::note(std::string_view name) const {
  MV_ASSERT(impl_->live);
  return find(*impl_->environment, impl_->transaction.get(), Table::kNotes, name);
}

Status Base::Snapshot::scan(std::string_view from, const Visit& visit, const Damaged& damaged) const {
  MV_ASSERT(from.size() <= base::kMaxKey);
  return scan_table(false, from, visit, damaged);
}

Status Base::Snapshot::scan_notes(const Visit& visit, const Damaged& damaged) const {
  return scan_table(true, {}, visit, damaged);
}

Status Base::Snapshot::scan_table(bool notes, std::string_view from, const Visit& visit,
                                  const Damaged& damaged) const {
  constexpr const char* kScanning = "scanning";
  MV_ASSERT(impl_->live);
  const Environment& environment = *impl_->environment;
  MDB_cursor* opened = nullptr;
  const MDB_dbi dbi = notes ? environment.notes() : environment.data();
  if (const int code = ::mdb_cursor_open(impl_->transaction.get(), dbi, &opened)) {
    return environment.failure(kScanning, code);
  }
  const base::CursorHandle cursor(opened);
  const StoredKey first(from, environment.key_hash_seed());
  MDB_val key = base::to_val(first.bytes());
  MDB_val value{};
  std::string_view before;
  std::uint64_t found = 0;
  int code = ::mdb_cursor_get(opened, &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
  for (; code == 0; code = ::mdb_cursor_get(opened, &key, &value, MDB_NEXT)) {
    const std::string_view stored_key = base::to_view(key);
    const auto stored = verify(notes ? Table::kNotes : Table::kData, environment.key_hash_seed(), before,
                               stored_key, base::to_view(value));
    before = stored_key;
    ++found;
    if (!stored) {
      const auto error = environment.corrupt(kScanning, stored.error().message);
      if (!damaged || !damaged(stored_key, error.value())) return error;
    } else if (!visit(stored->key, stored->record)) {
      return {};
    }
  }
  if (code != MDB_NOTFOUND) return environment.failure(kScanning, code);
  if (notes || !from.empty()) return {};
  const Result<BaseMeta> said = meta();
  if (!said) return tl::unexpected(said.error());
  const Status whole = base::compare_count(environment, *said, found);
  return whole || (damaged && damaged({}, whole.error())) ? Status() : whole;
}

Status Base::Snapshot::prove_whole() const {
  MV_ASSERT(impl_->live);
  const Result<BaseMeta> said = meta();
  if (!said) return tl::unexpected(said.error());
  return base::prove_count(*impl_->environment, impl_->transaction.get(), *said);
}

}  // namespace minivault::store
