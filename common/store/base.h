#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/core/error.h"
#include "common/shared/layout.h"
#include "common/store/operation.h"
#include "common/store/version.h"

namespace minivault::store {

using shared::Lsn;

/// One key's newest version as the base holds it. `value` points into the snapshot: valid until the
/// transaction that gave it is reset, renewed or ended.
struct BaseRecord {
  Operation operation = Operation::kSet;
  std::uint8_t flags = 0;
  Version version;
  std::string_view value;

  bool operator==(const BaseRecord&) const = default;
};

/// Facts about the whole base, stored in the same commit as the data they describe.
struct BaseMeta {
  std::uint64_t store_id = 0;  ///< the same in the log's header: a log and a base that belong together
  std::uint64_t node_id = 0;
  Lsn checkpoint = 0;          ///< everything below is in the base
  std::uint64_t last_hlc = 0;  ///< largest HLC value of any record ever applied
  std::uint64_t keys = 0;      ///< tombstones not counted
  std::uint64_t tombstones = 0;
  std::uint64_t ring_bytes = 0;  ///< of the log this base was last opened with
  std::uint64_t starts = 0;  ///< grows by 2 with each start, odd while one is under way; the log counts along
  std::uint64_t key_hash_seed = 0;  ///< of the hash in long keys (ENGINE.md rule 18); born with the base
  bool mid_checkpoint = false;  ///< some keys are newer than `checkpoint`: the log from there completes them
};

/// LMDB holding every key's newest version as of a checkpoint: file `base.mdb` (and `base.mdb-lock`) in the
/// data directory.
///
/// Opened after fork, once a process: the checkpointer by open_writer(), everyone else by open_reader().
/// Opens are serialised by the caller (shared::State::base_open). One thread a process uses it.
/// A crash at any instant leaves the last commit; every commit is synced.
///
/// Keys of 1 to 494 bytes are stored as they are; longer ones as 495 bytes of prefix and a 16-byte seeded
/// hash, the whole key beside the value and compared at every read; a collision is kCorrupt, never an
/// overwrite. Ordering by stored key is ordering by key up to 495 bytes.
class Base {
 public:
  /// Creates the files where there are none; `created` in meta() tells by store_id == 0.
  /// `map_bytes` 0: the largest map that can be had, from 1 TiB down; map_bytes() tells which.
  /// Errors: kIo, kCorrupt, kUnavailable (network file system, no address space), each naming the file.
  [[nodiscard]] static Result<Base> open_writer(const std::string& data_directory,
                                                std::uint64_t map_bytes = 0);
  /// The base must exist. `map_bytes` as the writer told (shared::Limits).
  [[nodiscard]] static Result<Base> open_reader(const std::string& data_directory, std::uint64_t map_bytes);
  /// For reading where no process of a node is, seen to by the caller: writes nothing, not even the lock
  /// file.
  [[nodiscard]] static Result<Base> open_offline(const std::string& data_directory);

  /// Takes away what a birth left that was cut short. Checkpointer only.
  static void remove_unfinished(const std::string& data_directory);

  Base(Base&&) noexcept;
  Base& operator=(Base&&) noexcept;
  Base(const Base&) = delete;
  Base& operator=(const Base&) = delete;
  ~Base();

  [[nodiscard]] std::uint64_t map_bytes() const;
  /// Bytes of pages in use by the last commit.
  [[nodiscard]] std::uint64_t used_bytes() const;

  /// A view of one commit. Costs a few ns to renew; must not be held across turns of an event loop, or the
  /// file grows. Move-only; ends with its destructor.
  class Snapshot {
   public:
    Snapshot(Snapshot&&) noexcept;
    Snapshot& operator=(Snapshot&&) noexcept;
    ~Snapshot();
    /// Lets go of the commit. After it only renew() may be called.
    void reset();
    /// Sees the newest commit from now on. Errors: kIo, kUnavailable (readers full, after reaping dead ones).
    [[nodiscard]] Status renew();
    /// Absent: nullopt (a tombstone is a record). Errors: kCorrupt, kIo.
    using Answer = Result<std::optional<BaseRecord>>;
    [[nodiscard]] Answer get(std::string_view key) const;
    static constexpr std::size_t kMostAtOnce = 32;
    /// get() of up to kMostAtOnce keys, whose cache misses overlap. `answers` is as long as `keys`.
    void get_many(std::span<const std::string_view> keys, std::span<Answer> answers) const;
    [[nodiscard]] Result<BaseMeta> meta() const;
    /// The note stored under `name`, or nullopt.
    [[nodiscard]] Result<std::optional<BaseRecord>> note(std::string_view name) const;
    using Visit = std::function<bool(std::string_view key, const BaseRecord& record)>;
    /// Told of a record that is not what was written, or, with no key, that the records are not as many as
    /// the base says; true: go on with the next.
    using Damaged = std::function<bool(std::string_view stored_key, const Error& error)>;
    /// Every record with a key at or after `from` in stored order until `visit` returns false. Tombstones
    /// too. Beside each record's checksum verifies its hash of a long key, and the order, and at the end of
    /// all records their number. Errors: kCorrupt (unless `damaged` says to go on), kIo.
    [[nodiscard]] Status scan(std::string_view from, const Visit& visit, const Damaged& damaged = {}) const;
    /// The same for all notes.
    [[nodiscard]] Status scan_notes(const Visit& visit, const Damaged& damaged = {}) const;
    /// Walks all keys: what is not found in this snapshot is absent only if there are as many records as the
    /// base says, for a damaged page may hide some. Errors: kCorrupt, kIo.
    [[nodiscard]] Status prove_whole() const;

