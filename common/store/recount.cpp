#include "common/store/recount.h"

#include <utility>

#include "common/core/assert.h"
#include "common/core/clock.h"
#include "common/core/fault_point.h"
#include "common/core/log.h"

namespace minivault::store {
namespace {

// What a step takes at least: values of which the checksums are computed.
constexpr std::size_t kRecordsAtOnce = 1'000;
constexpr std::uint64_t kBytesAtOnce = 4ULL << 20;

}  // namespace

bool Recount::is_due() const {
  const Lsn after = state_.recount_after.load(std::memory_order_acquire);
  return after != 0 && after <= state_.marks.checkpoint.load(std::memory_order_relaxed);
}

bool Recount::go_on() {
  if (is_counted_ || !begin()) return false;
  const std::uint64_t until_ns = monotonic_ns() + step_ns_;
  do {
    const Result<bool> ended = count_->step(kRecordsAtOnce, kBytesAtOnce);
    is_counted_ = ended && *ended;
    if (!ended) give_up(ended.error());
    if (!ended || is_counted_) break;
  } while (monotonic_ns() < until_ns);
  if (is_counted_) MV_FAULT_POINT("recount.counted");
  return count_.has_value() && !is_counted_;
}

/// Where there is no place for another reader, later.
bool Recount::begin() {
  if (count_) return true;
  Result<Base::Recount> begun = base_.begin_recount();
  if (begun) count_.emplace(std::move(*begun));
  if (!begun && begun.error().code != Code::kUnavailable) give_up(begun.error());
  return begun.has_value();
}

void Recount::give_up(const Error& error) {
  log_line(LogLevel::kError, "base_damaged",
           {{"error", error.message}, {"remedy", "wipe this node and let its peers fill it"}});
  count_.reset();
  state_.recount_after.store(shared::kNoLsn, std::memory_order_release);
}

Status Recount::finish() {
  MV_ASSERT(is_counted_);
  Result<Base::Transaction> transaction = base_.begin();
  if (!transaction) return tl::unexpected(transaction.error());
  transaction->take(*count_);
  if (Status ok = transaction->commit(); !ok) return ok;
  const BaseMeta& meta = transaction->meta();
  state_.totals.keys.store(meta.keys, std::memory_order_relaxed);
  state_.totals.tombstones.store(meta.tombstones, std::memory_order_relaxed);
  log_line(LogLevel::kWarning, "base_recounted", {{"keys", meta.keys}, {"tombstones", meta.tombstones}});
  count_.reset();
  is_counted_ = false;
  state_.recount_after.store(0, std::memory_order_release);
  return {};
}

}  // namespace minivault::store
