#include "common/store/checkpoint.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/core/clock.h"
#include "common/core/fault_point.h"
#include "common/store/append_lock.h"
#include "common/store/let_go.h"

namespace minivault::store {
namespace {

// Measured: transactions of 5,000 sorted keys reach 770-907 k/s with 2-5 ms of the log's disk taken at a
// time; one of 400,000 reaches 122-248 k/s and stalls the log for 75 ms.
constexpr std::size_t kKeysPerTransaction = 5'000;
constexpr std::uint64_t kBytesPerTransaction = 16ULL << 20;
// Whose cache misses overlap, and what is fetched of a record to compare its key, or to store it.
constexpr std::size_t kLookedUpTogether = 32;
// After so many groups in a row of which the index told nothing, one of so many is asked about.
constexpr unsigned kFruitlessGroups = 16;
constexpr unsigned kAskedOfFruitless = 16;
constexpr std::size_t kUsualHead = 80;
constexpr std::size_t kUsualRecord = 192;
// Of the base, in one step of a sweep: some milliseconds.
constexpr std::size_t kSweptTogether = 20'000;

std::uint64_t prefix_of(std::string_view key) {
  std::uint64_t prefix = 0;
  for (std::size_t i = 0; i < sizeof prefix; ++i) {
    prefix = (prefix << 8) | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0U);
  }
  return prefix;
}

}  // namespace

Checkpoint::Checkpoint(shared::State& state, const Ring& ring, const Index& index, Base& base,
                       std::size_t most_at_once)
    : state_(state), ring_(ring), index_(index), base_(base), most_at_once_(most_at_once) {
  std::uint64_t unknown = 0;
  state_.drain.bytes_per_s.compare_exchange_strong(unknown, kUsualDrain, std::memory_order_relaxed);
}

Result<Lsn> Checkpoint::run(Lsn until) {
  const std::uint64_t began = monotonic_ns();
  const Lsn from = state_.marks.checkpoint.load(std::memory_order_relaxed);
  if (until <= from) return from;
  Result<Lsn> end = collect(from, until);
  if (!end) return end;
  // Before any of it can be read from the base: partner LogWriter::judge_by_base.
  shared::raise(state_.marks.base_hlc, largest_hlc_);
  const Status applied = apply(*end, *end - from);
  state_.drain.left.store(0, std::memory_order_relaxed);
  if (!applied) return tl::unexpected(applied.error());
  publish(*end);
  MV_FAULT_POINT("checkpoint.published");
  const std::uint64_t took = monotonic_ns() - began;
  state_.totals.checkpoints.fetch_add(1, std::memory_order_relaxed);
  state_.totals.checkpoint_times.record(took);
  shared::add(state_.totals.checkpointed_bytes, *end - from);
  note_pace(*end - from, took, state_.marks.tail.load(std::memory_order_relaxed) - *end);
  return end;
}

/// For the writers' pace: a small checkpoint says little of the rate of a large one, for syncs are most of
/// it.
void Checkpoint::note_pace(std::uint64_t bytes, std::uint64_t ns, std::uint64_t behind) {
  shared::Drain& drain = state_.drain;
  const std::uint64_t large = checkpoint_bytes(ring_.size()) / 2;
  if (bytes > large || records_ >= most_at_once_) {
    const double rate = static_cast<double>(bytes) * 1e9 / static_cast<double>(ns);
    drain.bytes_per_s.store(static_cast<std::uint64_t>(rate), std::memory_order_relaxed);
  }
  drain.in_a_row.store(behind > large ? 1 : 0, std::memory_order_relaxed);
}

Result<Lsn> Checkpoint::replay(Lsn until) {
  const Lsn from = state_.marks.checkpoint.load(std::memory_order_relaxed);
  Result<Lsn> end = collect_all(from, until);
  if (!end) return end;
  const Status applied = apply(*end, *end - from);
  state_.drain.left.store(0, std::memory_order_relaxed);
  if (!applied) return tl::unexpected(applied.error());
  publish(*end);
  return end;
}

Result<Lsn> Checkpoint::collect_all(Lsn from, Lsn until) {
  items_.clear();
  Lsn at = from;
  while (at < until && items_.size() < most_at_once_) {
    RecordView record;
    if (!ring_.view(at, record)) {
      return fail(Code::kCorrupt, "the log has no record at LSN " + std::to_string(at));
    }
    items_.push_back({0, at, record.header.key_size, record.header.operation == Operation::kNote});
    at = record.end();
  }
  sort();
  return at;
}

