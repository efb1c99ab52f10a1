#include "worker/peer_reads.h"

#include <algorithm>
#include <utility>

#include "common/core/clock.h"
#include "worker/peer_text.h"

namespace minivault::worker {
namespace {

using State = cluster::ReadReply::State;

/// Between two attempts at a node that did not answer.
constexpr std::uint64_t kAgainMs = 50;

/// The answer is chosen, and what is newer and heard later is no part of it. Not where it may be a ghost, as
/// one of those has nothing: then whoever still has the delete speaks against it.
bool is_settled(const PeerRead& read) {
  return read.chosen && !read.somebody_has_nothing;
}

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
  answer_.found.present = read.newest.state == State::kPresent;
  answer_.found.known = read.newest.state != State::kAbsent;
  answer_.found.value = read.newest.value;
  answer_.found.flags = read.newest.flags;
  answer_.found.version = read.newest.version;
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
  if (of_quorum) hear_self(*read);
  ask(read);
}

/// This node's own voice, unless it is still being filled: then it has none.
void PeerReads::hear_self(PeerRead& read) {
  const auto own = [](const PeerRead::Voice& voice) { return voice.is_self; };
  if (services_->quorum.is_filling() || std::any_of(read.voices.begin(), read.voices.end(), own)) return;
  const Result<store::Found> found = services_->store.get(read.key);
  if (!found) return;
  PeerRead::Voice self;
  self.is_self = self.answered = true;
  self.version = found->version;
  read.voices.push_back(std::move(self));
  read.answer_after = found->answer_after;
  read.somebody_has_nothing = read.somebody_has_nothing || !found->known;
  if (is_settled(read) || found->version < read.newest.version) return;
  read.newest.state = found->present ? State::kPresent : found->known ? State::kDeleted : State::kAbsent;
  read.newest.flags = found->flags;
  read.newest.version = found->version;
  read.newest.value = found->value;
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
    PeerRead::Voice& voice = read->voices[i];
    if (voice.is_self || voice.asked || voice.answered) continue;
    voice.asked = true;
    calls_->call(voice.address, cluster::kRead, read->key,
                 [this, i, asker = std::weak_ptr(read)](const Result<std::string_view>& message) {
                   const Read alive = asker.lock();
                   if (!alive || alive->done) return;
                   heard(*alive, i, message);
                   decide(alive);
                 });
  }
}

void PeerReads::heard(PeerRead& read, std::size_t at, const Result<std::string_view>& message) {
  PeerRead::Voice& voice = read.voices[at];
  voice.asked = false;
  if (!message) return;
  cluster::Reply refusal{};
  const Result<cluster::ReadReply> reply = cluster::decode_read_reply(*message, refusal);
  // A node that is still being filled does not know what it lacks, and a majority is one of a member set:
  // they have no voice.
  if (!reply || !reply->complete) return;
  const std::uint64_t own = services_->state.cluster.members_digest.load(std::memory_order_acquire);
  if (!read.of_quorum || reply->members_digest == own) take(read, voice, *reply);
}

void PeerReads::take(PeerRead& read, PeerRead::Voice& voice, const cluster::ReadReply& reply) {
  voice.answered = true;
  voice.version = reply.version;
  read.somebody_has_nothing = read.somebody_has_nothing || reply.state == State::kAbsent;
  if (is_settled(read) || reply.state == State::kAbsent || reply.version <= read.newest.version) return;
  read.newest = {reply.state, reply.flags, reply.version, std::string(reply.value)};
}

void PeerReads::decide(const Read& read) {
  if (read->of_quorum) return decide_quorum(read);
  if (!services_->quorum.is_filling()) return finish(*read, {});
  const auto spoke = [](const PeerRead::Voice& voice) { return voice.answered; };
  if (std::any_of(read->voices.begin(), read->voices.end(), spoke) && adopt(*read)) finish(*read, {});
}

