#include "replicator/home.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/random.h"
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
  const Result<cluster::MemberSet> stored = cluster::MemberSet::decode(*note);
  if (!stored) return tl::unexpected(stored.error());
  agreed_ = *stored;
  return {};
}

Status Home::read_floor() {
  const Result<std::string> floor = read(cluster::kFloorNote);
  const Result<std::string> settled = read(cluster::kSettledNote);
  if (!floor) return tl::unexpected(floor.error());
  if (!settled) return tl::unexpected(settled.error());
  std::from_chars(floor->data(), floor->data() + floor->size(), floor_);
  floor_at_ = state_->marks.tail.load(std::memory_order_acquire);
  std::uint64_t none = 0;
  state_->limits.tombstone_floor_hlc.compare_exchange_strong(none, floor_);
  if (settled->empty()) return {};
  Result<cluster::Settled> decoded = cluster::decode_settled(*settled);
  if (!decoded) return tl::unexpected(decoded.error());
  settled_ = std::move(*decoded);
  if (!settled_.passed_up_to.empty()) state_->cluster.passed_some.store(1, std::memory_order_release);
  return {};
}

Status Home::read_completeness() {
  const Result<store::Found> filled = store_->note(cluster::kFilledNote);
  if (!filled) return tl::unexpected(filled.error());
  if (filled->value == cluster::id_text(id_)) state_->cluster.complete.store(1, std::memory_order_release);
  return {};
}

bool Home::is_open() const {
  return open_at_ != shared::kNoLsn && state_->marks.durable.load(std::memory_order_acquire) >= open_at_;
}

Status Home::draw_epoch() {
  const shared::Limits& limits = state_->limits;
  const bool is_first = epochs_.epochs().empty();
  if (is_first) {
    if (Status noted = note_birth(limits.first_lsn.load(std::memory_order_relaxed)); !noted) return noted;
  }
  // Not where this start's LSNs begin: a peer's position in between speaks of a tail that was lost here.
  const Lsn found = limits.found_end.load(std::memory_order_relaxed);
  cluster::EpochList next = epochs_;
  next.begin(random_u64(), is_first ? found : std::max(found, epochs_.epochs().back().begin));
  const std::string list = next.encode();
  store::Batch batch;
  batch.add(cluster::note_write(cluster::kEpochsNote, list));
  // Behind it: where a torn log has the first alone, the end is told once more, which costs a repair.
  if (found < limits.first_lsn.load(std::memory_order_relaxed))
    batch.add(cluster::note_write(store::kUntoldEndNote, {}));
  if (Status written = commit(batch); !written) return written;
  epochs_ = std::move(next);
  state_->cluster.previous_epoch.store(epochs_.previous(), std::memory_order_relaxed);
  state_->cluster.epoch.store(epochs_.current(), std::memory_order_release);
  return {};
}

