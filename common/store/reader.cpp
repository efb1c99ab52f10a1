#include "common/store/reader.h"

#include "common/core/assert.h"
#include "common/core/fault_point.h"

namespace minivault::store {
namespace {

/// What is fetched ahead of a record; the processor itself follows a longer one.
constexpr std::size_t kUsualRecord = 192;
/// So many lookups in a row that end in the base, and the next is taken to end there too. Where one in ten is
/// in the log, that hardly ever comes about, and a base asked in vain costs ten times what is saved.
constexpr unsigned kBaseFirstAfter = 32;

Newest as_newest(const std::optional<BaseRecord>& record) {
  if (!record) return {};
  return {true, record->operation, record->flags, record->version, record->value, 0};
}

Newest as_newest(const RecordView& record) {
  return {true, record.header.operation, record.value_flags(), record.version(), record.value, record.end()};
}

}  // namespace

Reader::Reader(shared::State& state, shared::ChildSlot& slot, const Ring& ring, const Index& index,
               const Base& base, std::uint64_t cache_bytes)
    : state_(state), slot_(slot), ring_(ring), index_(index), base_(base), cache_(cache_bytes) {}

void Reader::begin_turn() {
  if (in_turn_) return;
  in_turn_ = true;
  slot_.turns.fetch_add(1, std::memory_order_relaxed);
  turn_tail_ = state_.marks.tail.load(std::memory_order_acquire);
  // Either the writer that moves the window sees this pin, or this loop sees the moved window (full fences on
  // both sides; partner: LogWriter::make_room).
  Lsn pin = state_.marks.window.load(std::memory_order_acquire);
  while (true) {
    slot_.pin.store(pin, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const Lsn now = state_.marks.window.load(std::memory_order_seq_cst);
    if (now == pin) return;
    pin = now;
  }
}

void Reader::end_turn() {
  if (!in_turn_) return;
  in_turn_ = false;
  if (cache_.enabled()) {
    cache_.take_in();
    publish_counts();
  }
  for (std::size_t i = 0; i < live_snapshots_; ++i) snapshots_[i].reset();
  live_snapshots_ = 0;
  slot_.pin.store(shared::kNoLsn, std::memory_order_release);
}

void Reader::trace(std::span<const std::string_view> keys, std::span<Trace> traces) {
  // The cache's table is larger than the processor's, so a bucket that nobody will ask is a miss for nothing,
  // and one in memory that was never touched a walk through page tables each time.
  const bool cache_too = asks_cache_;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    traces[i].hash = index_.hash(keys[i], false);
    index_.prefetch(traces[i].hash);
    if (cache_too) cache_.prefetch(traces[i].hash);
  }
  asks_cache_ = false;
  for (Trace& trace : traces.first(keys.size())) {
    trace.lsn = index_.candidate(trace.hash, state_.marks.window.load(std::memory_order_acquire));
    if (trace.lsn != shared::kNoLsn) {
      ring_.prefetch(trace.lsn, kUsualRecord);
      continue;
    }
    asks_cache_ = true;
    cache_too ? cache_.prefetch_entry(trace.hash) : cache_.prefetch(trace.hash);
  }
}

Newest Reader::newest_in_log(std::string_view key, const Trace& trace) const {
  RecordView record;
  // It was the key's newest when it was traced, and the pin keeps it. Another key's record with the same tag
  // says nothing of this key.
  const bool found = trace.lsn != shared::kNoLsn && ring_.view(trace.lsn, record) && record.key == key &&
                     record.header.operation != Operation::kNote;
  return found ? as_newest(record) : newest_in_log(key, trace.hash);
}

Newest Reader::newest_in_log(std::string_view key, std::uint64_t hash, bool is_note) const {
  // Acquire, and before the slots are looked at: see Index::find.
  const Lsn window = state_.marks.window.load(std::memory_order_acquire);
  RecordView record;
  const Lsn lsn = index_.find(hash, window, [&](Lsn at) {
    return ring_.view(at, record) && record.key == key &&
           (record.header.operation == Operation::kNote) == is_note;
  });
  if (lsn == shared::kNoLsn) return {};
  return as_newest(record);
}

Status Reader::see(Lsn window) {
  if (live_snapshots_ > 0 && snapshot_checkpoint_ >= window) return {};
  // The commit came before the store of the checkpoint, so a snapshot taken after this load holds at least
  // that.
  const Lsn checkpoint = state_.marks.checkpoint.load(std::memory_order_acquire);
  if (live_snapshots_ == snapshots_.size()) {
    Result<Base::Snapshot> fresh = base_.snapshot();
    if (!fresh) return tl::unexpected(fresh.error());
    snapshots_.push_back(std::move(*fresh));
  } else if (Status renewed = snapshots_[live_snapshots_].renew(); !renewed) {
    return renewed;
  }
  MV_FAULT_POINT("reader.took_snapshot");
  ++live_snapshots_;
  snapshot_checkpoint_ = checkpoint;
  return {};
}

template <typename Ask>
Result<Newest> Reader::cached_or_asked(std::string_view key, std::uint64_t hash, Lsn window, Ask&& ask) {
  std::optional<BaseRecord> kept;
  if (cache_.find(key, hash, window, kept)) {
    base_in_a_row_ = 0;
    return as_newest(kept);
  }
  const Result<std::optional<BaseRecord>>& found = ask();
  if (!found) return tl::unexpected(found.error());
  MV_FAULT_POINT("reader.asked_base");
  ++base_in_a_row_;
  cache_.offer(key, hash, turn_tail_, *found);
  return as_newest(*found);
}

Result<Newest> Reader::newest_below_window(std::string_view key, std::uint64_t hash) {
  // After the miss in the index (ENGINE.md rule 11): a window that moved while the index was looked at is
  // seen.
  const Lsn window = state_.marks.window.load(std::memory_order_acquire);
  return cached_or_asked(key, hash, window, [&] {
    return look_in_base(window, [&](const Base::Snapshot& base) { return base.get(key); });
  });
}

/// Asks the base while the index's cache line is on its way, a miss of its own in a large table. Which of the
/// two is asked first does not matter: with a miss in the index, a snapshot is everything if it was taken at
/// or above the window as it is after that miss (rules 1 and 11).
Result<Newest> Reader::newest_base_first(std::string_view key, std::uint64_t hash) {
  index_.prefetch(hash);
  const Lsn seen = snapshot_checkpoint_;
  const Result<std::optional<BaseRecord>> ahead = snapshots_[live_snapshots_ - 1].get(key);
  if (const Newest in_log = newest_in_log(key, hash); in_log.known) {
    base_in_a_row_ = 0;
    return in_log;
  }
  const Lsn window = state_.marks.window.load(std::memory_order_acquire);
  if (seen < window) return newest_below_window(key, hash);
  return cached_or_asked(key, hash, window,
                         [&]() -> const Result<std::optional<BaseRecord>>& { return ahead; });
}

Result<Newest> Reader::note_in_base(std::string_view name) {
  const Lsn window = state_.marks.window.load(std::memory_order_acquire);
  const auto found = look_in_base(window, [&](const Base::Snapshot& base) { return base.note(name); });
  if (!found) return tl::unexpected(found.error());
  return as_newest(*found);
}

template <typename Look>
Result<std::optional<BaseRecord>> Reader::look_in_base(Lsn window, Look&& look) {
  MV_ASSERT(in_turn_);
  if (Status seen = see(window); !seen) return tl::unexpected(seen.error());
  return look(snapshots_[live_snapshots_ - 1]);
}

Result<Newest> Reader::newest(std::string_view key, std::uint64_t hash) {
  cache_.prefetch(hash);
  if (base_in_a_row_ >= kBaseFirstAfter && live_snapshots_ > 0) return newest_base_first(key, hash);
  if (const Newest in_log = newest_in_log(key, hash); in_log.known) {
    base_in_a_row_ = 0;
    return in_log;
  }
  return newest_below_window(key, hash);
}

std::size_t Reader::newest_of(std::span<const std::string_view> keys, std::span<Newest> newest) {
  std::array<Trace, kMostAtOnce> traces;
  trace(keys, traces);
  for (std::size_t i = 0; i < keys.size(); ++i) newest[i] = newest_in_log(keys[i], traces[i]);
  // After every miss in the index, as in newest_below_window().
  const Lsn window = state_.marks.window.load(std::memory_order_acquire);
  std::array<std::string_view, kMostAtOnce> missed;
  std::array<std::size_t, kMostAtOnce> places;
  std::size_t count = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (newest[i].known) continue;
    std::optional<BaseRecord> kept;
    if (cache_.find(keys[i], traces[i].hash, window, kept)) {
      newest[i] = as_newest(kept);
    } else {
      missed[count] = keys[i];
      places[count++] = i;
    }
  }
  if (count == 0) return keys.size();
  if (!see(window)) return places[0];
  std::array<Base::Snapshot::Answer, kMostAtOnce> answers;
  snapshots_[live_snapshots_ - 1].get_many(std::span(missed).first(count), std::span(answers).first(count));
  MV_FAULT_POINT("reader.asked_base");
  for (std::size_t i = 0; i < count; ++i) {
    if (!answers[i]) return places[i];
    cache_.offer(missed[i], traces[places[i]].hash, turn_tail_, *answers[i]);
    newest[places[i]] = as_newest(*answers[i]);
  }
  return keys.size();
}

void Reader::publish_counts() {
  const ReadCache::Counts now = cache_.counts();
  if (now.hits + now.misses == published_.hits + published_.misses) return;
  shared::CacheCounters& shown = slot_.cache;
  shown.hits.fetch_add(now.hits - published_.hits, std::memory_order_relaxed);
  shown.misses.fetch_add(now.misses - published_.misses, std::memory_order_relaxed);
  shown.items.store(now.items, std::memory_order_relaxed);
  shown.bytes.store(now.bytes, std::memory_order_relaxed);
  published_ = now;
}

}  // namespace minivault::store
