#include "common/store/recovery.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>

#include "common/core/clock.h"
#include "common/core/fault_point.h"
#include "common/core/log.h"
#include "common/core/random.h"
#include "common/store/append_lock.h"
#include "common/store/checkpoint.h"
#include "common/store/index.h"
#include "common/store/node_clock.h"

namespace minivault::store {
namespace {

constexpr Lsn kFirstLsn = 4096;  // above 0, so that an empty index word and "no LSN yet" are never a position

/// With it where the log ended, if the peers are to be told; shared::kNoLsn: nothing.
Status store_meta(Base& base, const BaseMeta& meta, Lsn untold_end = shared::kNoLsn) {
  Result<Base::Transaction> transaction = base.begin();
  if (!transaction) return tl::unexpected(transaction.error());
  transaction->meta() = meta;
  if (untold_end != shared::kNoLsn) {
    // Newer than every note that the log ever held, older than all that are to come.
    const Version version{meta.last_hlc, std::numeric_limits<std::uint64_t>::max()};
    const std::string text = std::to_string(untold_end);
    if (Status noted = transaction->apply_note(kUntoldEndNote, {Operation::kNote, 0, version, text}); !noted)
      return noted;
  }
  return transaction->commit();
}

bool wants_new_log(const Verdict& verdict) {
  return verdict.decision == Decision::kNewLog || verdict.decision == Decision::kSalvage;
}

bool wants_replay(const Verdict& verdict) {
  return verdict.decision == Decision::kReplay || verdict.decision == Decision::kSalvage;
}

/// Where the log ended, as this start found it, or an earlier one whose finding nobody was told of: that
/// one's LSNs leapt already, and what this one finds lies beyond the leap.
Result<Lsn> end_to_tell(const Base& base, const Scene& scene, const Verdict& verdict) {
  const Lsn end =
      wants_replay(verdict) ? std::max(scene.meta.checkpoint, scene.log.end) : scene.meta.checkpoint;
  const Result<Base::Snapshot> snapshot = base.snapshot();
  if (!snapshot) return tl::unexpected(snapshot.error());
  const auto note = snapshot->note(kUntoldEndNote);
  if (!note && note.error().code == Code::kCorrupt) {
    log_line(LogLevel::kError, "damaged note", {{"error", note.error().message}});
    return std::min(end, scene.ring ? scene.ring->header().first_lsn : 0);  // whatever it was: a repair more
  }
  if (!note) return tl::unexpected(note.error());
  if (!*note || (*note)->value.empty()) return end;
  const std::string_view text = (*note)->value;
  Lsn noted = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), noted).ec != std::errc()) {
    return fail(Code::kCorrupt, "the base's note of where the log ended is no LSN");
  }
  return noted;
}

bool has_base(const Config& config) {
  std::error_code unknown;
  return std::filesystem::exists(config.data_directory + "/base.mdb", unknown);
}

/// `minivault restore` builds in here, and takes it away last. A birth beside it would be an empty node,
/// taken for the restored one.
Status refuse_half_restored(const Config& config) {
  std::error_code unknown;
  const std::string partial = config.data_directory + "/restore.partial";
  if (!std::filesystem::exists(partial, unknown)) return {};
  if (has_base(config)) return {};
  return fail(Code::kCorrupt, config.data_directory + ": a restore was cut short: restore again, or remove " +
                                  partial + " to begin with an empty node");
}

tl::unexpected<Error> refuse(const Scene& scene, const Verdict& verdict, const Config& config) {
  const char* more = scene.evidence.base_born ? "; minivault check tells more" : "";
  return fail(Code::kCorrupt, config.data_directory + ": " + describe_refusal(scene, verdict) + more);
}

