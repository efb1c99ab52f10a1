#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/shared/region.h"
#include "common/store/base.h"
#include "common/store/ring.h"

namespace minivault::store {

/// What is found in the data directory at start, before anything is changed.
struct Evidence {
  enum class Log { kAbsent, kUnknownFormat, kDamagedHeader, kPresent };
  Log log = Log::kAbsent;
  bool base_born = false;  ///< the base has an identity; an absent file or a birth cut short has none
  bool log_ever_started = false;
  bool same_store = false;            ///< log and base carry the same store id
  bool same_age = false;              ///< both were last started together, or that start was cut short
  bool log_is_younger = false;        ///< the log was last started later than the base
  bool base_reaches_log = false;      ///< the base's checkpoint is not below where this log begins
  bool log_reaches_base = false;      ///< the log has got as far as the base's checkpoint
  bool clean = false;                 ///< the log says that it was stopped in order
  bool ends_where_it_should = false;  ///< clean: the records end at the LSN that the log's header names
  /// Valid records beyond the end claim that bytes at the end were durable, or the ceiling of versions, which
  /// is synced before any is stamped, is not what was written.
  bool acknowledged_damaged = false;
  bool accept_loss = false;
};

/// What to do about it. README.md beside this file has the table; a test walks every combination of evidence.
enum class Decision {
  kBirth,        ///< a new log and a new base
  kFinishBirth,  ///< a log that was never started on: give it its base
  kReplay,       ///< apply the records from the checkpoint on, then go on
  kSalvage,      ///< -accept-loss: apply those that follow the base, then go on in a new log
  kNewLog,       ///< -accept-loss: the log is gone or does not follow the base; go on in a new one
  kRefuse        ///< touch nothing, say why
};

struct Verdict {
  Decision decision = Decision::kRefuse;
  const char* reason = "";
};

[[nodiscard]] Verdict decide(const Evidence& evidence);

/// Whether no node has lived there yet: nothing was ever acknowledged.
[[nodiscard]] inline bool is_birth(const Verdict& verdict) {
  return verdict.decision == Decision::kBirth || verdict.decision == Decision::kFinishBirth;
}

/// The log as a reader who trusts nothing finds it, from the base's checkpoint on. Changes nothing. Beyond
/// the end the whole ring is searched only with `search_beyond`, for records of any lap: after an orderly
/// stop there is nothing to look for.
struct LogExamination {
  Lsn end = 0;                            ///< the first LSN at which no valid record lies
  std::uint64_t records = 0;              ///< valid ones in [checkpoint, end)
  std::optional<Lsn> damage_durable_to;   ///< acknowledged bytes from `end` up to at least here are damaged
  std::optional<std::string> key_at_end;  ///< of the damaged record, where its header is whole
  std::uint64_t records_beyond = 0;       ///< whole ones in (end, end + ring): they follow the damage
  std::vector<std::string> keys_beyond;   ///< of the first few of them
  std::uint64_t records_later = 0;        ///< whole ones beyond end + ring: what lay between is written over
  Lsn first_beyond = 0;                   ///< the lowest LSN of all these; 0: there are none
  // Over every valid record in the ring, `search_beyond` or not as far as it was read:
  Lsn highest_end = 0;  ///< LSNs up to here were handed out
  std::uint64_t largest_hlc = 0;
};
[[nodiscard]] LogExamination examine_log(const Ring& ring, Lsn checkpoint, bool search_beyond);
/// The search alone, for what was examined without.
void search_beyond_end(const Ring& ring, LogExamination& found);
/// Whether the log never got as far as `end`: there lies a record of an earlier lap in front of it, or
/// nothing. Reads at most the size of the largest record.
[[nodiscard]] bool ends_before(const Ring& ring, Lsn end);

/// For people: which acknowledged LSNs are damaged, and whose records are lost, as far as can be known.
/// REQUIRES: damage_durable_to.
[[nodiscard]] std::string describe_damage(const LogExamination& found);
/// For people: what follows the end of the log and was perhaps never synced. Empty: nothing does.
[[nodiscard]] std::string describe_beyond(const LogExamination& found);

/// The files as found, with what they say of each other.
struct Scene {
  std::optional<Ring> ring;
  BaseMeta meta;
  LogExamination log;
  Evidence evidence;
  /// HLC values below this may have been stamped, by records that are lost; 0: none is, or the ring is.
  std::uint64_t hlc_ceiling = 0;
  std::string log_problem;  ///< why there is no ring, or what of its header is damaged
};

/// For people: why a start is refused, and what one with -accept-loss would do, if that starts.
[[nodiscard]] std::string describe_refusal(const Scene& scene, const Verdict& verdict);
/// For people: what a start with -accept-loss takes in, and what it starts without. REQUIRES: it starts.
[[nodiscard]] std::string describe_salvage(const Scene& scene);
[[nodiscard]] std::string describe_loss(const Scene& scene);
/// For people: how much room a start needs, and what for.
[[nodiscard]] std::string describe_room(const Scene& scene, const Config& config);

/// Gathers the evidence. Changes nothing. Errors: kCorrupt, kIo (a file that is there and cannot be read).
[[nodiscard]] Result<Scene> survey(const Base& base, const Config& config, Ring::Access access);
/// What the log says of itself, where there is no base (yet).
[[nodiscard]] Result<Scene> survey_log(const Config& config, Ring::Access access);
[[nodiscard]] Result<BaseMeta> read_meta(const Base& base);

/// The opened files of a node that is ready to be written to.
struct RecoveredStore {
  Base base;
  Ring ring;
};

/// Makes the data directory whole: births, or replays the log into the base as one more checkpoint, and
/// begins a new stretch of LSNs that no lost tail can have used (ENGINE.md rules 13 to 16). Fills Limits,
/// Watermarks and the clock in shared memory; sets Limits::recovered last. Checkpointer only, before any
/// other process opens the files. Errors: kCorrupt, kUnavailable (refused: see the message), kIo, kNoSpace.
[[nodiscard]] Result<RecoveredStore> recover(shared::State& state,
                                             std::span<std::atomic<std::uint64_t>> index_words,
                                             const Config& config);

/// For a checkpointer that died and was started again while the node ran on: opens the files and goes on from
/// shared memory. REQUIRES: Limits::recovered.
[[nodiscard]] Result<RecoveredStore> reopen(shared::State& state, const Config& config);

/// Marks an orderly stop: everything is in the base, the records end at `tail`. REQUIRES: nobody appends any
/// more.
[[nodiscard]] Status mark_clean(Ring& ring, Lsn tail);

[[nodiscard]] std::string log_path(const Config& config);

}  // namespace minivault::store
