#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <limits>

#include "common/shared/cluster_board.h"
#include "common/shared/metrics.h"

/// The memory that every process of one node shares. One anonymous mapping, made by the supervisor before
/// the first fork and inherited; it dies with the node, so nothing in it needs a version or a checksum.
///
///   offset            what                              written by
///   0                 Watermarks, a cache line each     see each
///   ...               AppendLock                        whoever holds it
///   ...               Limits, Totals, flags             checkpointer (before it says ready) and as noted
///   ...               ChildSlot[kMaxChildren]           the child that owns the slot; supervisor after its
///   death sizeof(State)     index words (common/store/index)  holder of the append lock
///   behind them       ProcessMetrics[kMaxChildren]      as ChildSlot
///
/// What a death at any instruction leaves behind, and who mends it, is in README.md beside this file.
/// Every word is a lock-free atomic: a reader sees an old value or a new one, never half of one.
namespace minivault::shared {

/// A byte position in the node's log since the node was born. Only grows; never handed out twice.
using Lsn = std::uint64_t;

inline constexpr Lsn kNoLsn = std::numeric_limits<Lsn>::max();
inline constexpr unsigned kMaxChildren = 256;

enum class Role : std::uint32_t { kNone = 0, kWorker, kCheckpointer, kReplicator };
inline constexpr std::size_t kRoles = 4;

/// A child's life as its slot tells it. Free -> Starting (supervisor, before fork) -> Ready (the child) ->
/// Draining (the child, once asked) -> Free (supervisor, after it was reaped and cleared).
enum class ChildState : std::uint32_t { kFree = 0, kStarting, kReady, kDraining };

/// Why the node no longer takes writes. Sticky: only a restart of the node clears it (ENGINE.md rule 6).
enum class Failure : std::uint32_t { kNone = 0, kLogSync, kLogWrite, kBaseSync };

/// window <= checkpoint <= durable <= tail. Each only grows while the node runs.
struct Watermarks {
  /// First LSN whose index slot is alive. Stored by compare-and-swap-max: append lock holder, checkpointer.
  alignas(kCacheLine) std::atomic<Lsn> window;
  /// The base holds everything below. Checkpointer, release, after the synced commit; partner: Base readers.
  alignas(kCacheLine) std::atomic<Lsn> checkpoint;
  /// No key's record below `checkpoint` has a larger HLC value. Checkpointer, release, before the commit that
  /// brings them; read it after `checkpoint` (LogWriter::judge_by_base).
  std::atomic<std::uint64_t> base_hlc;
  /// Everything below is on disk. Syncer thread, release, after fdatasync; partner: parked answers.
  alignas(kCacheLine) std::atomic<Lsn> durable;
  /// End of the log. Append lock holder, release, after bytes and slots; partner: checkpointer, replicator.
  alignas(kCacheLine) std::atomic<Lsn> tail;
};

/// Guarded by `mutex` (robust, process-shared) unless said otherwise.
struct AppendLock {
  alignas(kCacheLine) pthread_mutex_t mutex;
  /// Bytes below this LSN may be written without looking at pins again: min(window, pins) + ring size.
  std::atomic<Lsn> writable_end;
  /// Largest hybrid logical clock value stamped or seen.
  std::atomic<std::uint64_t> last_hlc;
  /// HLC values below this may be stamped: that is on disk, and the next start stamps above it. Syncer
  /// (without the lock, after its fdatasync); partner: LogWriter.
  std::atomic<std::uint64_t> hlc_ceiling;
  /// What is added to boot_hlc() to stamp (store/node_clock.h): never the machine's wall clock itself, which
  /// may jump. 0 until the replicator has chosen it.
  std::atomic<std::int64_t> clock_offset;
  /// Arrival order among writers that wait for room.
  std::atomic<std::uint64_t> next_ticket;
  /// How many slots hold a ticket; a hint, counted anew from the slots whenever it is not 0.
  std::atomic<std::uint32_t> waiting;
  /// Acquisitions, and the slot of the holder + 1 (0: free). The supervisor reads both without the lock: a
  /// holder whose count stands still for 5 s is killed (ENGINE.md rule 20).
  std::atomic<std::uint64_t> acquisitions;
  std::atomic<std::uint32_t> holder;
  /// No commit begins before this (monotonic_ns()): the node's writers feel the checkpointer's rate
  /// (common/store/pace.h). 0: no pause. Read without the lock.
  std::atomic<std::uint64_t> paced_until_ns;
};

/// Set by the checkpointer before it says ready, constant afterwards.
struct Limits {
  alignas(kCacheLine) std::atomic<std::uint64_t> ring_bytes;
  std::atomic<std::uint64_t> largest_record_bytes;  ///< header, key and value: ring / 4
  std::atomic<std::uint64_t> base_map_bytes;        ///< LMDB map size every process uses
  std::atomic<std::uint64_t> node_id;               ///< origin of records written here
  std::atomic<std::uint64_t> index_seed;            ///< of the index hash, new at each start
  /// The stable floor (REPLICATION.md rule 5): every member holds every record up to this HLC value, so
  /// deletes up to it need no tombstone any more, but for a grace. All of them (store::kEverything) on a node
  /// that has no peers. On disk (note `floor`) before it is here.
  std::atomic<std::uint64_t> tombstone_floor_hlc;
  /// Where the log of the life before this one ended, or of an earlier one if no start since has told its
  /// peers (note `untold_end`): what they hold of it beyond was lost here.
  std::atomic<Lsn> found_end;
  std::atomic<Lsn> first_lsn;  ///< of this life
  /// 1: what clients write waits until the clock of this start was chosen (store/node_clock.h).
  std::atomic<std::uint32_t> clock_first;
  std::atomic<std::uint32_t> recovered;  ///< 1: the rest of this is set, the log may be written
};

/// Published by the checkpointer after each checkpoint.
struct Totals {
  alignas(kCacheLine) std::atomic<std::uint64_t> keys;  ///< in the base, tombstones not counted
  std::atomic<std::uint64_t> tombstones;                ///< in the base
  std::atomic<std::uint64_t> base_bytes;                ///< pages in use
  std::atomic<std::uint64_t> checkpoints;
  std::atomic<std::uint64_t> checkpointed_bytes;  ///< of the log that checkpoints covered
  /// LMDB's table of readers as the checkpointer last saw it: how many look at a commit, how many commits the
  /// oldest of these is behind, and since when (monotonic_ms()) it has been; 0: none looks at any.
  std::atomic<std::uint64_t> base_readers;
  std::atomic<std::uint64_t> oldest_reader_lag;
  std::atomic<std::uint64_t> oldest_reader_since_ms;
  TimeHistogram checkpoint_times;  ///< of whole checkpoints
  TimeHistogram sync_times;        ///< of the log's fdatasync; syncer thread
};

/// How the checkpointer gets on, for the pace of the writers (common/store/pace.h). Checkpointer only; hints,
/// which one that died leaves as they were.
struct Drain {
  alignas(kCacheLine) std::atomic<std::uint64_t> left;  ///< bytes of log in the checkpoint under way; 0: none
  std::atomic<std::uint64_t> bytes_per_s;               ///< of log; as the last large checkpoint went
  std::atomic<std::uint32_t> in_a_row;  ///< 1: the one under way followed another that left much behind
};

/// How writers wake the syncer thread. A store/load pair on both sides with a full fence between (rule 7).
struct SyncerBell {
  alignas(kCacheLine) std::atomic<std::uint32_t> asleep;
  std::atomic<std::uint32_t> rings;  ///< futex word
  /// Wall-clock-free age of the oldest write that no finished fdatasync covers, ns; 0: none (`interval`).
  std::atomic<std::uint64_t> oldest_unsynced_ns;
  std::atomic<std::uint64_t> syncing_since_ns;  ///< the same for the fdatasync under way
  std::atomic<std::uint64_t>
      durable_since_ns;                       ///< when `durable` was last raised (monotonic_ns()); before it
  std::atomic<std::uint32_t> sync_requested;  ///< the checkpointer wants a sync whatever the mode
};

/// Monotonic counts of one slot. They outlive the child: the slot's next owner counts on.
struct Counters {
  std::atomic<std::uint64_t> connections_accepted;
  std::atomic<std::uint64_t> connections_open;  ///< a gauge; cleared by the supervisor after a death
};

/// Of a worker's read cache (common/store/read_cache.h). Lookups that missed in the index, so nothing that
/// the log answered.
struct CacheCounters {
  std::atomic<std::uint64_t> hits;
  std::atomic<std::uint64_t> misses;
  std::atomic<std::uint64_t> items;  ///< a gauge, as bytes; cleared by the supervisor after a death
  std::atomic<std::uint64_t> bytes;
};

struct ChildSlot {
  alignas(kCacheLine) std::atomic<std::int32_t> pid;  ///< 0: free
  std::atomic<Role> role;
  std::atomic<ChildState> state;
  std::atomic<std::uint32_t> number;    ///< worker 1, worker 2, …
  std::atomic<std::uint32_t> restarts;  ///< of this role and number since the node started
  /// 1: another worker asks this one to accept connections (worker/acceptor.h). Cleared by the owner.
  std::atomic<std::uint32_t> invited;