Status birth(Base& base, Scene& scene, const Config& config) {
  BaseMeta& meta = scene.meta;
  const std::string path = log_path(config);
  if (!scene.ring) {
    if (Status made = Ring::create(path, config.log_bytes, random_u64(), kFirstLsn); !made) return made;
    Result<Ring> ring = Ring::open(path);
    if (!ring) return tl::unexpected(ring.error());
    scene.ring = std::move(*ring);
  }
  meta.store_id = scene.ring->header().store_id;
  meta.node_id = random_u64();
  meta.checkpoint = scene.ring->header().first_lsn;
  meta.ring_bytes = scene.ring->size();
  meta.starts = scene.ring->header().starts;
  MV_FAULT_POINT("birth.before_base");
  return store_meta(base, meta);
}

/// Replaces the ring by a fresh one that begins at `first_lsn`. REQUIRES: the base holds everything below.
Status replace_ring(Scene& scene, const Config& config, Lsn first_lsn, std::uint64_t starts) {
  const std::string path = log_path(config);
  scene.ring.reset();
  if (Status made = Ring::create(path, config.log_bytes, scene.meta.store_id, first_lsn, starts); !made)
    return made;
  Result<Ring> ring = Ring::open(path);
  if (!ring) return tl::unexpected(ring.error());
  scene.ring = std::move(*ring);
  return {};
}

/// Applies what the log holds beyond the base, as one more checkpoint.
Status replay(shared::State& state, const Index& index, Base& base, const Ring& ring, Lsn from,
              const LogExamination& log) {
  shared::Watermarks& marks = state.marks;
  for (std::atomic<Lsn>* mark : {&marks.window, &marks.checkpoint}) mark->store(from);
  for (std::atomic<Lsn>* mark : {&marks.durable, &marks.tail}) mark->store(log.end);
  Checkpoint checkpoint(state, ring, index, base);
  while (marks.checkpoint.load() < log.end) {
    if (Result<Lsn> done = checkpoint.replay(log.end); !done) return tl::unexpected(done.error());
  }
  return {};
}

void fill_limits(shared::State& state, const Base& base, const BaseMeta& meta, const Ring& ring) {
  shared::Limits& limits = state.limits;
  limits.ring_bytes.store(ring.size());
  limits.largest_record_bytes.store(ring.largest_record());
  limits.base_map_bytes.store(base.map_bytes());
  limits.node_id.store(meta.node_id);
  state.totals.keys.store(meta.keys);
  state.totals.tombstones.store(meta.tombstones);
  state.totals.base_bytes.store(base.used_bytes());
}

/// Where LSNs go on. After an unclean stop a ring further: the same file offset, beyond any LSN that the lost
/// tail can have used, so what peers remember of this node's stream stays true.
Lsn next_start(const Scene& scene, const Verdict& verdict) {
  const Lsn seen = scene.log.highest_end;
  if (wants_new_log(verdict)) {
    const std::uint64_t ring_then = scene.ring ? scene.ring->size() : 0;  // an older base knew another size
    return std::max(scene.meta.checkpoint, seen) + 2 * std::max(scene.meta.ring_bytes, ring_then);
  }
  const bool fresh = is_birth(verdict);
  if (fresh) return scene.ring->header().first_lsn;
  if (scene.evidence.clean) return scene.log.end;
  const std::uint64_t ring = scene.ring->size();
  const bool lapped = seen > scene.log.end + ring;  // -accept-loss with an older base
  return scene.log.end + (lapped ? 2 + (seen - scene.log.end) / ring : 1) * ring;
}

