#include "common/store/store.h"

#include <algorithm>
#include <array>
#include <limits>

#include "common/core/assert.h"
#include "common/store/base_opening.h"
#include "common/store/log_writer.h"
#include "common/store/reader.h"
#include "common/store/recovery.h"

namespace minivault::store {

namespace {

/// Of the log, read from one end to the other.
constexpr std::size_t kReadAhead = 1024;
constexpr std::size_t kReadAheadStep = 192;

/// Who answers clients has a cache; all of them share what is configured.
std::uint64_t cache_share(const shared::ChildSlot& slot, const Config& config) {
  if (slot.role.load(std::memory_order_relaxed) != shared::Role::kWorker) return 0;
  return config.bytes_a_cache();
}

}  // namespace

struct Store::Impl {
  Impl(shared::Region& shared, const Config& config, unsigned own_slot, Base opened_base, Ring opened_ring)
      : region(shared),
        state(shared.state()),
        slot(own_slot),
        metrics(shared.metrics(own_slot)),
        max_value_bytes(config.max_value_bytes),
        sync_always(config.sync.kind == SyncMode::Kind::kAlways),
        base(std::move(opened_base)),
        ring(std::move(opened_ring)),
        index(region.index_words(), state.limits.index_seed.load()),
        reader(state, region.slot(slot), ring, index, base, cache_share(region.slot(slot), config)),
        writer(region, slot, ring, index, reader, config.sync) {}

  [[nodiscard]] Result<Newest> newest(std::string_view key);
  [[nodiscard]] Result<Found> found(const Result<Newest>& newest) const;
  [[nodiscard]] Found as_found(const Newest& newest) const;

  shared::Region& region;
  shared::State& state;
  unsigned slot;
  shared::ProcessMetrics& metrics;
  std::uint64_t max_value_bytes;
  bool sync_always;
  Base base;
  Ring ring;
  Index index;
  Reader reader;
  LogWriter writer;
};

Result<Store> Store::open(shared::Region& region, const Config& config, unsigned slot) {
  shared::State& state = region.state();
  if (state.limits.recovered.load(std::memory_order_acquire) == 0) {
    return fail(Code::kUnavailable, "the store is not recovered yet");
  }
  const BaseOpening alone(state);
  Result<Base> base = Base::open_reader(config.data_directory, state.limits.base_map_bytes.load());
  if (!base) return tl::unexpected(base.error());
  Result<Ring> ring = Ring::open(log_path(config));
  if (!ring) return tl::unexpected(ring.error());
  return Store(std::make_unique<Impl>(region, config, slot, std::move(*base), std::move(*ring)));
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

void Store::begin_turn() {
  impl_->reader.begin_turn();
}
void Store::end_turn() {
  impl_->reader.end_turn();
}

Found Store::Impl::as_found(const Newest& newest) const {
  Found found;
  // In `always` nobody sees what a power cut can still take back (ENGINE.md rule 8).
  if (sync_always && newest.end > state.marks.durable.load(std::memory_order_acquire)) {
    found.answer_after = newest.end;
  }
  found.known = newest.known;
  found.version = newest.version;
  if (!newest.present()) return found;
  found.present = true;
  found.value = newest.value;
  found.flags = newest.flags;
  return found;
}

Result<Found> Store::get(std::string_view key) {
  MV_ASSERT(impl_->reader.in_turn());
  return impl_->found(impl_->newest(key));
}

/// Index, then cache, then base, counted.
Result<Newest> Store::Impl::newest(std::string_view key) {
  Result<Newest> newest = reader.newest(key, index.hash(key, false));
  if (newest) shared::add(newest->is_in_log() ? metrics.found_by_index : metrics.asked_below_window);
  return newest;
}

Result<Found> Store::note(std::string_view name) {
  MV_ASSERT(impl_->reader.in_turn());
  const Newest in_log = impl_->reader.newest_in_log(name, impl_->index.hash(name, true), true);
  return impl_->found(in_log.known ? in_log : impl_->reader.note_in_base(name));
}

Result<Found> Store::Impl::found(const Result<Newest>& newest) const {
  if (!newest) return tl::unexpected(newest.error());
  return as_found(*newest);
}

static_assert(Store::kMostAtOnce <= Reader::kMostAtOnce);

std::size_t Store::get_many(std::span<const std::string_view> keys, std::span<Found> found) {
  MV_ASSERT(impl_->reader.in_turn() && keys.size() <= kMostAtOnce && keys.size() <= found.size());
  std::array<Newest, kMostAtOnce> newest;
  const std::size_t done = impl_->reader.newest_of(keys, newest);
  std::size_t in_log = 0;
  for (std::size_t i = 0; i < done; ++i) {
    found[i] = impl_->as_found(newest[i]);
    in_log += newest[i].is_in_log() ? 1 : 0;
  }
  shared::add(impl_->metrics.found_by_index, in_log);
  shared::add(impl_->metrics.asked_below_window, done - in_log);
  return done;
}

void Store::look_ahead(std::span<const std::string_view> keys) const {
  MV_ASSERT(keys.size() <= kMostAtOnce);
  std::array<Reader::Trace, kMostAtOnce> traces;
  impl_->reader.trace(keys, traces);
}

Status Store::commit(Batch& batch) {
  return impl_->writer.commit(batch);
}
void Store::cancel_wait() {
  impl_->writer.cancel_wait();
}

Lsn Store::durable() const {
  return impl_->state.marks.durable.load(std::memory_order_acquire);
}

/// Rule 7: the wish, full fence, look once more. Partner: Syncer::publish.
bool Store::ring_when_durable(Lsn lsn) {
  std::atomic<Lsn>& want = impl_->region.slot(impl_->slot).durable_want;
  want.store(lsn, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (impl_->state.marks.durable.load(std::memory_order_acquire) < lsn) return true;
  want.store(shared::kNoLsn, std::memory_order_relaxed);
  return false;
}

Result<Lsn> Store::read_changes(Lsn from, std::uint64_t limit_bytes,
                                const std::function<bool(const Change&)>& visit) {
  MV_ASSERT(impl_->reader.in_turn());
  const Lsn tail = impl_->state.marks.tail.load(std::memory_order_acquire);
  // What is at or above the window when the turn began cannot be overwritten before it ends.
  if (from < impl_->state.marks.window.load(std::memory_order_acquire)) {
    return fail(Code::kNotFound, "the log no longer holds LSN " + std::to_string(from));
  }
  Lsn at = from;
  RecordView record;
  while (at < tail && at - from < limit_bytes) {
    // Some records ahead: the processor by itself does not look beyond the page.
    impl_->ring.prefetch(at + kReadAhead, kReadAheadStep);
    if (!impl_->ring.view(at, record)) return fail(Code::kCorrupt, "no record at LSN " + std::to_string(at));
    const Change change{
        at,         record.end(), record.header.operation, record.header.flags, record.version(),
        record.key, record.value};
    at = record.end();
    if (!visit(change)) break;
  }
  return at;
}

std::uint64_t Store::largest_value(std::size_t key_size) const {
  return largest_value_in(impl_->ring, key_size, impl_->max_value_bytes);
}

shared::Failure Store::failure() const {
  return impl_->state.failure.load(std::memory_order_acquire);
}

shared::Region& Store::region() const {
  return impl_->region;
}

}  // namespace minivault::store