void PeerReads::decide_quorum(const Read& read) {
  const std::uint32_t needed = services_->state.cluster.needed.load(std::memory_order_acquire);
  if (needed == shared::kNotYetKnown) return;
  const auto majority = static_cast<std::ptrdiff_t>(needed) + 1;
  const auto& voices = read->voices;
  const auto spoke = [](const PeerRead::Voice& voice) { return voice.answered; };
  read->chosen = read->chosen || std::count_if(voices.begin(), voices.end(), spoke) >= majority;
  if (!read->chosen) return;
  const auto holds = [&](const PeerRead::Voice& voice) {
    return voice.answered && voice.version >= read->newest.version;
  };
  if (std::count_if(voices.begin(), voices.end(), holds) >= majority) return finish(*read, {});
  spread(read);
  if (std::count_if(voices.begin(), voices.end(), holds) >= majority) finish(*read, {});
}

/// Brings the newest record to whoever answered with an older one.
void PeerReads::spread(const Read& read) {
  for (std::size_t i = 0; i < read->voices.size(); ++i) {
    PeerRead::Voice& voice = read->voices[i];
    if (!voice.answered || voice.pushed || voice.version >= read->newest.version) continue;
    if (!voice.is_self) {
      push(read, i);
    } else if (adopt(*read)) {
      voice.version = read->newest.version;
    }
  }
}

void PeerReads::push(const Read& read, std::size_t at) {
  const HeardRecord& newest = read->newest;
  cluster::BatchWriter writer(0);
  writer.add({operation_of(newest), newest.flags, newest.version, read->key, newest.value});
  read->voices[at].pushed = true;
  calls_->call(read->voices[at].address, cluster::kPush, writer.finish_push(),
               [this, at, version = newest.version,
                asker = std::weak_ptr(read)](const Result<std::string_view>& message) {
                 const Read alive = asker.lock();
                 if (!alive || alive->done) return;
                 alive->voices[at].pushed = false;
                 if (message) taken(*alive, at, version, *message);
                 decide(alive);
               });
}

/// What became of a push of that version.
void PeerReads::taken(PeerRead& read, std::size_t at, const store::Version& version,
                      std::string_view answer) {
  cluster::Reply refusal{};
  const auto reply = cluster::decode_batch_reply(answer, refusal);
  if (!reply) return;
  const bool is_ghost = cluster::any_ghost(reply->conflicts);
  if (!is_ghost) {
    read.voices[at].version = std::max(read.voices[at].version, version);
  } else if (read.newest.version == version) {
    read.newest = {};
  }
}

/// Writes the newest record here, unless something newer is here, or it is a ghost. False: not now.
bool PeerReads::adopt(PeerRead& read) {
  const HeardRecord& newest = read.newest;
  if (newest.state == State::kAbsent) return true;
  store::Write write;
  write.operation = operation_of(newest);
  write.flags = newest.flags;
  write.key = read.key;
  write.value = newest.value;
  write.condition = store::Condition::kNewerThanHeld;
  write.version = newest.version;
  store::Batch batch;
  batch.add(write);
  if (!services_->store.commit(batch)) {
    services_->store.cancel_wait();
    return false;
  }
  const store::WriteResult& result = batch.result(0);
  read.answer_after = std::max(read.answer_after, result.answer_after);
  if (result.outcome == store::WriteResult::Outcome::kRefused && result.version.origin == 0) read.newest = {};
  return result.outcome != store::WriteResult::Outcome::kFailed;
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
  const auto answered = std::count_if(read.voices.begin(), read.voices.end(),
                                      [](const PeerRead::Voice& voice) { return voice.answered; });
  return waited + std::to_string(answered) + " of the " + std::to_string(needed + 1) + " nodes needed " +
         (read.chosen ? "answered, and not enough of them hold the newest version" : "answered");
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
      if (read->of_quorum) hear_self(*read);
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