  /// The ring may not be overwritten at or beyond this LSN while the turn lasts; kNoLsn: no turn (rule 10).
  alignas(kCacheLine) std::atomic<Lsn> pin;
  std::atomic<std::uint64_t> turns;  ///< grows with each turn: a pin that stands still for 2 s is fatal

  /// The lowest LSN a parked answer waits for to be durable; kNoLsn: none. Wanted by the child, taken by the
  /// syncer.
  alignas(kCacheLine) std::atomic<Lsn> durable_want;
  /// The same for cluster.quorum: wanted by the child, taken by the replicator, which rings when `quorum` has
  /// reached it or `needed` changed.
  std::atomic<Lsn> quorum_want;
  /// Place in the queue for room in the ring; 0: not waiting.
  std::atomic<std::uint64_t> space_ticket;
  std::atomic<std::uint64_t> space_asked_ms;  ///< when the owner last asked for that room (monotonic_ms())

  alignas(kCacheLine) Counters counters;
  alignas(kCacheLine) CacheCounters cache;
};

/// Aligned so that the index words behind it start on a pair of cache lines, which are fetched together.
struct alignas(2 * kCacheLine) State {
  Watermarks marks;
  AppendLock append;
  Limits limits;
  Totals totals;
  Drain drain;
  SyncerBell bell;
  /// Sticky; see Failure. Anyone sets it once, nobody clears it.
  alignas(kCacheLine) std::atomic<Failure> failure;
  /// Not sticky: the last checkpoint failed for want of disk. Waiting writers get an error at once.
  std::atomic<std::uint32_t> base_full;
  /// A walk through the base found damage: what is not found there need not be absent. kDamageFound by
  /// whoever finds it; the replicator takes it up (kDamageNoted: this node has forgotten something, on disk),
  /// and clears it once the peers have brought back what they hold.
  std::atomic<std::uint32_t> base_damage;
  /// The base's records are to be counted anew once it holds the log up to here, for it is there that some
  /// were lost; 0: they are not; kNoLsn: they cannot be. Replicator; cleared by the checkpointer.
  std::atomic<Lsn> recount_after;
  /// Somebody wants the base to hold everything below this soon (Region::ask_for_checkpoint). Raised, never
  /// lowered.
  std::atomic<Lsn> checkpoint_wanted;
  /// -ratelimit: the virtual time, ns, at which the next operation would be due (GCRA).
  alignas(kCacheLine) std::atomic<std::uint64_t> rate_due_ns;
  std::atomic<std::uint64_t> started_ms;  ///< monotonic_ms() when the supervisor started
  /// Slots at and beyond this one were never used. Supervisor only; grows.
  std::atomic<std::uint32_t> slots_used;
  /// Children that were reaped. When it moves, the checkpointer takes the append lock once, so that what a
  /// dead holder wrote is rolled forward, and frees the LMDB reader slots of the dead.
  std::atomic<std::uint32_t> deaths;
  /// Of these, by role, those that nobody had asked to end. Supervisor only.
  std::atomic<std::uint64_t> unasked_deaths[kRoles];
  std::atomic<std::uint32_t>
      log_style;  ///< of all processes' log lines (common/core/log.h). Supervisor only.
  /// LMDB environments are opened one at a time (PEERS.md: concurrent opens have failed). Robust.
  alignas(kCacheLine) pthread_mutex_t base_open;
  ClusterBoard cluster;
  ChildSlot slots[kMaxChildren];
};

inline constexpr std::uint32_t kNoDamage = 0, kDamageFound = 1, kDamageNoted = 2;

static_assert(std::atomic<Lsn>::is_always_lock_free);
static_assert(std::atomic<Role>::is_always_lock_free && std::atomic<Failure>::is_always_lock_free);
static_assert(sizeof(Watermarks) == 4 * kCacheLine, "each watermark has a cache line of its own");
static_assert(offsetof(State, marks) == 0 && sizeof(State) % (2 * kCacheLine) == 0);
static_assert(sizeof(ChildSlot) == 5 * kCacheLine, "no two children write one cache line");

}  // namespace minivault::shared