/// The newest record of each key in [from, E), sorted by key. Returns E: checkpoint_bytes() on at most, and
/// no more records than memory is meant for.
Result<Lsn> Checkpoint::collect(Lsn from, Lsn until) {
  items_.clear();
  largest_hlc_ = 0;
  fruitless_ = 0;
  const Lsn limit = std::min(until, from + checkpoint_bytes(ring_.size()));
  // Two passes over the bounds: what may be left out depends on where this checkpoint ends.
  Lsn end = from;
  records_ = 0;
  RecordView record;
  while (end < until && records_ < most_at_once_ && ring_.view(end, record) &&
         (end == from || record.end() <= limit)) {
    end = record.end();
    ++records_;
  }
  if (end == from) return fail(Code::kCorrupt, "the log has no record at LSN " + std::to_string(from));
  items_.reserve(records_);  // what is not used of it is not touched either

  state_.drain.left.store(end - from, std::memory_order_relaxed);

  const Lsn window = state_.marks.window.load(std::memory_order_acquire);
  for (Lsn at = from; at < end;) {
    const Result<Lsn> next = collect_some(at, end, window);
    if (!next) return next;
    at = *next;
  }
  sort();
  return end;
}

/// Takes the next few records in, but for those that a newer one supersedes. A few at once, so that the cache
/// misses of their lookups overlap. Where each key was written once, as in what a node missed, asking costs
/// more than it saves: what is taken in for nothing goes when it is sorted. Returns where the next begin.
Result<Lsn> Checkpoint::collect_some(Lsn from, Lsn end, Lsn window) {
  std::array<Asked, kLookedUpTogether> asked;
  const bool ask_all = fruitless_ < kFruitlessGroups || fruitless_ % kAskedOfFruitless == 0;
  std::size_t count = 0;
  std::size_t taken = 0;
  Lsn at = from;
  for (; at < end && taken < kLookedUpTogether; ++taken) {
    RecordView record;
    if (!ring_.view(at, record)) {
      return fail(Code::kCorrupt, "the log has no record at LSN " + std::to_string(at));
    }
    const Item item{0, at, record.header.key_size, record.header.operation == Operation::kNote};
    at = record.end();
    if (!item.is_note) largest_hlc_ = std::max(largest_hlc_, record.header.hlc);
    if (ask_all || item.is_note) {  // the same few notes come again and again
      asked[count] = {item, record.key, index_.hash(record.key, item.is_note)};
      index_.prefetch(asked[count++].hash);
    } else {
      items_.push_back(item);
    }
  }
  const bool any = take_newest(std::span(asked).first(count), end, window);
  fruitless_ = any && ask_all ? 0 : fruitless_ + 1;
  return at;
}

/// Whether any of them was superseded.
bool Checkpoint::take_newest(std::span<const Asked> asked, Lsn end, Lsn window) {
  for (const Asked& each : asked) {
    const Lsn newest = index_.candidate(each.hash, window);
    if (newest != shared::kNoLsn && newest != each.item.lsn) ring_.prefetch(newest, kUsualHead);
  }
  bool any = false;
  for (const Asked& each : asked) {
    const Item& item = each.item;
    const Lsn newest = index_.find(each.hash, window, [&](Lsn lsn) {
      return lsn == item.lsn || is_record_of(ring_, lsn, each.key, item.is_note);
    });
    const bool superseded = newest != shared::kNoLsn && newest > item.lsn && newest < end;
    if (!superseded) items_.push_back(item);
    any = any || (superseded && !item.is_note);
  }
  return any;
}

std::string_view Checkpoint::key_of(const Item& item) const {
  const std::byte* record = ring_.at(item.lsn);
  return {reinterpret_cast<const char*>(record + sizeof(RecordHeader)), item.key_size};
}

/// By key, notes behind: what they say of records is in the base no sooner than these. Of several records of
/// a key, which the index did not tell of, the newest stays.
void Checkpoint::sort() {
  // What all keys begin with. Notes are named in another way: they would leave nothing of it.
  std::string_view same;
  bool any = false;
  for (const Item& item : items_) {
    if (item.is_note) continue;
    const std::string_view key = key_of(item);
    if (!std::exchange(any, true)) same = key;
    if (key.starts_with(same)) continue;
    const auto end = std::mismatch(same.begin(), same.end(), key.begin(), key.end()).first;
    same = same.substr(0, static_cast<std::size_t>(end - same.begin()));
  }
  for (Item& item : items_) item.prefix = prefix_of(key_of(item).substr(item.is_note ? 0 : same.size()));
  std::sort(items_.begin(), items_.end(), [this](const Item& a, const Item& b) {
    if (a.is_note != b.is_note) return b.is_note;
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    if (const int order = key_of(a).compare(key_of(b)); order != 0) return order < 0;
    return a.lsn > b.lsn;
  });
  const auto superseded = [this](const Item& newer, const Item& older) {
    return newer.prefix == older.prefix && newer.is_note == older.is_note && key_of(newer) == key_of(older);
  };
  items_.erase(std::unique(items_.begin(), items_.end(), superseded), items_.end());
}

