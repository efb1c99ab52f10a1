#include "common/store/reader_watch.h"

namespace minivault::store {
namespace {

constexpr std::uint64_t kLookMs = 500;

}  // namespace

void ReaderWatch::look(shared::Totals& totals, const Base& base, std::uint64_t now_ms) {
  if (now_ms < next_look_ms_) return;
  next_look_ms_ = now_ms + kLookMs;
  const Base::Readers readers = base.readers();
  totals.base_readers.store(readers.looking, std::memory_order_relaxed);
  totals.oldest_reader_lag.store(readers.looking == 0 ? 0 : readers.newest_commit - readers.oldest_commit,
                                 std::memory_order_relaxed);
  if (readers.oldest_commit == oldest_commit_) return;
  oldest_commit_ = readers.oldest_commit;
  totals.oldest_reader_since_ms.store(readers.looking == 0 ? 0 : now_ms, std::memory_order_relaxed);
}

}  // namespace minivault::store