/// Stores the new beginning: base first with an odd count of starts, log second, base again; a death in
/// between is found as a start under way. With the first goes where the log ended: the leap hides it.
Status begin_epoch(shared::State& state, Base& base, Scene& scene, const Config& config,
                   const Verdict& verdict, Lsn end_to_tell) {
  const Lsn start = next_start(scene, verdict);
  Result<BaseMeta> meta = read_meta(base);
  if (!meta) return tl::unexpected(meta.error());
  scene.meta = *meta;
  shared::raise(state.marks.base_hlc, meta->last_hlc);  // what was replayed is in it by now
  scene.meta.checkpoint = start;
  scene.meta.mid_checkpoint = false;
  scene.meta.last_hlc = std::max({meta->last_hlc, scene.log.largest_hlc, scene.hlc_ceiling});
  scene.meta.ring_bytes = config.log_bytes;
  const std::uint64_t starts = std::max(scene.ring ? scene.ring->header().starts : 0, meta->starts) / 2 * 2;
  scene.meta.starts = starts + 1;
  const Lsn found_end = end_to_tell;
  const Lsn untold_end = found_end < start ? found_end : shared::kNoLsn;
  if (Status ok = store_meta(base, scene.meta, untold_end); !ok) return ok;
  MV_FAULT_POINT("recovery.before_new_log");

  if (!scene.ring || wants_new_log(verdict) || scene.ring->size() != config.log_bytes) {
    if (Status ok = replace_ring(scene, config, start, starts); !ok) return ok;
  }
  const std::uint64_t last_hlc = std::max(scene.meta.last_hlc, state.append.last_hlc.load());
  const std::uint64_t hlc_ceiling = next_hlc_ceiling(node_clock(state.append), last_hlc);
  if (Status ok = scene.ring->write_hlc_ceiling(hlc_ceiling); !ok) return ok;
  RingHeader header = scene.ring->header();
  header.starts = starts + 2;
  header.clean = 0;
  header.boundary = start;
  MV_FAULT_POINT("recovery.before_log_header");
  if (Status ok = scene.ring->write_header(header); !ok) return ok;
  MV_FAULT_POINT("recovery.after_log_header");
  scene.meta.starts = header.starts;
  if (Status ok = store_meta(base, scene.meta); !ok) return ok;

  shared::Watermarks& marks = state.marks;
  for (std::atomic<Lsn>* mark : {&marks.window, &marks.checkpoint, &marks.durable, &marks.tail})
    mark->store(start);
  state.append.writable_end.store(start + scene.ring->size());
  state.append.last_hlc.store(last_hlc);
  state.append.hlc_ceiling.store(hlc_ceiling);
  state.limits.first_lsn.store(start);
  state.limits.found_end.store(found_end);
  return {};
}

/// Before a base is made where there is none: whoever is refused finds the directory as it was.
Status refuse_log_without_base(const Config& config) {
  if (has_base(config)) return {};
  const Result<Scene> scene = survey_log(config, Ring::Access::kRead);
  if (!scene) return tl::unexpected(scene.error());
  const Verdict verdict = decide(scene->evidence);
  if (verdict.decision != Decision::kRefuse) return {};
  return refuse(*scene, verdict, config);
}

/// From here on a start is under way: what it takes into the base may be in the page cache alone, and gone
/// from the log when the power fails. (A base of another age is refused again anyway: its count must not
/// come to fit the log's.)
Status mark_start(Base& base, Scene& scene) {
  if (scene.log.records == 0 || scene.meta.starts % 2 == 1 || !scene.evidence.same_age) return {};
  ++scene.meta.starts;
  return store_meta(base, scene.meta);
}

void tell_what_is_lost(const Scene& scene, const Verdict& verdict) {
  if (!wants_new_log(verdict) && !scene.evidence.acknowledged_damaged) return;
  const std::string taken_in = wants_replay(verdict) ? describe_salvage(scene) : "nothing";
  log_line(LogLevel::kError, "loss_accepted",
           {{"reason", verdict.reason}, {"lost", describe_loss(scene)}, {"taken_in", taken_in}});
}

/// Neither known to be acknowledged nor known not to be.
void tell_what_is_beyond(const Scene& scene) {
  if (scene.evidence.acknowledged_damaged || scene.log.records_beyond == 0) return;
  log_line(LogLevel::kWarning, "records_beyond_the_end",
           {{"end", scene.log.end},
            {"found", describe_beyond(scene.log)},
            {"meaning", "not known to have been synced: lost with the power, or damaged since"}});
}

