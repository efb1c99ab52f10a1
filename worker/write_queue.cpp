#include "worker/write_queue.h"

#include <algorithm>
#include <utility>

#include "common/core/assert.h"
#include "common/core/log.h"

namespace minivault::worker {
namespace {

constexpr std::uint64_t kNoteEveryMs = 10'000;

}  // namespace

void WriteQueue::Part::clear() {
  batch.clear();
  clients.clear();
  kept.clear();
  told = 0;
  since_ms = 0;
}

void WriteQueue::add(Client& client, const store::Write& write, std::string&& kept) {
  MV_ASSERT(has_room());
  filling_.batch.add(write);
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
    const Status committed = store_->commit(committing_.batch);
    const bool no_room = !committed && committed.error().code == Code::kNoSpace;
    tell(committed || no_room ? nullptr : &committed.error(), now_ms);
    blocked_ = no_room;
    if (no_room) {
      if (!out_of_patience(now_ms)) return;
      give_up(now_ms);
    }
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
    const std::size_t first = part.told;
    const auto goes_on = [&] {
      return part.told < part.batch.settled() && part.clients[part.told] == &client &&
             part.batch.result(part.told).outcome == outcome;
    };
    while (goes_on()) ++part.told;
    client.pending_writes -= static_cast<unsigned>(part.told - first);
    settled_(client, {outcome, answer_after, end, now_ms, error, part.told - first});
  }
}

bool WriteQueue::out_of_patience(std::uint64_t now_ms) const {
  const bool disk_full = store_->region().state().base_full.load(std::memory_order_relaxed) != 0;
  return disk_full || now_ms - committing_.since_ms >= timeout_ms_;
}

/// A full disk refuses every batch at once: the log hears of it now and then, not of each.
void WriteQueue::note_refused(std::size_t writes, std::uint64_t now_ms) {
  refused_ += writes;
  if (noted_ms_ != 0 && now_ms < noted_ms_ + kNoteEveryMs) return;
  log_line(LogLevel::kWarning, "writes refused: the log has no room",
           {{"writes", std::exchange(refused_, 0)}, {"waited_ms", now_ms - committing_.since_ms}});
  noted_ms_ = now_ms;
}

void WriteQueue::give_up(std::uint64_t now_ms) {
  Part& part = committing_;
  const std::size_t refused = part.clients.size() - part.told;
  note_refused(refused, now_ms);
  part.batch.clear();  // what is not settled never happened
  store_->cancel_wait();
  const Error error{Code::kNoSpace, "no room in the log: the disk is full or too slow; nothing was written"};
  while (part.told < part.clients.size()) {
    Client& client = *part.clients[part.told++];
    --client.pending_writes;
    settled_(client, {store::WriteResult::Outcome::kFailed, 0, 0, now_ms, &error, 1});
  }
  blocked_ = false;
}

}  // namespace minivault::worker
