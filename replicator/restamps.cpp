#include "replicator/restamps.h"

#include <algorithm>

#include "common/core/log.h"

namespace minivault::replicator {
namespace {

constexpr std::size_t kMostRemembered = 100'000;
/// Another process may write the key between the look and the write.
constexpr int kTries = 3;

}  // namespace

void Restamps::conflict(const store::Change& record, const store::Version& held, Lsn told_up_to) {
  // What this node had forgotten and others brought back was answered long ago: whatever is newer was later.
  if ((record.flags & store::kFlagReturned) != 0) return;
  if (record.end <= told_up_to || once_.contains(record.lsn)) return;
  if (once_.size() >= kMostRemembered) once_.erase(once_.begin());
  once_.insert(record.lsn);
  Waiting again{record.lsn,
                record.operation,
                record.flags,
                record.version,
                held,
                std::string(record.key),
                std::string(record.value)};
  holds_.push_back({record.lsn, shared::kNoLsn});
  if (!write_again(again)) waiting_.push_back(std::move(again));
}

void Restamps::retry() {
  while (!waiting_.empty() && write_again(waiting_.front())) waiting_.pop_front();
}

bool Restamps::write_again(const Waiting& record) {
  for (int tries = 0; tries < kTries; ++tries) {
    const Result<store::Found> newest = store_->get(record.key);
    const bool superseded =
        newest && newest->version.origin == id_ && newest->version.hlc > record.version.hlc;
    if (!newest || !newest->known || superseded) break;
    store::Batch batch;
    store::Write write;
    write.operation = record.operation;
    write.flags = record.flags;
    write.key = record.key;
    write.value = record.value;
    write.condition = store::Condition::kVersionIs;
    write.expected = newest->version;
    write.version = {record.held.hlc, 0};  // stamped here, above that
    batch.add(write);
    const Status done = store_->commit(batch);
    if (!done && done.error().code == Code::kNoSpace) {
      store_->cancel_wait();
      return false;
    }
    const store::WriteResult& result = batch.result(0);
    if (result.outcome == store::WriteResult::Outcome::kDone) {
      once_.insert(result.end - store::record_bytes(record.key.size(), record.value.size()));
      store_->region().state().cluster.restamped.fetch_add(1, std::memory_order_relaxed);
      settle(record.lsn, result.end);
      return true;
    }
    if (!done) break;
  }
  settle(record.lsn, 0);
  return true;
}

void Restamps::settle(Lsn lsn, Lsn until) {
  for (Hold& hold : holds_) {
    if (hold.lsn == lsn) hold.until = until;
  }
}

Lsn Restamps::cap(Lsn quorum) {
  std::erase_if(holds_, [quorum](const Hold& hold) { return hold.until <= quorum; });
  for (const Hold& hold : holds_) quorum = std::min(quorum, hold.lsn);
  return quorum;
}

}  // namespace minivault::replicator