Status Checkpoint::apply(Lsn end, std::uint64_t bytes_of_log) {
  std::size_t next = 0;
  do {
    const std::size_t left = items_.size() - next;
    const std::uint64_t bytes_each = bytes_of_log / std::max<std::size_t>(items_.size(), 1);
    state_.drain.left.store(bytes_each * left, std::memory_order_relaxed);
    Result<Base::Transaction> transaction = base_.begin();
    if (!transaction) return tl::unexpected(transaction.error());
    std::uint64_t bytes = 0;
    const std::size_t stop = std::min(items_.size(), next + kKeysPerTransaction);
    for (; next < stop && bytes < kBytesPerTransaction; ++next) {
      const std::size_t soon = next + kLookedUpTogether / 2;
      if (soon < items_.size()) ring_.prefetch(items_[soon].lsn, kUsualRecord);
      if (Status ok = apply_item(*transaction, items_[next]); !ok) return ok;
      RecordView record;
      if (ring_.view(items_[next].lsn, record)) bytes += record.end() - items_[next].lsn;
    }
    BaseMeta& meta = transaction->meta();
    meta.last_hlc = std::max(meta.last_hlc, state_.append.last_hlc.load(std::memory_order_relaxed));
    if (lets_go_) {
      if (Status noted = note_let_go(*transaction, state_.append.last_hlc.load(std::memory_order_relaxed));
          !noted)
        return noted;
    }
    lets_go_ = false;
    meta.mid_checkpoint = next < items_.size();
    if (!meta.mid_checkpoint) meta.checkpoint = end;
    MV_FAULT_POINT("checkpoint.before_commit");
    if (Status ok = transaction->commit(); !ok) return ok;
    MV_FAULT_POINT("checkpoint.after_commit");
    tell_counts(meta);
  } while (next < items_.size());
  state_.totals.base_bytes.store(base_.used_bytes(), std::memory_order_relaxed);
  return {};
}

Status Checkpoint::apply_item(Base::Transaction& transaction, const Item& item) {
  RecordView record;
  if (!ring_.view(item.lsn, record)) {
    return fail(Code::kCorrupt, "the log has no record at LSN " + std::to_string(item.lsn));
  }
  const BaseRecord stored{record.header.operation, record.value_flags(), record.version(), record.value};
  if (item.is_note) return transaction.apply_note(record.key, stored);
  const std::uint64_t goes = purgeable();
  lets_go_ = lets_go_ || (goes == kEverything && stored.operation == Operation::kDelete);
  return transaction.apply(record.key, stored, record.header.hlc > goes);
}

/// Once they are on disk.
void Checkpoint::tell_counts(const BaseMeta& meta) {
  state_.totals.keys.store(meta.keys, std::memory_order_relaxed);
  state_.totals.tombstones.store(meta.tombstones, std::memory_order_relaxed);
}

/// Acquire: what the floor says is on disk; partner: Replicator::publish_floor.
std::uint64_t Checkpoint::purgeable() const {
  return purge_up_to(state_.limits.tombstone_floor_hlc.load(std::memory_order_acquire));
}

bool Checkpoint::sweep_is_due() const {
  return !sweep_from_.empty() ||
         (state_.totals.tombstones.load(std::memory_order_relaxed) > 0 && purgeable() != swept_up_to_);
}

Status Checkpoint::sweep() {
  if (!sweep_is_due()) return {};
  Result<Base::Transaction> transaction = base_.begin();
  if (!transaction) return tl::unexpected(transaction.error());
  if (sweep_from_.empty()) sweeping_up_to_ = purgeable();
  // Whoever was alone when the walk began may not be any more.
  const std::uint64_t up_to = std::min(sweeping_up_to_, purgeable());
  Result<Base::Transaction::Swept> swept = transaction->sweep(sweep_from_, kSweptTogether, up_to);
  if (!swept) return tl::unexpected(swept.error());
  MV_FAULT_POINT("sweep.before_commit");
  if (swept->removed > 0) {
    const bool alone = up_to == kEverything;
    const std::uint64_t last_hlc = state_.append.last_hlc.load(std::memory_order_relaxed);
    if (Status ok = alone ? note_let_go(*transaction, last_hlc) : Status(); !ok) return ok;
    if (Status ok = transaction->commit(); !ok) return ok;
    tell_counts(transaction->meta());
  }
  sweep_from_ = std::move(swept->next);
  if (sweep_from_.empty()) swept_up_to_ = sweeping_up_to_;
  return {};
}

/// The window stays as low as it can, for the index answers faster than the base, but far enough ahead of
/// what the writers will need that they seldom have to move it themselves (ENGINE.md rule 10).
void Checkpoint::publish(Lsn end) {
  // Release: after the synced commit. Partner: Reader::see, LogWriter::make_room.
  shared::raise(state_.marks.checkpoint, end);
  const Lsn soon = state_.marks.tail.load(std::memory_order_acquire) + ring_.size() / 16 + ring_.size() / 64;
  if (soon > ring_.size()) shared::raise(state_.marks.window, std::min(end, soon - ring_.size()));
}

}  // namespace minivault::store
