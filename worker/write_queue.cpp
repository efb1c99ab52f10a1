#include "worker/write_queue.h"

#include <algorithm>
#include <utility>

#include "common/core/assert.h"
#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/store/node_clock.h"

namespace minivault::worker {
void WriteQueue::Part::clear() {
  batch.clear();
  clients.clear();
  kept.clear();
  told = 0;
  since_ms = 0;
  done = {};
}

void WriteQueue::add(Client& client, const store::Write& write, std::string&& kept) {
  MV_ASSERT(has_room());
  if (filling_.done.begun_ns == 0) filling_.done.begun_ns = meter_->turn_ns();
  store::Write marked = write;
  if (at_once_) marked.flags |= store::kFlagAtOnce;
  filling_.batch.add(marked);
  filling_.clients.push_back(&client);
  // After the batch has looked: a short value was copied by it, a long string's bytes survive the move.
  if (kept.size() > store::Batch::kInlineValue) filling_.kept.push_back(std::move(kept));
  ++client.pending_writes;
}

void WriteQueue::commit(std::uint64_t now_ms) {
  if (filling_.since_ms == 0 && !filling_.batch.empty()) filling_.since_ms = now_ms;
  for (;;) {
    if (committing_.batch.empty()) {
      if (filling_.batch.empty()) return;
      std::swap(committing_, filling_);
    }
    if (committing_.done.asked_ns == 0) committing_.done.asked_ns = monotonic_ns();
    const Status committed = store_->commit(committing_.batch);
    committing_.done.stored_ns = monotonic_ns();
    // For now: where the disk is full and the log is too, the store says that nothing can be waited for.
    const bool no_room = !committed && committed.error().code == Code::kNoSpace;
    tell(committed || no_room ? nullptr : &committed.error(), now_ms);
    blocked_ = no_room;
    if (no_room) {
      if (now_ms - committing_.since_ms < timeout_ms_) return;
      give_up(now_ms);
    }
    Meter::Commit& done = committing_.done;
    if (done.sets + done.deletes > 0) meter_->committed(std::move(done));
    committing_.clear();
  }
}

void WriteQueue::tell(const Error* error, std::uint64_t now_ms) {
  Part& part = committing_;
  // One hold for all of them: they were appended together, one sync covers them and one message brings them
  // to each peer.
  shared::Lsn answer_after = 0;
  shared::Lsn end = 0;
  for (std::size_t i = part.told; i < part.batch.settled(); ++i) {
    answer_after = std::max(answer_after, part.batch.result(i).answer_after);
    end = std::max(end, part.batch.result(i).end);
  }
  while (part.told < part.batch.settled()) {
    Client& client = *part.clients[part.told];
    const store::WriteResult::Outcome outcome = part.batch.result(part.told).outcome;
    const store::Operation operation = part.batch.operation(part.told);
    const std::size_t first = part.told;
    const auto goes_on = [&] {
      return part.told < part.batch.settled() && part.clients[part.told] == &client &&
             part.batch.result(part.told).outcome == outcome && part.batch.operation(part.told) == operation;
    };
    while (goes_on()) ++part.told;
    if (outcome == store::WriteResult::Outcome::kDone) note_done(part, first, part.told);
    client.pending_writes -= static_cast<unsigned>(part.told - first);
    static const Error damaged{Code::kCorrupt,
                               "what is stored under this key is damaged: see the node's log"};
    const bool alone = outcome == store::WriteResult::Outcome::kFailed && error == nullptr;
    const Error* const why = alone ? &damaged : error;
    settled_(client, {outcome, answer_after, end, part.batch.result(part.told - 1).end, now_ms, why,
                      part.told - first, operation});
  }
  part.done.durable_at = std::max(part.done.durable_at, answer_after);
  part.done.quorum_at = std::max(part.done.quorum_at, end);
}

/// Writes of one operation in a row.
void WriteQueue::note_done(Part& part, std::size_t first, std::size_t end) {
  const shared::Op op = op_of(part.batch.operation(first));
  (op == shared::Op::kSet ? part.done.sets : part.done.deletes) += end - first;
  for (std::size_t i = first; i < end && meter_->wants_largest(); ++i) {
    const std::string_view key = part.batch.key(i);
    const std::size_t value_bytes = part.batch.value_bytes(i);
    if (key.size() + value_bytes <= part.done.key_bytes + part.done.value_bytes) continue;
    const bool http = part.clients[i]->protocol == Client::Protocol::kHttp;
    part.done.proto = http ? shared::Proto::kHttp : shared::Proto::kBinary;
    part.done.op = op;
    part.done.key_bytes = key.size();
    part.done.value_bytes = value_bytes;
    if (logs(LogLevel::kDebug)) part.done.key = key;
  }
}

void WriteQueue::give_up(std::uint64_t now_ms) {
  Part& part = committing_;
  const std::size_t refused = part.clients.size() - part.told;
  store_->cancel_wait();  // the part is cleared behind this: what is not settled never happened
  const bool of_clock = store::awaits_clock(store_->region().state());
  const Error error =
      of_clock
          ? Error{Code::kUnavailable,
                  "no majority of the nodes was heard since the start; nothing was written"}
          : Error{Code::kNoSpace, "no room in the log: the disk is full or too slow; nothing was written"};
  log_line(LogLevel::kWarning,
           of_clock ? "writes refused: the clock is not known yet" : "writes refused: the log has no room",
           {{"writes", refused}, {"waited_ms", now_ms - part.since_ms}});
  while (part.told < part.clients.size()) {
    const store::Operation operation = part.batch.operation(part.told);
    Client& client = *part.clients[part.told++];
    --client.pending_writes;
    settled_(client, {store::WriteResult::Outcome::kFailed, 0, 0, 0, now_ms, &error, 1, operation});
  }
  blocked_ = false;
}

}  // namespace minivault::worker
