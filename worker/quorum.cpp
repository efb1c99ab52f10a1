#include "worker/quorum.h"

#include <algorithm>

#include "common/core/clock.h"

namespace minivault::worker {

void Quorum::park(Client& client, std::size_t answer_bytes, shared::Lsn end, std::uint64_t since_ms,
                  shared::Op op, shared::Lsn conditional_end) {
  net::OutputBuffer& output = client.connection.output();
  const std::uint64_t place = output.end_place();
  std::vector<QuorumWait>& waits = client.quorum_waits;
  if (!waits.empty() && waits.back().lsn == end && waits.back().answers_end == place &&
      waits.back().op == op && waits.back().conditional_end == 0 && conditional_end == 0) {
    waits.back().answers_end += answer_bytes;
    return;
  }
  if (waits.empty()) {
    output.set_gate(place);
    line_.push_back(client);
  }
  waits.push_back({place, place + answer_bytes, end, since_ms + timeout_ms(), op, conditional_end});
  expect(waits.back());
}

void Quorum::expect(const QuorumWait& wait) {
  lowest_ = std::min(lowest_, wait.lsn);
  next_deadline_ms_ = std::min(next_deadline_ms_, wait.deadline_ms);
}

shared::Lsn Quorum::reached() const {
  const std::uint32_t needed = board_->needed.load(std::memory_order_acquire);
  if (needed == 0) return shared::kNoLsn;
  if (needed == shared::kNotYetKnown) return 0;
  return board_->quorum.load(std::memory_order_acquire);
}

/// After the mark was read that its end is at or below.
bool Quorum::is_beaten(const QuorumWait& wait) const {
  return wait.conditional_end != 0 && shared::is_beaten(board_->beaten, wait.conditional_end);
}

void Quorum::settle() {
  if (line_.empty()) return;
  // The mark before the clock: a peer that came back after a jump counts again once every wait from before it
  // has had its time (common/cluster/README.md rule 2), so a mark seen later than that proves nothing of
  // them.
  const shared::Lsn reached = this->reached();
  const std::uint64_t now_ms = monotonic_ms();
  if (reached < lowest_ && now_ms < next_deadline_ms_) return;
  lowest_ = shared::kNoLsn;
  next_deadline_ms_ = shared::kNoLsn;
  line_.for_each([&](Client& client) { settle(client, reached, now_ms); });
}

void Quorum::settle(Client& client, shared::Lsn reached, std::uint64_t now_ms) {
  std::vector<QuorumWait>& waits = client.quorum_waits;
  // A write that the replicator may take for given up must not be told done: it is not stamped again then.
  const auto given_up = [&](const QuorumWait& wait) {
    return now_ms >= wait.deadline_ms || wait.lsn <= board_->given_up.load(std::memory_order_acquire);
  };
  const auto still_waits = [&](const QuorumWait& wait) { return wait.lsn > reached && !given_up(wait); };
  const auto end = std::find_if(waits.begin(), waits.end(), still_waits);
  for (auto wait = waits.begin(); wait != end; ++wait) {
    const bool missed = given_up(*wait);
    if (missed) shared::raise(board_->given_up, wait->lsn);
    settled_(client, *wait, !missed && !is_beaten(*wait));
  }
  waits.erase(waits.begin(), end);
  if (waits.empty()) {
    client.connection.output().set_gate(net::OutputBuffer::kOpen);
    net::List<Client, QuorumTag>::remove(client);
    return;
  }
  client.connection.output().set_gate(waits.front().answers_begin);
  expect(waits.front());
}

/// Rule 7 of ENGINE.md: the wish, full fence, look once more. Partner: the replicator after it raised the
/// mark.
bool Quorum::ring_when_reached() const {
  std::atomic<shared::Lsn>& want = region_->slot(slot_).quorum_want;
  want.store(lowest_, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (reached() < lowest_) return true;
  want.store(shared::kNoLsn, std::memory_order_relaxed);
  return false;
}

std::string Quorum::unknown_outcome(const QuorumWait& wait) const {
  if (is_beaten(wait)) {
    return "another node holds something newer than this write, which its condition was judged without; "
           "the write may still take effect";
  }
  const std::uint32_t needed = board_->needed.load(std::memory_order_relaxed);
  const std::string waited = "quorum not reached within " + std::to_string(timeout_ms()) + " ms: ";
  const std::string fate = "; the write may still take effect";
  if (needed == shared::kNotYetKnown) return waited + "this node does not know its cluster yet" + fate;
  std::uint32_t have = 1;
  for (const shared::PeerPlace& peer : board_->peers) {
    if (peer.state.load(std::memory_order_relaxed) == shared::PeerState::kNone) continue;
    const bool counts = peer.counts.load(std::memory_order_relaxed) != 0;
    if (counts && peer.acked.load(std::memory_order_relaxed) >= wait.lsn) ++have;
  }
  return waited + std::to_string(have) + " of the " + std::to_string(needed + 1) + " nodes needed have it" +
         fate;
}

}  // namespace minivault::worker
