// A Home: its start, its words to others, its member set. Its own stream is home_stream.cpp; what it lacks
// and what may go is home_debts.cpp.

#include "replicator/home.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/store/node_clock.h"

namespace minivault::replicator {
namespace {

std::uint64_t wall_us() {
  return wall_ms() * 1'000U;
}

}  // namespace

Home::Home(const ChildContext& context, store::Store& store)
    : context_(&context),
      store_(&store),
      state_(&context.region.state()),
      id_(state_->limits.node_id.load(std::memory_order_relaxed)) {}

Status Home::open() {
  const Result<std::string> epochs = read(cluster::kEpochsNote);
  if (!epochs) return tl::unexpected(epochs.error());
  if (!epochs->empty()) {
    Result<cluster::EpochList> known = cluster::EpochList::decode(*epochs);
    if (!known) return tl::unexpected(known.error());
    epochs_ = std::move(*known);
  }
  if (Status same = refresh(); !same) return same;
  if (Status known = read_agreed(); !known) return known;
  // Before there is an epoch no peer is answered: whatever comes is judged by these.
  if (Status known = read_floor(); !known) return known;
  if (Status known = read_completeness(); !known) return known;
  if (state_->cluster.epoch.load(std::memory_order_acquire) == 0) {
    if (Status drawn = draw_epoch(); !drawn) return drawn;
  }
  const Result<std::string> birth = read(cluster::kBirthNote);
  if (!birth) return tl::unexpected(birth.error());
  std::from_chars(birth->data(), birth->data() + birth->size(), birth_);
  if (Status known = introduce(id_, context_->config.public_url, store_->largest_value(1)); !known) {
    if (known.error().code != Code::kUnauthorized) return known;
    log_line(LogLevel::kError, "this_node_was_removed_from_the_cluster", {{"node", cluster::id_text(id_)}});
  }
  const bool alone = context_->config.cluster_nodes.empty() && members_.members().size() <= 1;
  if (alone) {
    if (Status complete = become_complete(); !complete) return complete;
  }
  open_at_ = state_->marks.tail.load(std::memory_order_acquire);
  // Only `always` syncs by itself.
  if (context_->config.sync.kind != SyncMode::Kind::kAlways) context_->region.ask_for_checkpoint(open_at_);
  return {};
}

Status Home::read_agreed() {
  const Result<std::string> note = read(cluster::kAgreedNote);
  if (!note) return tl::unexpected(note.error());
  if (note->empty()) return {};
  Result<cluster::MemberSet> stored = cluster::MemberSet::decode(*note);
  if (!stored) return tl::unexpected(stored.error());
  agreed_ = agreed_as(id_, std::move(*stored));
  return {};
}

cluster::Hello Home::hello() const {
  cluster::Hello hello;
  hello.id = id_;
  hello.epoch = epoch();
  hello.previous_epoch = epochs_.previous();
  hello.address = context_->config.public_url;
  hello.clock_us = wall_us();
  hello.largest_value = store_->largest_value(1);
  hello.members = members_;
  return hello;
}

cluster::Pulse Home::pulse() const {
  cluster::Pulse pulse;
  pulse.clock_us = wall_us();
  pulse.members_digest = digest_;
  pulse.floor_hlc = state_->limits.tombstone_floor_hlc.load(std::memory_order_relaxed);
  pulse.complete = is_complete();
  pulse.settled = settled_.told;
  pulse.held = held();
  return pulse;
}

std::vector<cluster::Held> Home::held() const {
  // The clock before the tail: whatever this node stamps later is above it.
  const std::uint64_t hlc = vouches() ? state_->append.last_hlc.load(std::memory_order_acquire) : 0;
  const Lsn tail = state_->marks.tail.load(std::memory_order_acquire);
  std::vector<cluster::Held> held{{id_, {epoch(), tail, hlc}}};
  for (const NodeId origin : cluster::origins_of(members_)) {
    if (origin == id_) continue;
    const Result<std::string> note = read(cluster::position_note(origin));
    if (!note || note->empty()) continue;
    if (const Result<cluster::Position> position = cluster::decode_position(*note)) {
      held.push_back({origin, *position});
    }
  }
  return held;
}

Status Home::refresh() {
  const Result<std::string> note = read(cluster::kMembersNote);
  if (!note) return tl::unexpected(note.error());
  const Result<cluster::MemberSet> stored = cluster::decode_members(*note);
  if (!stored) return tl::unexpected(stored.error());
  if (members_.merge(*stored)) publish();
  return {};
}

Status Home::catch_up(std::uint64_t hlc) {
  constexpr std::uint64_t kWorthIt = 1'000ULL << store::kHlcCounterBits;
  const bool late = hlc >= state_->append.last_hlc.load(std::memory_order_acquire) + kWorthIt;
  if (!late || hlc > store::largest_believable_hlc(state_->append)) return {};
  return write(cluster::kClockNote, {}, hlc);
}

Status Home::merge(const cluster::MemberSet& other, NodeId teller) {
  cluster::MemberSet next = memory().merged(other, teller);
  return next == members_ ? Status() : store_members(std::move(next));
}

Status Home::agree() {
  if (Status written = write(cluster::kAgreedNote, members_.encode()); !written) return written;
  agreed_ = members_;
  return {};
}

Status Home::introduce(NodeId id, const std::string& address, std::uint64_t largest_value) {
  cluster::MemberSet next = members_;
  const Result<bool> changed = next.introduce(id, address, largest_value);
  if (!changed) return tl::unexpected(changed.error());
  return *changed ? store_members(std::move(next)) : Status();
}

Status Home::note_limit(NodeId id, std::uint64_t largest_value) {
  const cluster::Member* member = members_.find(id);
  if (member == nullptr || largest_value == 0 || member->largest_value == largest_value) return {};
  return introduce(id, std::string(member->address), largest_value);
}

std::uint64_t Home::largest_value() const {
  const std::uint64_t here = store_->largest_value(1);
  const std::uint64_t noted = members_.smallest_limit();
  return noted == 0 ? here : std::min(here, noted);
}

Status Home::forget(NodeId id) {
  if (members_.is_full_for(id)) return fail(Code::kTooLarge, cluster::text_of_too_many_forgotten());
  cluster::MemberSet next = members_;
  return next.forget(id) ? store_members(std::move(next)) : Status();
}

/// Durable before it counts for anybody but this node: an answer tells of it only once the note is.
Status Home::store_members(cluster::MemberSet members) {
  if (Status written = write(cluster::kMembersNote, members.encode()); !written) return written;
  members_ = std::move(members);
  publish();
  return {};
}

void Home::publish() {
  digest_ = members_.digest();
  state_->cluster.members_version.store(members_.version(), std::memory_order_relaxed);
  state_->cluster.members_digest.store(digest_, std::memory_order_release);
  log_line(LogLevel::kInfo, "members",
           {{"version", members_.version()},
            {"members", members_.members().size()},
            {"forgotten", members_.forgotten().size()}});
}

Result<std::string> Home::read(std::string_view name) const {
  const Result<store::Found> found = store_->note(name);
  if (!found) return tl::unexpected(found.error());
  return std::string(found->value);
}

Status Home::write(std::string_view name, std::string_view value, std::uint64_t above_hlc) {
  store::Batch batch;
  store::Write note = cluster::note_write(name, value);
  note.version.hlc = above_hlc;
  batch.add(note);
  return commit(batch);
}

Status Home::commit(store::Batch& batch) {
  Status done = store_->commit(batch);
  if (!done && done.error().code == Code::kNoSpace) store_->cancel_wait();
  return done;
}

}  // namespace minivault::replicator