/// What was decided is done.
Status bring_up(shared::State& state, std::span<std::atomic<std::uint64_t>> index_words, Base& base,
                Scene& scene, const Config& config, const Verdict& verdict) {
  state.limits.index_seed.store(random_u64());
  const Index index(index_words, state.limits.index_seed.load());
  if (is_birth(verdict)) {
    if (Status born = birth(base, scene, config); !born) return born;
  }
  if (wants_replay(verdict)) {
    if (Status marked = mark_start(base, scene); !marked) return marked;
    Status replayed = replay(state, index, base, *scene.ring, scene.meta.checkpoint, scene.log);
    if (!replayed) return replayed;
  }
  const Result<Lsn> end = end_to_tell(base, scene, verdict);
  if (!end) return tl::unexpected(end.error());
  MV_FAULT_POINT("recovery.before_epoch");
  if (Status begun = begin_epoch(state, base, scene, config, verdict, *end); !begun) return begun;
  fill_limits(state, base, scene.meta, *scene.ring);
  state.limits.clock_first.store(is_birth(verdict) && !config.async ? 0 : 1);
  state.limits.recovered.store(1, std::memory_order_release);
  return {};
}

/// A full disk that a running node lives with keeps it from starting, for a start is a checkpoint.
tl::unexpected<Error> with_room_needed(Error error, const Scene& scene, const Config& config) {
  if (error.code == Code::kNoSpace) error.message += "; " + describe_room(scene, config);
  return tl::unexpected(std::move(error));
}

}  // namespace

Result<RecoveredStore> recover(shared::State& state, std::span<std::atomic<std::uint64_t>> index_words,
                               const Config& config) {
  if (Status whole = refuse_half_restored(config); !whole) return tl::unexpected(whole.error());
  if (Status whole = refuse_log_without_base(config); !whole) return tl::unexpected(whole.error());
  Result<Base> base = Base::open_writer(config.data_directory);
  if (!base) return tl::unexpected(base.error());
  Result<Scene> scene = survey(*base, config, Ring::Access::kReadWrite);
  if (!scene) return tl::unexpected(scene.error());
  const Verdict verdict = decide(scene->evidence);
  log_line(LogLevel::kInfo, "recovery",
           {{"finding", verdict.reason},
            {"checkpoint", scene->meta.checkpoint},
            {"log_end", scene->log.end},
            {"records", scene->log.records}});
  if (verdict.decision == Decision::kRefuse) return refuse(*scene, verdict, config);
  tell_what_is_lost(*scene, verdict);
  tell_what_is_beyond(*scene);
  // Before the replay: that may need the room.
  Ring::remove_unfinished(log_path(config));
  Base::remove_unfinished(config.data_directory);
  if (Status begun = bring_up(state, index_words, *base, *scene, config, verdict); !begun)
    return with_room_needed(begun.error(), *scene, config);
  return RecoveredStore{std::move(*base), std::move(*scene->ring)};
}

Result<RecoveredStore> reopen(shared::State& state, const Config& config) {
  Result<Base> base = Base::open_writer(config.data_directory, state.limits.base_map_bytes.load());
  if (!base) return tl::unexpected(base.error());
  Result<Ring> ring = Ring::open(log_path(config));
  if (!ring) return tl::unexpected(ring.error());
  // The base may hold more than shared memory says, where the one before died between a commit and telling of
  // it. That one may have died in the sync of its commit as well, and what the page cache shows need not be
  // on disk: the checkpoint moves with the next commit of our own, which does some work once more.
  return RecoveredStore{std::move(*base), std::move(*ring)};
}

std::string log_path(const Config& config) {
  return config.data_directory + "/changes.log";
}

Status mark_clean(Ring& ring, Lsn tail) {
  RingHeader header = ring.header();
  header.clean = 1;
  header.boundary = tail;
  return ring.write_header(header);
}

}  // namespace minivault::store
