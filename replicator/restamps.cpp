#include "replicator/restamps.h"

#include <algorithm>

namespace minivault::replicator {
namespace {

/// Another process may write the key between the look and the write.
constexpr int kTries = 3;

}  // namespace

void Restamps::conflict(const store::Change& record, const store::Version& held, Lsn told) {
  // What this node had forgotten and others brought back was answered long ago, and what was told at once
  // (-async) before it was sent: whatever is newer was later.
  if ((record.flags & store::kFlagsDecided) != 0) return;
  if (record.end <= told || own_.is_again(record.lsn)) return;
  if ((record.flags & store::kFlagConditional) != 0) return give_up(record);
  const auto [place, is_new] = writes_.try_emplace(record.lsn);
  Write& write = place->second;
  if (!is_new && (held.hlc <= write.above_hlc || (held.origin == id_ && held.hlc <= write.hlc))) return;
  if (is_new) write.end = record.end, write.hlc = record.version.hlc;
  write.above_hlc = held.hlc;
  write.until = shared::kNoLsn;
  if (write.waits) return;
  // Behind what waits: that is asked for first, and not all of the log is looked through in one turn.
  const Record its{record.operation, record.flags, record.key, record.value};
  if (waiting_ == 0 && write_again(write, its)) return;
  await(write, its);
}

void Restamps::await(Write& write, const Record& record) {
  write.waits = true;
  write.operation = record.operation;
  write.flags = record.flags;
  write.key = record.key;
  write.value = record.value;
  ++waiting_;
}

/// What was to be acknowledged with it is on its own again.
void Restamps::give_up(const store::Change& record) {
  shared::note_beaten(store_->region().state().cluster.beaten, record.end);
  own_.note_beaten(record.lsn, record.end);
  for (auto& [lsn, write] : writes_) {
    if (write.until != record.end) continue;
    write.until = shared::kNoLsn;
    const auto visit = [this, &write = write](const store::Change& its) {
      await(write, {its.operation, its.flags, its.key, its.value});
      return false;
    };
    // Where the ring has lost it, its outcome stays unknown.
    (void)store_->read_changes(lsn, 1, visit);
  }
}

void Restamps::retry(Lsn told) {
  if (waiting_ == 0) return;
  for (auto& [lsn, write] : writes_) {
    if (!write.waits || write.end <= told) continue;
    if (!write_again(write, {write.operation, write.flags, write.key, write.value})) return;
    write.waits = false;
    write.key = write.value = std::string();
    --waiting_;
  }
}

bool Restamps::write_again(Write& write, const Record& record) {
  for (int tries = 0; tries < kTries; ++tries) {
    const Result<store::Found> newest = store_->get(record.key);
    if (!newest || !newest->known) return true;  // its outcome stays unknown
    // The log knows, and not get(): this node's later write may be behind what another one wrote, and what is
    // newest, if it is this node's own, may be what others brought back.
    const Result<Lsn> later = own_.last_since(write.end, record.key);
    if (!later) return later.error().code != Code::kUnavailable;
    if (*later != 0) {
      write.until = *later;  // it stands for this one; in conflict, too, it holds the quorum itself
      return true;
    }
    store::Batch batch;
    store::Write again;
    again.operation = record.operation;
    again.flags = record.flags;
    again.key = record.key;
    again.value = record.value;
    again.condition = store::Condition::kVersionIs;
    again.expected = newest->version;
    again.version = {write.above_hlc, 0};  // stamped here, above that
    batch.add(again);
    const Status done = store_->commit(batch);
    if (!done) {
      store_->cancel_wait();
      return done.error().code != Code::kNoSpace;
    }
    const store::WriteResult& result = batch.result(0);
    if (result.outcome != store::WriteResult::Outcome::kDone) continue;
    own_.note_again(result.end - store::record_bytes(record.key.size(), record.value.size()));
    store_->region().state().cluster.restamped.fetch_add(1, std::memory_order_relaxed);
    write.until = result.end;
    write.hlc = result.version.hlc;
    write.above_hlc = result.version.hlc - 1;
    return true;
  }
  return false;
}

Lsn Restamps::cap(Lsn quorum, Lsn told) {
  own_.forget(told);
  // From the last: what holds the quorum may keep it below what an earlier one waits for.
  for (auto at = writes_.rbegin(); at != writes_.rend(); ++at) {
    if (at->second.end > told && at->second.until > quorum) quorum = std::min(quorum, at->first);
  }
  std::erase_if(writes_, [&](const auto& each) {
    const Write& write = each.second;
    const bool is_over = write.end <= told || write.until <= quorum;
    if (is_over && write.waits) --waiting_;
    return is_over;
  });
  return quorum;
}

}  // namespace minivault::replicator
