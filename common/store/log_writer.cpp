#include "common/store/log_writer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/core/assert.h"
#include "common/core/fault_point.h"
#include "common/core/log.h"
#include "common/store/node_clock.h"
#include "common/store/wake.h"

namespace minivault::store {
namespace {

constexpr std::size_t kMostPlanned = 1024;
// How many of what will be looked at are fetched together, ahead of the entry being planned: old records this
// far, the index groups that name them twice as far.
constexpr std::size_t kAhead = 8;
constexpr std::size_t kUsualKey = 32;
constexpr std::uint64_t kChunkBytes = 4ULL << 20;  // the lock is not held for longer than this takes to copy

}  // namespace

LogWriter::LogWriter(shared::Region& region, unsigned slot, Ring& ring, const Index& index, Reader& reader,
                     const SyncMode& sync)
    : region_(region),
      state_(region.state()),
      slot_(slot),
      ring_(ring),
      index_(index),
      reader_(reader),
      sync_(sync) {}

Status LogWriter::commit(Batch& batch) {
  MV_ASSERT(reader_.in_turn());
  if (is_paced(batch)) {
    return fail(Code::kNoSpace, "the checkpointer is behind: writers are slowed down");
  }
  hash_entries(batch);
  clock_hlc_ = node_clock(state_.append);
  largest_hlc_ = largest_believable_hlc(state_.append);
  while (batch.settled_ < batch.size()) {
    if (Status judged = judge_by_base(batch); !judged) {
      cancel_wait();
      settle_failed(batch);
      return judged;
    }
    const Stop stop = append_some(batch);
    MV_FAULT_POINT("append.before_wake");
    wake_sleepers(region_);
    if (stop == Stop::kFailed) {
      settle_failed(batch);
      return fail(Code::kUnavailable, "this node takes no writes: an earlier write of its log failed");
    }
    if (stop == Stop::kNoVersion && next_hlc() >= kEndOfTime) {
      settle_failed(batch);
      return fail(Code::kUnavailable, "no version is left: a record of this node says " +
                                          hlc_text(next_hlc() - 1) +
                                          "; what it holds can be dumped, and loaded into a new directory");
    }
    if (stop == Stop::kNoVersion) {
      ask_for_sync();
      return fail(
          Code::kNoSpace,
          "no version can be given yet: the node's clock is not known, or its next seconds are not on disk");
    }
    if (stop == Stop::kNotItsTurn) return fail(Code::kNoSpace, "others wait for room in the log before this");
    if (stop != Stop::kNoRoom) continue;
    if (state_.base_full.load(std::memory_order_acquire) != 0) {
      cancel_wait();
      settle_failed(batch);
      return fail(Code::kUnavailable, "no space left on the device");
    }
    return fail(Code::kNoSpace, "the log has no room until the next checkpoint");
  }
  return {};
}

/// Everything that needs no lock is done before it is taken.
void LogWriter::hash_entries(Batch& batch) {
  const std::uint64_t secret = ring_.header().secret;
  for (; batch.hashed_ < batch.entries_.size(); ++batch.hashed_) {
    Batch::Entry& entry = batch.entries_[batch.hashed_];
    const std::string_view key = batch.key_of(entry);
    entry.key_hash = index_.hash(key, entry.header.operation == Operation::kNote);
    if (batch.hashed_ - batch.settled_ < 2 * kAhead) index_.prefetch(entry.key_hash);
    entry.header.payload_hash = hash_payload(key, batch.value_of(entry), secret);
  }
  for (std::size_t i = 0; i < kAhead; ++i) prefetch_old(batch, batch.settled_ + i);
}

/// The record that the entry's key has now, where there is one.
void LogWriter::prefetch_old(const Batch& batch, std::size_t at) const {
  if (at >= batch.entries_.size()) return;
  const Lsn window = state_.marks.window.load(std::memory_order_relaxed);
  const Lsn old = index_.candidate(batch.entries_[at].key_hash, window);
  if (old != shared::kNoLsn) ring_.prefetch(old, sizeof(RecordHeader) + kUsualKey);
}

/// Several at once: a prefetch holds the processor up while it finds out where the page is, which takes as
/// long as the fetch itself where that page was not used lately, and several of these overlap.
void LogWriter::look_ahead(const Batch& batch, std::size_t at) const {
  if (at % kAhead != 0) return;
  const std::size_t stop = std::min(batch.entries_.size(), at + 3 * kAhead);
  for (std::size_t i = at + 2 * kAhead; i < stop; ++i) index_.prefetch(batch.entries_[i].key_hash);
  for (std::size_t i = at + kAhead; i < at + 2 * kAhead; ++i) prefetch_old(batch, i);
}

LogWriter::Stop LogWriter::append_some(Batch& batch) {
  const AppendGuard guard(state_, ring_, index_, slot_);
  MV_FAULT_POINT("append.locked");
  if (state_.failure.load(std::memory_order_acquire) != shared::Failure::kNone) return Stop::kFailed;
  if (others_wait_before_me()) {
    take_ticket();
    return Stop::kNotItsTurn;
  }
  forget_plan();
  Lsn next = state_.marks.tail.load(std::memory_order_relaxed);
  const Lsn begin = next;
  Stop stop = Stop::kAtEnd;
  for (std::size_t at = batch.settled_; at < batch.entries_.size() && stop == Stop::kAtEnd; ++at) {
    const bool full = plan_.size() == kMostPlanned || (next > begin && next - begin >= kChunkBytes);
    look_ahead(batch, at);
    stop = full ? Stop::kChunkFull : plan_entry(batch, at, next);
    if (stop == Stop::kAtEnd) batch.settled_ = at + 1;
  }
  if (!plan_.empty()) {
    if (Status written = write_and_publish(batch, next); !written) {
      shared::Failure none = shared::Failure::kNone;
      state_.failure.compare_exchange_strong(none, shared::Failure::kLogWrite, std::memory_order_acq_rel);
      log_line(LogLevel::kError, "log_write_failed", {{"error", written.error().message}});
      region_.ring_all();  // nothing parked will be acknowledged any more
      for (const Planned& planned : plan_) batch.entries_[planned.entry].result = {};
      batch.settled_ = plan_.front().entry;
      return Stop::kFailed;
    }
  }
  if (stop == Stop::kNoRoom) {
    take_ticket();
  } else {
    region_.slot(slot_).space_ticket.store(0, std::memory_order_relaxed);
  }
  return stop;
}

/// What the log never takes; nor a note behind it, for that may say that it did.
bool LogWriter::fails(Batch& batch, Batch::Entry& entry, std::uint64_t bytes) const {
  const bool damaged = entry.result.outcome == WriteResult::Outcome::kFailed;  // judge_damaged()
  const bool is_note = entry.header.operation == Operation::kNote;
  if (!damaged && entry.header.hlc <= largest_hlc_ && bytes <= ring_.largest_record() &&
      !(batch.has_failed_ && is_note)) {
    return false;
  }
  entry.result.outcome = WriteResult::Outcome::kFailed;
  batch.has_failed_ = true;
  return true;
}

/// Finds room for one entry and makes its record ready, or settles it as refused.
LogWriter::Stop LogWriter::plan_entry(Batch& batch, std::size_t at, Lsn& next) {
  Batch::Entry& entry = batch.entries_[at];
  const Lsn end = next + record_bytes(entry.header.key_size, entry.header.value_size);
  if (fails(batch, entry, end - next)) return Stop::kAtEnd;
  if (entry.header.origin == 0) note_seen(std::exchange(entry.header.hlc, 0));
  if (end > state_.append.writable_end.load(std::memory_order_relaxed) && !make_room(end))
    return Stop::kNoRoom;

  const Planned* planned = planned_for(batch, entry);
  const Index::Place place = planned != nullptr ? Index::Place{planned->word, shared::kNoLsn, shared::kNoLsn}
                                                : find_place(batch, entry);
  if (entry.condition != Condition::kNone) {
    const Verdict verdict = decide(batch, entry, planned, place.replaces);
    if (verdict == Verdict::kUnknown) return Stop::kNeedsJudgement;
    if (verdict == Verdict::kRefused) return Stop::kAtEnd;
  }
  // All words of the group may be taken by this very plan: once it is written, there is room again.
  if (place.word == Index::kNoWord) return plan_.empty() ? Stop::kNoRoom : Stop::kChunkFull;
  if (entry.header.hlc == 0 && !may_stamp(entry)) return Stop::kNoVersion;

  stamp(batch, entry, next);
  add_pieces(batch, entry);
  std::uint16_t& chain = chain_of(entry.key_hash);
  plan_.push_back({at, place.word, next, end, entry.key_hash, chain});
  chain = static_cast<std::uint16_t>(plan_.size());
  next = end;
  return Stop::kAtEnd;
}

/// A slot that is the key's own or free; where there is none, the window moves past the oldest of the group,
/// if the base has that one already (ENGINE.md rule 5).
Index::Place LogWriter::find_place(const Batch& batch, const Batch::Entry& entry) {
  const std::string_view key = batch.key_of(entry);
  const bool is_note = entry.header.operation == Operation::kNote;
  const std::uint16_t chain = chain_of(entry.key_hash);
  const auto is_key = [&](Lsn lsn) { return is_record_of(ring_, lsn, key, is_note); };
  const auto is_taken = [&](std::uint64_t word) {
    for (std::uint16_t at = chain; at != 0; at = plan_[at - 1U].before) {
      if (plan_[at - 1U].word == word) return true;
    }
    return false;
  };
  while (true) {
    const Lsn window = state_.marks.window.load(std::memory_order_relaxed);
    const Index::Place place = index_.place(entry.key_hash, window, is_key, is_taken);
    if (place.word != Index::kNoWord || place.oldest == shared::kNoLsn) return place;
    if (place.oldest >= state_.marks.checkpoint.load(std::memory_order_acquire)) return place;
    shared::raise(state_.marks.window, place.oldest + kRecordAlignment);
  }
}

void LogWriter::forget_plan() {
  for (const Planned& planned : plan_) chain_of(planned.key_hash) = 0;
  plan_.clear();
  pieces_.clear();
}

std::uint16_t& LogWriter::chain_of(std::uint64_t key_hash) {
  return chains_[index_.group(key_hash) % chains_.size()];
}

const LogWriter::Planned* LogWriter::planned_for(const Batch& batch, const Batch::Entry& entry) {
  const bool is_note = entry.header.operation == Operation::kNote;
  for (std::uint16_t at = chain_of(entry.key_hash); at != 0; at = plan_[at - 1U].before) {
    const Planned& planned = plan_[at - 1U];
    if (planned.key_hash != entry.key_hash) continue;
    const Batch::Entry& other = batch.entries_[planned.entry];
    const bool same_kind = (other.header.operation == Operation::kNote) == is_note;
    if (same_kind && batch.key_of(other) == batch.key_of(entry)) return &planned;
  }
  return nullptr;
}

/// Whatever is stamped here from now on is above `hlc`.
void LogWriter::note_seen(std::uint64_t hlc) {
  std::atomic<std::uint64_t>& last = state_.append.last_hlc;
  if (hlc > last.load(std::memory_order_relaxed)) last.store(hlc, std::memory_order_relaxed);
}

std::uint64_t LogWriter::next_hlc() const {
  return std::max(state_.append.last_hlc.load(std::memory_order_relaxed) + 1, clock_hlc_);
}

/// Nothing is stamped above the ceiling that is on disk; and no client's write while the clock is awaited.
bool LogWriter::may_stamp(const Batch::Entry& entry) const {
  const bool is_note = entry.header.operation == Operation::kNote;
  if (!is_note && awaits_clock(state_)) return false;
  return next_hlc() < state_.append.hlc_ceiling.load(std::memory_order_acquire);
}

/// Local writes get their HLC value under the lock, above all that the node has seen, so a later record of a
/// key is never hidden by an older version.
void LogWriter::stamp(Batch& batch, Batch::Entry& entry, Lsn lsn) {
  RecordHeader& header = entry.header;
  if (header.hlc == 0) {
    header.hlc = next_hlc();
    header.origin = state_.limits.node_id.load(std::memory_order_relaxed);
  } else if (header.origin == state_.limits.node_id.load(std::memory_order_relaxed)) {
    header.flags |= kFlagReturned;
  }
  note_seen(header.hlc);
  header.lsn = lsn;
  const Lsn lag = (lsn - state_.marks.durable.load(std::memory_order_relaxed)) / kRecordAlignment;
  header.durable_lag =
      static_cast<std::uint32_t>(std::min<Lsn>(lag, std::numeric_limits<std::uint32_t>::max()));
  header.header_hash = hash_header(header, ring_.header().secret);
  std::memcpy(batch.arena_.data() + entry.arena_offset, &header, sizeof header);
}

void LogWriter::add_pieces(Batch& batch, const Batch::Entry& entry) {
  static constexpr char kZeros[kRecordAlignment] = {};
  const RecordHeader& header = entry.header;
  const std::size_t whole = record_bytes(header.key_size, header.value_size);
  const std::size_t before_value = sizeof(RecordHeader) + header.key_size;
  char* start = batch.arena_.data() + entry.arena_offset;
  const std::size_t inline_bytes = entry.outside_value == nullptr ? whole : before_value;
  if (!pieces_.empty() && static_cast<char*>(pieces_.back().iov_base) + pieces_.back().iov_len == start) {
    pieces_.back().iov_len += inline_bytes;
  } else {
    pieces_.push_back({start, inline_bytes});
  }
  if (entry.outside_value == nullptr) return;
  // iovec has no const; pwritev does not write.
  pieces_.push_back({const_cast<char*>(entry.outside_value), header.value_size});
  const std::size_t padding = whole - before_value - header.value_size;
  if (padding > 0) pieces_.push_back({const_cast<char*>(kZeros), padding});
}

Status LogWriter::write_and_publish(Batch& batch, Lsn end) {
  MV_FAULT_POINT("append.before_bytes");
  if (Status written = ring_.write(plan_.front().lsn, pieces_); !written) return written;
  MV_FAULT_POINT("append.before_slots");
  for (const Planned& planned : plan_) {
    index_.publish(planned.word, planned.key_hash, planned.lsn);
    MV_FAULT_POINT("append.between_slots");
  }
  MV_FAULT_POINT("append.before_tail");
  // Release: whoever sees this tail sees the slots and, through the page cache, the bytes.
  state_.marks.tail.store(end, std::memory_order_release);
  MV_FAULT_POINT("append.after_tail");
  note_unsynced();
  const bool wait = answers_wait();
  for (const Planned& planned : plan_) {
    Batch::Entry& entry = batch.entries_[planned.entry];
    entry.result = {WriteResult::Outcome::kDone,
                    wait ? planned.end : 0,
                    planned.end,
                    {entry.header.hlc, entry.header.origin}};
  }
  pace(end, end - plan_.front().lsn);
  return {};
}

void LogWriter::settle_failed(Batch& batch) {
  for (; batch.settled_ < batch.entries_.size(); ++batch.settled_) {
    batch.entries_[batch.settled_].result.outcome = WriteResult::Outcome::kFailed;
  }
}

}  // namespace minivault::store
