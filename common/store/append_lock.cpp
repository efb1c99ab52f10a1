#include "common/store/append_lock.h"

#include <cerrno>

#include "common/core/assert.h"
#include "common/core/fault_point.h"
#include "common/core/log.h"

namespace minivault::store {

void roll_forward(shared::State& state, const Ring& ring, const Index& index, Lsn until) {
  RecordView record;
  Lsn at = state.marks.tail.load(std::memory_order_relaxed);
  while (at < until && ring.verify(at, record)) {
    const bool is_note = record.header.operation == Operation::kNote;
    const std::uint64_t hash = index.hash(record.key, is_note);
    const Lsn window = state.marks.window.load(std::memory_order_relaxed);
    const Index::Place place = index.place(
        hash, window, [&](Lsn lsn) { return is_record_of(ring, lsn, record.key, is_note); },
        [](std::uint64_t) { return false; });
    if (place.word == Index::kNoWord) return;
    index.publish(place.word, hash, at);
    MV_FAULT_POINT("mend.between_slot_and_tail");
    shared::raise(state.append.last_hlc, record.header.hlc);
    at = record.end();
    state.marks.tail.store(at, std::memory_order_release);
  }
}

AppendGuard::AppendGuard(shared::State& state, const Ring& ring, const Index& index, unsigned slot)
    : lock_(state.append) {
  const int got = ::pthread_mutex_lock(&lock_.mutex);
  MV_ASSERT(got == 0 || got == EOWNERDEAD);
  lock_.holder.store(slot + 1, std::memory_order_relaxed);
  lock_.acquisitions.fetch_add(1, std::memory_order_relaxed);
  if (got != EOWNERDEAD) return;
  const Lsn tail = state.marks.tail.load(std::memory_order_relaxed);
  roll_forward(state, ring, index, tail + ring.size());
  const Lsn mended = state.marks.tail.load(std::memory_order_relaxed);
  log_line(LogLevel::kWarning, "append_lock_mended", {{"rolled_forward_bytes", mended - tail}});
  MV_FAULT_POINT("mend.before_consistent");
  // Only now: whoever dies before this line leaves the lock as it was found.
  ::pthread_mutex_consistent(&lock_.mutex);
}

AppendGuard::~AppendGuard() {
  lock_.holder.store(0, std::memory_order_relaxed);
  ::pthread_mutex_unlock(&lock_.mutex);
}

}  // namespace minivault::store
