#include "worker/peer_reads.h"

#include <algorithm>
#include <utility>

#include "common/core/clock.h"
#include "worker/held_alone.h"
#include "worker/peer_text.h"

namespace minivault::worker {
namespace {

using State = cluster::ReadReply::State;

/// Between two attempts at a node that did not answer.
constexpr std::uint64_t kAgainMs = 50;

store::Operation operation_of(const HeardRecord& record) {
  return record.state == State::kPresent ? store::Operation::kSet : store::Operation::kDelete;
}

}  // namespace

bool PeerReads::is_alone() const {
  return services_->state.cluster.needed.load(std::memory_order_acquire) == 0;
}

const PeerReads::Answer* PeerReads::ask_quorum(Client& client, std::string_view key) {
  if (!client.peer_read) start(client, key, true);
  const PeerRead& read = *client.peer_read;
  if (!read.done) return nullptr;
  answer_.error = read.error;
  answer_.found = {};
  answer_.found.present = read.answer.state == State::kPresent;
  answer_.found.known = read.answer.state != State::kAbsent;
  answer_.found.value = read.answer.value;
  answer_.found.flags = read.answer.flags;
  answer_.found.version = read.answer.version;
  answer_.found.answer_after = read.answer_after;
  return &answer_;
}

PeerReads::Fetched PeerReads::fetch(Client& client, std::string_view key) {
  if (!client.peer_read) start(client, key, false);
  if (!client.peer_read->done) return Fetched::kAsked;
  if (client.peer_read->error.empty()) return Fetched::kHere;
  client.peer_read.reset();
  return Fetched::kNobody;
}

void PeerReads::start(Client& client, std::string_view key, bool of_quorum) {
  const Read read = std::make_shared<PeerRead>(client);
  read->of_quorum = of_quorum;
  read->key = key;
  const std::uint64_t now_ms = monotonic_ms();
  read->deadline_ms = now_ms + services_->quorum.timeout_ms();
  read->ask_again_ms = now_ms + kAgainMs;
  client.peer_read = read;
  reads_.push_back(read);
  if (of_quorum) find_self(*read);
  ask(read);
}

/// This node's own voice, unless it is still being filled: then it has none.
void PeerReads::find_self(PeerRead& read) {
  if (services_->quorum.is_filling()) return;
  const auto own = [](const PeerRead::Voice& voice) { return voice.is_self; };
  const auto self = std::find_if(read.voices.begin(), read.voices.end(), own);
  const auto at = static_cast<std::size_t>(self - read.voices.begin());
  if (self == read.voices.end()) read.voices.emplace_back().is_self = true;
  if (!read.choice.spoke(at)) hear_self(read, at);
}

void PeerReads::hear_self(PeerRead& read, std::size_t at) {
  const Result<store::Found> found = services_->store.get(read.key);
  if (!found) return;
  HeardRecord record;
  record.state = found->present ? State::kPresent : found->known ? State::kDeleted : State::kAbsent;
  record.flags = found->flags;
  record.version = found->version;
  record.value = found->value;
  read.answer_after = std::max(read.answer_after, found->answer_after);
  read.choice.heard(at, std::move(record));
}

/// Peers may become known while it waits. One id has one voice, whatever names it has.
void PeerReads::find_voices(PeerRead& read) const {
  const shared::ClusterBoard& board = services_->state.cluster;
  const std::uint64_t own_id = services_->state.limits.node_id.load(std::memory_order_relaxed);
  std::vector<std::uint64_t> ids{own_id};
  for (const shared::PeerPlace& peer : board.peers) {
    const shared::PeerState state = peer.state.load(std::memory_order_acquire);
    if (state == shared::PeerState::kNone || state == shared::PeerState::kItself) continue;
    const std::uint64_t id = peer.node_id.load(std::memory_order_relaxed);
    if (id == 0 || std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
    ids.push_back(id);
    std::string address = read_text(peer, peer.address);
    const auto same = [&](const PeerRead::Voice& voice) { return voice.address == address; };
    if (address.empty() || std::any_of(read.voices.begin(), read.voices.end(), same)) continue;
    PeerRead::Voice voice;
    voice.address = std::move(address);
    read.voices.push_back(std::move(voice));
  }
}

void PeerReads::ask(const Read& read) {
  find_voices(*read);
  for (std::size_t i = 0; i < read->voices.size(); ++i) {
    if (!read->voices[i].is_self && !read->voices[i].asked && !read->choice.spoke(i)) ask(read, i);
  }
}

void PeerReads::ask(const Read& read, std::size_t at) {
  read->voices[at].asked = true;
  calls_->call(read->voices[at].address, cluster::kRead, read->key,
               [this, at, asker = std::weak_ptr(read)](const Result<std::string_view>& message) {
                 const Read alive = asker.lock();
                 if (!alive || alive->done) return;
                 heard(*alive, at, message);
                 decide(alive);
               });
}

void PeerReads::heard(PeerRead& read, std::size_t at, const Result<std::string_view>& message) {
  read.voices[at].asked = false;
  if (!message) return;
  cluster::Reply refusal{};
  const Result<cluster::ReadReply> reply = cluster::decode_read_reply(*message, refusal);
  // A node that is still being filled does not know what it lacks, and a majority is one of a member set:
  // they have no voice.
  if (!reply || !reply->complete) return;
  const std::uint64_t own = services_->state.cluster.members_digest.load(std::memory_order_acquire);
  if (read.of_quorum && reply->members_digest != own) return;
  read.choice.heard(at, {reply->state, reply->flags, reply->version, std::string(reply->value)});
}

void PeerReads::decide(const Read& read) {
  if (read->of_quorum) return decide_quorum(read);
  if (!services_->quorum.is_filling()) return finish(*read, {});
  if (read->choice.count() > 0 && adopt(*read) != Adopted::kNotNow) finish(*read, {});
}

void PeerReads::decide_quorum(const Read& read) {
  const std::uint32_t needed = services_->state.cluster.needed.load(std::memory_order_acquire);
  if (needed == shared::kNotYetKnown) return;
  const std::size_t majority = std::size_t{needed} + 1;
  const HeardRecord* answer = read->choice.answer(majority);
  if (answer == nullptr && read->choice.has_begun()) {
    spread(read);
    answer = read->choice.answer(majority);
  }
  if (answer == nullptr) return;
  read->answer = *answer;
  finish(*read, {});
}

/// Brings the newest record to whoever said that it holds an older one. This node first: what it holds by now
/// may be newer, and is to be brought to the others then.
void PeerReads::spread(const Read& read) {
  for (const bool to_self : {true, false}) {
    for (std::size_t i = 0; i < read->voices.size(); ++i) {
      const PeerRead::Voice& voice = read->voices[i];
      if (voice.is_self != to_self || voice.pushed || voice.rests || !read->choice.lacks_newest(i)) continue;
      to_self ? adopt(*read, i) : push(read, i);
    }
  }
}

void PeerReads::push(const Read& read, std::size_t at) {
  const HeardRecord& newest = read->choice.newest();
  cluster::BatchWriter writer(0);
  writer.add({operation_of(newest), newest.flags, newest.version, read->key, newest.value});
  read->voices[at].pushed = true;
  calls_->call(read->voices[at].address, cluster::kPush, writer.finish_push(),
               [this, at, version = newest.version,
                asker = std::weak_ptr(read)](const Result<std::string_view>& message) {
                 const Read alive = asker.lock();
                 if (!alive || alive->done) return;
                 alive->voices[at].pushed = false;
                 pushed(alive, at, version, message);
                 decide(alive);
               });
}

/// What became of a push of that version. Who refused it for something newer does not hold it: it says what
/// it holds, and the choice is made again.
void PeerReads::pushed(const Read& read, std::size_t at, const store::Version& version,
                       const Result<std::string_view>& answer) {
  cluster::Reply refusal{};
  const auto reply = answer ? cluster::decode_batch_reply(*answer, refusal) : tl::unexpected(answer.error());
  if (!reply) {
    read->voices[at].rests = true;
  } else if (cluster::any_ghost(reply->conflicts)) {
    read->choice.dropped(version);
  } else if (reply->conflicts.empty()) {
    read->choice.took(at, version);
  } else {
    read->choice.unheard(at);
    if (!read->voices[at].asked) ask(read, at);
  }
}

/// Writes the newest record here, unless something newer is here, or it is a ghost.
PeerReads::Adopted PeerReads::adopt(PeerRead& read) {
  const HeardRecord& newest = read.choice.newest();
  if (newest.state == State::kAbsent) return Adopted::kTaken;
  store::Write write;
  write.operation = operation_of(newest);
  write.flags = newest.flags;
  write.key = read.key;
  write.value = newest.value;
  write.condition = store::Condition::kNewerThanHeld;
  write.version = newest.version;
  const Result<std::uint64_t> held = HeldAlone(services_->store).up_to(newest.version);
  if (!held) return Adopted::kNotNow;
  write.expected.hlc = *held;
  store::Batch batch;
  batch.add(write);
  if (!services_->store.commit(batch)) {
    services_->store.cancel_wait();
    return Adopted::kNotNow;
  }
  const store::WriteResult& result = batch.result(0);
  read.answer_after = std::max(read.answer_after, result.answer_after);
  using Outcome = store::WriteResult::Outcome;
  if (result.outcome == Outcome::kFailed) return Adopted::kNotNow;
  if (result.outcome != Outcome::kRefused || result.version == newest.version) return Adopted::kTaken;
  return result.version.origin == 0 ? Adopted::kIsGhost : Adopted::kHasNewer;
}

/// The same for this node's voice in a quorum read.
void PeerReads::adopt(PeerRead& read, std::size_t self) {
  const store::Version version = read.choice.newest().version;
  switch (adopt(read)) {
    case Adopted::kTaken:
      return read.choice.took(self, version);
    case Adopted::kIsGhost:
      return read.choice.dropped(version);
    case Adopted::kHasNewer:
      read.choice.unheard(self);
      return hear_self(read, self);
    case Adopted::kNotNow:
      read.voices[self].rests = true;
  }
}

void PeerReads::finish(PeerRead& read, std::string error) {
  read.done = true;
  read.error = std::move(error);
  resume_(*read.client);
}

std::string PeerReads::unanswered(const PeerRead& read) const {
  const std::uint32_t needed = services_->state.cluster.needed.load(std::memory_order_acquire);
  const std::string waited =
      "quorum not reached within " + std::to_string(services_->quorum.timeout_ms()) + " ms: ";
  if (needed == shared::kNotYetKnown) return waited + "this node does not know its cluster yet";
  return waited + std::to_string(read.choice.count()) + " of the " + std::to_string(needed + 1) +
         " nodes needed " +
         (read.choice.has_begun() ? "answered, and not enough of them hold the same version" : "answered");
}

void PeerReads::run(std::uint64_t now_ms) {
  // By index: what is done here may begin another read.
  for (std::size_t i = 0; i < reads_.size(); ++i) {
    const Read read = reads_[i].lock();
    if (!read || read->done) continue;
    if (now_ms >= read->deadline_ms) {
      finish(*read, unanswered(*read));
    } else if (now_ms >= read->ask_again_ms) {
      read->ask_again_ms = now_ms + kAgainMs;
      for (PeerRead::Voice& voice : read->voices) voice.rests = false;
      if (read->of_quorum) find_self(*read);
      ask(read);
      decide(read);
    }
  }
  std::erase_if(reads_, [](const std::weak_ptr<PeerRead>& waiting) {
    const Read read = waiting.lock();
    return !read || read->done;
  });
}

std::uint64_t PeerReads::next_look_ms() const {
  std::uint64_t next_ms = shared::kNoLsn;
  for (const std::weak_ptr<PeerRead>& waiting : reads_) {
    const Read read = waiting.lock();
    if (read && !read->done) next_ms = std::min({next_ms, read->deadline_ms, read->ask_again_ms});
  }
  return next_ms;
}

}  // namespace minivault::worker
