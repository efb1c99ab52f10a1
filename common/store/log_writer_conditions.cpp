// What conditions ask for: the newest record of a key as the log, the base and the stable floor tell it.

#include <algorithm>
#include <utility>

#include "common/core/fault_point.h"
#include "common/core/key_text.h"
#include "common/core/log.h"
#include "common/store/log_writer.h"

namespace minivault::store {
namespace {

bool holds(Condition condition, bool known, bool present, const Version& held, const Version& expected,
           const Version& own) {
  switch (condition) {
    case Condition::kNone:
      return true;
    case Condition::kAbsent:
      return !present;
    case Condition::kPresent:
      return present;
    case Condition::kVersionIs:
      return known && held == expected;
    case Condition::kNewerThanHeld:
      return !known || held < own;
  }
  return false;
}

/// What is not here was deleted, if this node ever held it.
bool is_authority(const shared::State& state) {
  return state.cluster.complete.load(std::memory_order_acquire) != 0 &&
         state.base_damage.load(std::memory_order_acquire) == shared::kNoDamage;
}

}  // namespace

/// Looks up in the base, without the lock, what conditions will ask for when the index knows nothing. A
/// record whose HLC value is larger than any in the base is newer than what its key has there, whatever that
/// is: so a stream of what a node missed costs it no lookups.
Status LogWriter::judge_by_base(Batch& batch) {
  // In this order: everything below the checkpoint is covered by the value.
  const Lsn covered = state_.marks.checkpoint.load(std::memory_order_acquire);
  const std::uint64_t base_hlc = state_.marks.base_hlc.load(std::memory_order_acquire);
  const Lsn window = state_.marks.window.load(std::memory_order_acquire);
  for (std::size_t i = batch.settled_; i < batch.entries_.size(); ++i) {
    Batch::Entry& entry = batch.entries_[i];
    if (entry.condition == Condition::kNone || entry.judgement.at >= window) continue;
    if (entry.result.outcome == WriteResult::Outcome::kFailed) continue;
    // Up to the floor it matters whether the key is there at all.
    if (entry.condition == Condition::kNewerThanHeld &&
        entry.header.hlc > std::max({base_hlc, ghost_floor(), entry.expected.hlc})) {
      entry.judgement = {covered, false, false, {}, true};
      MV_FAULT_POINT("append.judged");
      continue;
    }
    look_ahead(batch, i);
    const std::string_view key = batch.key_of(entry);
    const bool is_note = entry.header.operation == Operation::kNote;
    const Lsn tail =
        state_.marks.tail.load(std::memory_order_acquire);  // before the lookups (ENGINE.md rule 3)
    if (reader_.newest_in_log(key, entry.key_hash, is_note).known) continue;
    Result<Newest> found =
        is_note ? reader_.note_in_base(key) : reader_.newest_below_window(key, entry.key_hash);
    if (!found && found.error().code != Code::kCorrupt) return tl::unexpected(found.error());
    MV_FAULT_POINT("append.judged");
    if (!found) {
      log_line(LogLevel::kError, "damaged record",
               {{"key", shown_key(key)}, {"error", found.error().message}});
      judge_damaged(entry, tail);
      continue;
    }
    entry.judgement = {tail, found->known, found->present(), found->version};
  }
  return {};
}

/// What the base holds of this key is damaged: nothing can be said of it, so whoever asks for that fails
/// alone. A record of another node takes its place, for the others' are whole: what is there counts as older
/// than any. (Not as absent: up to the floor that would make a ghost of its copies.)
void LogWriter::judge_damaged(Batch::Entry& entry, Lsn at) {
  if (entry.condition == Condition::kNewerThanHeld) {
    entry.judgement = {at, true, true, {}};
  } else {
    entry.result.outcome = WriteResult::Outcome::kFailed;
  }
}

/// Under the lock, where the newest record of the log is known, and what the base said stands or is asked for
/// again. Who is refused is settled.
LogWriter::Verdict LogWriter::decide(const Batch& batch, Batch::Entry& entry, const Planned* planned,
                                     Lsn replaces) const {
  const bool in_log = planned != nullptr || replaces != shared::kNoLsn;
  const Lsn window = state_.marks.window.load(std::memory_order_relaxed);
  if (!in_log && entry.judgement.at < window) return Verdict::kUnknown;
  const Held now = held(batch, entry, planned, replaces);
  const Version own{entry.header.hlc, entry.header.origin};
  if (!holds(entry.condition, now.known, now.present, now.version, entry.expected, own)) {
    refuse(entry, now);
    return Verdict::kRefused;
  }
  const bool may_be_ghost = entry.condition == Condition::kNewerThanHeld && !now.known &&
                            entry.header.operation != Operation::kNote;
  // Read after the lookup that found nothing: whatever tombstone a sweep had taken away by then lies below.
  const std::uint64_t held_alone = is_authority(state_) ? entry.expected.hlc : 0;
  const std::uint64_t floor = may_be_ghost ? std::max(ghost_floor(), held_alone) : 0;
  if (floor != 0 && floor >= own.hlc) {
    // The floor has passed a record that was judged without a lookup.
    if (std::exchange(entry.judgement, {}).by_clock) return Verdict::kUnknown;
    refuse(entry, {.version = {floor, 0}});
    return Verdict::kRefused;
  }
  return Verdict::kHolds;
}

LogWriter::Held LogWriter::held(const Batch& batch, const Batch::Entry& entry, const Planned* planned,
                                Lsn replaces) const {
  if (planned != nullptr) {
    const RecordHeader& header = batch.entries_[planned->entry].header;
    return {true, header.operation != Operation::kDelete, {header.hlc, header.origin}, planned->end};
  }
  RecordView record;
  if (replaces != shared::kNoLsn && ring_.view(replaces, record)) {
    return {true, record.header.operation != Operation::kDelete, record.version(), record.end()};
  }
  return {entry.judgement.known, entry.judgement.present, entry.judgement.version, 0};
}

void LogWriter::refuse(Batch::Entry& entry, const Held& held) const {
  entry.result.outcome = WriteResult::Outcome::kRefused;
  entry.result.version = held.version;
  const bool at_risk = sync_.kind == SyncMode::Kind::kAlways &&
                       held.end > state_.marks.durable.load(std::memory_order_relaxed);
  entry.result.answer_after = at_risk ? held.end : 0;
}

/// What every member held once, and is not here now, was deleted so long ago that its tombstone is gone too
/// (REPLICATION.md rule 5): records up to this are ghosts, 0: none is.
std::uint64_t LogWriter::ghost_floor() const {
  if (!is_authority(state_)) return 0;
  const std::uint64_t floor = state_.limits.tombstone_floor_hlc.load(std::memory_order_acquire);
  return floor == kEverything ? 0 : floor;
}

}  // namespace minivault::store