   private:
    friend class Base;
    struct Impl;
    explicit Snapshot(std::unique_ptr<Impl> impl);
    [[nodiscard]] Status scan_table(bool notes, std::string_view from, const Visit& visit,
                                    const Damaged& damaged) const;
    std::unique_ptr<Impl> impl_;
  };
  [[nodiscard]] Result<Snapshot> snapshot() const;

  class Transaction;

  /// How many records there are, by what they are, counted in steps between which transactions may change
  /// them: of one commit, and what the later ones changed is added in the end. Until its last step nothing of
  /// that commit is written over, so the file grows by what is written meanwhile. Move-only; ends with its
  /// destructor.
  class Recount {
   public:
    Recount(Recount&&) noexcept;
    Recount& operator=(Recount&&) noexcept;
    ~Recount();
    /// Looks at the next `records`, or at fewer once their values came to `bytes`. True: that was the last.
    /// REQUIRES: there was no error, nor a last one. Errors: kCorrupt, kIo.
    [[nodiscard]] Result<bool> step(std::size_t records, std::uint64_t bytes);

   private:
    friend class Base;
    friend class Transaction;
    struct Impl;
    explicit Recount(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };
  /// REQUIRES: opened by open_writer(), and no transaction is under way. Errors: as snapshot().
  [[nodiscard]] Result<Recount> begin_recount();

  /// One write transaction: all of it or nothing, synced on commit. Destroyed without commit: aborted.
  /// REQUIRES: opened by open_writer(); one at a time.
  class Transaction {
   public:
    Transaction(Transaction&&) noexcept;
    Transaction& operator=(Transaction&&) noexcept;
    ~Transaction();
    /// Puts the record unless the base holds a newer version of the key (then nothing happens); counts keys
    /// and tombstones. A delete with `keep_tombstone` false removes the key instead. Sorted keys are fastest.
    /// Errors: kNoSpace (disk or map full), kUnavailable (no memory), kCorrupt (hash collision), kIo.
    [[nodiscard]] Status apply(std::string_view key, const BaseRecord& record, bool keep_tombstone);
    /// Notes live in a table of their own; the newer version wins.
    [[nodiscard]] Status apply_note(std::string_view name, const BaseRecord& record);
    struct Swept {
      std::string next;  ///< where to go on, as stored; empty: that was the end
      std::uint64_t removed = 0;
    };
    /// Removes the tombstones with an HLC value up to `up_to` among the `most` records from the stored key
    /// `from` on (empty: the first). Errors: as apply().
    [[nodiscard]] Result<Swept> sweep(std::string_view from, std::size_t most, std::uint64_t up_to);
    /// Takes what was counted for all there is. Only where it is known, on disk, that records were lost.
    /// REQUIRES: that came to its end.
    void take(const Recount& counted);
    [[nodiscard]] BaseMeta& meta();  ///< stored by commit(); keys and tombstones are kept by apply()
    /// Errors: kNoSpace (aborted, nothing changed), kIo (a failed sync: the base may no longer be trusted).
    [[nodiscard]] Status commit();

   private:
    friend class Base;
    struct Impl;
    explicit Transaction(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };
  [[nodiscard]] Result<Transaction> begin();

  /// Frees the reader slots of processes that are gone; returns how many. Errors: kIo.
  [[nodiscard]] Result<unsigned> reap_readers() const;

  /// Who looks at a commit at this moment, of all processes.
  struct Readers {
    unsigned looking = 0;
    std::uint64_t oldest_commit = 0;  ///< that anybody looks at; 0: nobody does
    std::uint64_t newest_commit = 0;
  };
  [[nodiscard]] Readers readers() const;

 private:
  struct Impl;
  explicit Base(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace minivault::store
