// Batch and push: records of other nodes on their way into the log.

#include <algorithm>
#include <utility>

#include "common/cluster/notes.h"
#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/store/node_clock.h"
#include "common/store/record.h"
#include "worker/held_alone.h"
#include "worker/sync_session.h"

namespace minivault::worker {
namespace {

using cluster::Reply;
using Outcome = store::WriteResult::Outcome;

store::Write write_of(const cluster::Record& record) {
  store::Write write;
  write.operation = record.operation;
  write.flags = record.flags;
  write.key = record.key;
  write.value = record.value;
  write.condition = store::Condition::kNewerThanHeld;
  write.version = record.version;
  return write;
}

/// A clock may be wrong, and its records count all the same; this far off it is none (node_clock.h). It may
/// be believed later, but for what can be no clock at all.
Reply unbelieved(std::uint64_t hlc) {
  return hlc < store::kEndOfTime ? Reply::kCannotWrite : Reply::kMalformed;
}

}  // namespace

Progress SyncSession::batch(Client& client, std::string_view message) {
  SyncState& state = *client.sync;
  if (!state.introduced) {
    refuse(client, Reply::kSayHelloFirst, "the hello only asked who is here");
    return Progress::kGoOn;
  }
  if (!state.is_member) {
    refuse(client, Reply::kSayHelloFirst, "the caller was no member here when it said hello");
    return Progress::kGoOn;
  }
  Result<cluster::DecodedBatch> decoded =
      cluster::decode_batch(message, state.id, std::exchange(spare_records_, {}));
  if (!decoded) {
    state.next.reset();
    refuse(client, Reply::kMalformed, decoded.error().message);
    return Progress::kGoOn;
  }
  state.head = decoded->head;
  state.is_push = false;
  if (!follows(client, state.head) || !take_records(client, std::move(decoded->records)) ||
      !add_position(client)) {
    state.next.reset();
    return Progress::kGoOn;
  }
  return write(client);
}

/// False: it was refused.
bool SyncSession::follows(Client& client, const cluster::BatchHead& head) {
  const SyncState& state = *client.sync;
  const bool begins = head.from == head.to;
  if (head.epoch != state.epoch) {
    refuse(client, Reply::kMalformed, "the batch is of another epoch than the hello");
    return false;
  }
  if (head.hlc > store::largest_believable_hlc(services_->state.append)) {
    refuse(client, unbelieved(head.hlc), store::unbelievable_text("the batch", head.hlc));
    return false;
  }
  if (!state.next && !begins) {
    refuse(client, Reply::kGap, "the stream has not begun on this connection, or a batch of it was refused");
    return false;
  }
  if (state.next && head.from > *state.next) {
    refuse(client, Reply::kGap,
           "the batch begins at " + std::to_string(head.from) + ", held is everything to " +
               std::to_string(*state.next));
    return false;
  }
  return true;
}

/// Behind the records, so that whoever reads it back after a crash finds them too.
bool SyncSession::add_position(Client& client) {
  SyncState& state = *client.sync;
  const Result<cluster::Position> held = position_in(client, state.id);
  const Result<std::string_view> debt = note(client, cluster::debt_note(state.id));
  if (!held || !debt) {
    refuse(client, Reply::kCannotWrite, held ? debt.error().message : held.error().message);
    return false;
  }
  const bool jumps = !state.next && state.head.jump;
  cluster::Position position{state.head.epoch, state.head.to, held->hlc};
  if (!jumps && debt->empty()) position.hlc = std::max(held->hlc, state.head.hlc);
  // What comes again is held already.
  if (held->epoch == position.epoch) position.lsn = std::max(position.lsn, held->lsn);
  if (position == *held) return true;
  if (jumps) {
    // Anew, where one stands: a repair that is under way may have passed by what this jump leaves out.
    const std::string since = debt->empty() ? std::to_string(wall_ms()) : std::string(*debt);
    state.batch.add(cluster::note_write(cluster::debt_note(state.id), since));
  }
  state.batch.add(cluster::note_write(cluster::position_note(state.id), cluster::encode_position(position)));
  return true;
}

Progress SyncSession::push(Client& client, std::string_view message) {
  SyncState& state = *client.sync;
  Result<std::vector<cluster::Record>> decoded = cluster::decode_push(message);
  if (!decoded) {
    refuse(client, Reply::kMalformed, decoded.error().message);
    return Progress::kGoOn;
  }
  state.head = {};
  state.is_push = true;
  if (!take_records(client, std::move(*decoded))) return Progress::kGoOn;
  return write(client);
}

/// False: they were refused.
bool SyncSession::take_records(Client& client, std::vector<cluster::Record> records) {
  SyncState& state = *client.sync;
  const std::uint64_t largest = services_->state.limits.largest_record_bytes.load(std::memory_order_relaxed);
  const std::uint64_t believable = store::largest_believable_hlc(services_->state.append);
  for (const cluster::Record& record : records) {
    if (record.version.hlc > believable) {
      refuse(client, unbelieved(record.version.hlc),
             store::unbelievable_text("a record", record.version.hlc));
      return false;
    }
    // Before anything is written: the position behind it must not speak of a record that was left out.
    if (store::record_bytes(record.key.size(), record.value.size()) > largest) {
      refuse_too_large(client, record.key.size() + record.value.size());
      return false;
    }
  }
  state.records = std::move(records);
  state.batch = std::exchange(spare_batch_, {});
  HeldAlone held_alone(services_->store);
  for (const cluster::Record& record : state.records) {
    store::Write write = write_of(record);
    const Result<std::uint64_t> held = held_alone.up_to(record.version);
    if (!held) {
      refuse(client, Reply::kCannotWrite, held.error().message);
      return false;
    }
    write.expected.hlc = *held;
    state.batch.add(write);
  }
  return true;
}

void SyncSession::answer_too_large(Client& client, std::uint64_t bytes) {
  client.sync->next.reset();
  refuse_too_large(client, bytes);
}

/// Nothing but another start can mend it: the sender tries again seldom, and this node says so itself.
void SyncSession::refuse_too_large(Client& client, std::uint64_t bytes) {
  shared::ClusterBoard& told = services_->state.cluster;
  const std::uint64_t now_ms = monotonic_ms();
  const std::uint64_t last_ms = told.too_large_ms.exchange(now_ms, std::memory_order_relaxed);
  told.too_large_bytes.store(bytes, std::memory_order_relaxed);
  const std::string text = "node " + cluster::id_text(own_id()) + " takes values of at most " +
                           std::to_string(services_->store.largest_value(1)) + " bytes, this is one of " +
                           std::to_string(bytes) + ": start it with " + remedy_for(bytes);
  refuse(client, Reply::kTooLarge, text);
  if (last_ms != 0 && now_ms < last_ms + shared::kTooLargePauseMs / 2) return;
  log_line(LogLevel::kError, "too_small_for_its_peers",
           {{"peer", cluster::id_text(client.sync->id)}, {"error", text}});
}

std::string SyncSession::remedy_for(std::uint64_t bytes) const {
  constexpr std::uint64_t kMegabyte = 1 << 20;
  const std::uint64_t megabytes = bytes / kMegabyte + 1;
  const std::uint64_t room = services_->state.limits.largest_record_bytes.load(std::memory_order_relaxed);
  const bool has_room = store::record_bytes(0, bytes) <= room;
  return has_room ? "-max-value " + std::to_string(megabytes) + "MB or more"
                  : "-log " + std::to_string(4 * megabytes) + "MB or more";
}

/// Whether the records may wait for room in the log: those of all connections take memory meanwhile.
bool SyncSession::may_wait(SyncState& state) {
  return state.memory.extend(services_->sync_memory,
                             state.plain.size() + kRecordMemory * state.records.size());
}

/// As much as there is room for now; the rest when the worker asks again.
Progress SyncSession::write(Client& client) {
  SyncState& state = *client.sync;
  const std::uint64_t now_ms = monotonic_ms();
  if (!std::exchange(state.writing, true)) state.since_ms = now_ms;
  const Status committed = services_->store.commit(state.batch);
  if (committed) {
    answer_written(client);
  } else {
    const bool patient = now_ms - state.since_ms < services_->quorum.timeout_ms();
    const bool full = committed.error().code == Code::kNoSpace;
    if (full && patient && may_wait(state)) return Progress::kAwaitLog;
    services_->store.cancel_wait();
    // What is in the log already may stay: it comes again, and is held then.
    state.next.reset();
    refuse(client, Reply::kCannotWrite, committed.error().message);
  }
  return Progress::kGoOn;
}

/// Up to here this node has told others of its own clock while it did not count the caller among those that
/// the stable floor waits for: before it came in, or while it was away for long. Others may have let their
/// floor pass so far. What the caller stamped up to here is taken, and named as a conflict: it is stamped
/// anew before anybody acknowledges it. So nothing that is acknowledged can be a ghost anywhere. REQUIRES:
/// the records are in the log; a floor that passes them later has seen them in the caller's position.
std::uint64_t SyncSession::guard_against(Client& client) {
  const SyncState& state = *client.sync;
  if (board().passed_some.load(std::memory_order_acquire) == 0) return state.joined_hlc;
  const Result<std::string_view> settled = note(client, cluster::kSettledNote);
  if (!settled) return store::kEverything;
  if (settled->empty()) return state.joined_hlc;
  const Result<cluster::Settled> decoded = cluster::decode_settled(*settled);
  if (!decoded) return store::kEverything;
  const auto passed = decoded->passed_up_to.find(state.id);
  return passed == decoded->passed_up_to.end() ? state.joined_hlc
                                               : std::max(state.joined_hlc, passed->second);
}

/// A clock that was believed when the record came is not when the log takes it: this node's own was set back
/// in between. Neither did the log take the position behind it (WriteResult::Outcome::kFailed).
void SyncSession::refuse_failed(Client& client, const cluster::Record& record) {
  client.sync->next.reset();
  refuse(client, unbelieved(record.version.hlc), store::unbelievable_text("a record", record.version.hlc));
}

void SyncSession::answer_written(Client& client) {
  SyncState& state = *client.sync;
  cluster::BatchReply answer;
  std::vector<const cluster::Record*> equals;
  shared::Lsn answer_after = 0;
  const std::uint64_t guard_hlc = state.is_push ? 0 : guard_against(client);
  for (std::size_t i = 0; i < state.batch.size(); ++i) {
    const store::WriteResult& result = state.batch.result(i);
    answer_after = std::max(answer_after, result.answer_after);
    if (i >= state.records.size()) continue;  // notes
    const cluster::Record& record = state.records[i];
    if (result.outcome == Outcome::kFailed) return refuse_failed(client, record);
    const bool refused = result.outcome == Outcome::kRefused;
    const bool is_ghost = refused && result.version.origin == 0;
    if (is_ghost) services_->state.cluster.ghosts_dropped.fetch_add(1, std::memory_order_relaxed);
    if (refused && result.version == record.version) {
      equals.push_back(&record);
    } else if (refused) {
      answer.conflicts.push_back({i, result.version});
      continue;
    }
    if (record.version.hlc <= guard_hlc) answer.conflicts.push_back({i, {guard_hlc, own_id()}});
  }
  if (!services_->will_leave(answer_after)) {
    state.next.reset();
    return refuse(client, Reply::kCannotWrite, "the log cannot be synced");
  }
  settle_equals(equals);
  if (!state.is_push && !answer.conflicts.empty()) {
    services_->state.cluster.conflicts.fetch_add(answer.conflicts.size(), std::memory_order_relaxed);
  }
  if (!state.is_push) state.next = state.next ? std::max(*state.next, state.head.to) : state.head.to;
  answer.to = state.head.to;
  answer.members_digest = board().members_digest.load(std::memory_order_acquire);
  (void)note(client, cluster::kMembersNote);  // what is told of the set is on disk, too, when it is told
  services_->hold(client, answer_after);
  reply(client, cluster::encode(answer));
}

/// The same version twice is the same record, which came again. With other bytes one of the two is damaged,
/// here or there, and nobody can tell which: all nodes keep the one with the larger checksum.
void SyncSession::settle_equals(const std::vector<const cluster::Record*>& equals) {
  store::Batch replacing;
  for (const cluster::Record* record : equals) {
    const Result<store::Found> found = services_->store.get(record->key);
    if (!found || found->version != record->version) continue;
    const bool is_set = record->operation == store::Operation::kSet;
    if (found->present == is_set && found->value == record->value && found->flags == record->flags) continue;
    services_->state.cluster.equal_versions.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t ours = found->present ? store::hash_payload(record->key, found->value, 0) : 0;
    const std::uint64_t theirs = is_set ? store::hash_payload(record->key, record->value, 0) : 0;
    log_line(
        LogLevel::kError, "one_version_two_values",
        {{"origin", cluster::id_text(record->version.origin)}, {"kept", ours < theirs ? "theirs" : "ours"}});
    if (ours >= theirs) continue;
    store::Write write = write_of(*record);
    write.condition = store::Condition::kVersionIs;
    write.expected = record->version;
    replacing.add(write);
  }
  if (!replacing.empty() && !services_->store.commit(replacing)) services_->store.cancel_wait();
}

}  // namespace minivault::worker