/// A node that begins with nothing can send all it ever had, as long as its ring holds it.
Status Home::note_birth(std::uint64_t epoch_begin) {
  if (state_->totals.keys.load(std::memory_order_relaxed) != 0) return {};
  return write(cluster::kBirthNote, std::to_string(epoch_begin));
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
  if (note->empty()) return {};
  const Result<cluster::MemberSet> stored = cluster::MemberSet::decode(*note);
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

Lsn Home::told() const {
  const shared::ClusterBoard& board = state_->cluster;
  if (board.needed.load(std::memory_order_relaxed) == 0 || context_->config.async) return shared::kNoLsn;
  return std::max(board.quorum.load(std::memory_order_relaxed),
                  board.given_up.load(std::memory_order_acquire));
}

Beginning Home::begin_stream(const cluster::Position& position, Lsn answered) const {
  const Lsn tail = state_->marks.tail.load(std::memory_order_acquire);
  const Lsn window = state_->marks.window.load(std::memory_order_acquire);
  if (position.epoch == 0 && birth_ != shared::kNoLsn && birth_ >= window) return {.from = birth_};
  // Nobody waits for a write from before this start of the node.
  const Lsn began = state_->limits.first_lsn.load(std::memory_order_relaxed);
  if (epochs_.knows(position, tail) && position.lsn >= window && position.lsn <= tail) {
    const Lsn undecided = std::min(position.lsn, std::max(told(), began));
    if (undecided < window) return {.from = position.lsn, .waits = true};
    return {.from = answered < window ? undecided : std::min(undecided, answered)};
  }
  if (began >= window) return {.from = began, .jump = true};
  return {.from = tail, .jump = true, .waits = true};
}

bool Home::is_older_than(const cluster::Position& position) const {
  const Lsn tail = state_->marks.tail.load(std::memory_order_acquire);
  const bool remembers_all = epochs_.epochs().size() < cluster::EpochList::kKept;
  return position.epoch != 0 && !epochs_.knows(position, tail) && (remembers_all || position.lsn > tail);
}

Status Home::become_incomplete() {
  state_->cluster.vouched_from.store(0, std::memory_order_release);
  if (!is_complete() && has_forgotten()) return {};
  if (Status written = write(cluster::kFilledNote, ""); !written) return written;
  state_->cluster.complete.store(0, std::memory_order_release);
  log_line(LogLevel::kWarning, "older_than_its_peers_know",
           {{"node", cluster::id_text(id_)}, {"remedy", "what it has forgotten comes back by repair"}});
  return {};
}

Status Home::forgot_what_is_at(NodeId peer) {
  if (Status incomplete = become_incomplete(); !incomplete) return incomplete;
  return owe(peer);
}

bool Home::vouches() const {
  return state_->cluster.vouched_from.load(std::memory_order_acquire) != 0;
}

Status Home::vouch() {
  // A stream tells with what is in the log: of an idle one nobody would hear it.
  if (Status written = write(cluster::kClockNote, {}); !written) return written;
  const Lsn tail = state_->marks.tail.load(std::memory_order_acquire);
  state_->cluster.vouched_from.store(tail, std::memory_order_release);
  return {};
}

bool Home::is_complete() const {
  return state_->cluster.complete.load(std::memory_order_acquire) != 0;
}

Status Home::become_complete() {
  if (is_complete()) return {};
  if (Status written = write(cluster::kFilledNote, cluster::id_text(id_)); !written) return written;
  state_->cluster.complete.store(1, std::memory_order_release);
  log_line(LogLevel::kInfo, "complete");
  return {};
}

bool Home::has_forgotten() const {
  const Result<store::Found> note = store_->note(cluster::kFilledNote);
  return !note || (note->value.empty() && note->version != store::Version());
}

store::Version Home::debt(NodeId peer) const {
  const Result<store::Found> note = store_->note(cluster::debt_note(peer));
  return note && !note->value.empty() ? note->version : store::Version();
}

Status Home::pay(NodeId peer, const store::Version& debt) {
  if (debt == store::Version()) return {};
  store::Batch batch;
  const std::string name = cluster::debt_note(peer);
  store::Write note = cluster::note_write(name, {});
  note.condition = store::Condition::kVersionIs;
  note.expected = debt;
  batch.add(note);
  return store_->commit(batch);
}

Status Home::owe(NodeId peer, bool anew) {
  if (!anew && debt(peer) != store::Version()) return {};
  return write(cluster::debt_note(peer), std::to_string(wall_ms()));
}

Status Home::raise_floor(std::uint64_t hlc) {
  if (Status written = write(cluster::kFloorNote, std::to_string(hlc)); !written) return written;
  floor_ = hlc;
  floor_at_ = state_->marks.tail.load(std::memory_order_acquire);
  return {};
}

Status Home::settle(cluster::Settled settled) {
  if (!settled.passed_up_to.empty()) state_->cluster.passed_some.store(1, std::memory_order_seq_cst);
  if (Status written = write(cluster::kSettledNote, cluster::encode_settled(settled)); !written)
    return written;
  settled_ = std::move(settled);
  return {};
}

Result<cluster::Away> Home::away() const {
  const Result<std::string> note = read(cluster::kAwayNote);
  if (!note) return tl::unexpected(note.error());
  return note->empty() ? cluster::Away() : cluster::decode_away(*note);
}

Status Home::note_away(const cluster::Away& away) {
  return write(cluster::kAwayNote, away.empty() ? std::string() : cluster::encode_away(away));
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
