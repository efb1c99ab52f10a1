#include "common/store/reader.h"

#include "common/core/assert.h"

namespace minivault::store {
namespace {

/// What is fetched ahead of a record; the processor itself follows a longer one.
constexpr std::size_t kUsualRecord = 192;

Newest as_newest(const RecordView& record) {
  return {true, record.header.operation, record.header.flags, record.version(), record.value, record.end()};
}

}  // namespace

Reader::Reader(shared::State& state, shared::ChildSlot& slot, const Ring& ring, const Index& index,
               const Base& base)
    : state_(state), slot_(slot), ring_(ring), index_(index), base_(base) {}

void Reader::begin_turn() {
  if (in_turn_) return;
  in_turn_ = true;
  slot_.turns.fetch_add(1, std::memory_order_relaxed);
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
  for (std::size_t i = 0; i < live_snapshots_; ++i) snapshots_[i].reset();
  live_snapshots_ = 0;
  slot_.pin.store(shared::kNoLsn, std::memory_order_release);
}

void Reader::trace(std::span<const std::string_view> keys, std::span<Trace> traces) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    traces[i].hash = index_.hash(keys[i], false);
    index_.prefetch(traces[i].hash);
  }
  for (Trace& trace : traces.first(keys.size())) {
    trace.lsn = index_.candidate(trace.hash, state_.marks.window.load(std::memory_order_acquire));
    if (trace.lsn != shared::kNoLsn) ring_.prefetch(trace.lsn, kUsualRecord);
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
  ++live_snapshots_;
  snapshot_checkpoint_ = checkpoint;
  return {};
}

Result<Newest> Reader::newest_in_base(std::string_view key) {
  return look_in_base([&](const Base::Snapshot& snapshot) { return snapshot.get(key); });
}

Result<Newest> Reader::note_in_base(std::string_view name) {
  return look_in_base([&](const Base::Snapshot& snapshot) { return snapshot.note(name); });
}

template <typename Look>
Result<Newest> Reader::look_in_base(Look&& look) {
  MV_ASSERT(in_turn_);
  if (Status seen = see(state_.marks.window.load(std::memory_order_acquire)); !seen) {
    return tl::unexpected(seen.error());
  }
  Result<std::optional<BaseRecord>> found = look(snapshots_[live_snapshots_ - 1]);
  if (!found) return tl::unexpected(found.error());
  if (!found->has_value()) return Newest{};
  const BaseRecord& record = **found;
  return Newest{true, record.operation, record.flags, record.version, record.value, 0};
}

}  // namespace minivault::store
