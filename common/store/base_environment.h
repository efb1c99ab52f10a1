#pragma once

#include <lmdb.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/core/error.h"
#include "common/core/unique_fd.h"
#include "common/store/base.h"
#include "common/store/base_descent.h"
#include "common/store/base_pages.h"

namespace minivault::store::base {

/// Records by what they are, or by how many more of each there are than before.
struct Kinds {
  std::int64_t keys = 0;
  std::int64_t tombstones = 0;

  Kinds& operator+=(const Kinds& other) {
    keys += other.keys;
    tombstones += other.tombstones;
    return *this;
  }
};

enum class Access { kRead, kWrite, kOffline };  // kOffline: reads, and takes no part in locking

/// The process's LMDB environment with its three tables: owns it, tells its errors in our words, and knows
/// what of it is in use, since a map must not be enlarged under a live transaction. One thread.
class Environment {
 public:
  /// Opens the files, makes them if `access` is kWrite. Errors: as Base's opens.
  [[nodiscard]] static Result<std::shared_ptr<Environment>> open(const std::string& directory, Access access,
                                                                 std::uint64_t map_bytes);
  /// Takes away what a birth left that was cut short.
  static void remove_unfinished(const std::string& directory);
  /// For open() only: nothing is open yet.
  Environment(std::string path, Access access) : path_(std::move(path)), access_(access) {}
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() = default;

  /// `path: doing: what LMDB says`, coded by what a caller would do about it.
  [[nodiscard]] tl::unexpected<Error> failure(const char* doing, int lmdb_code) const;
  /// The same for a write that failed. LMDB says EIO when the disk took only a part, which mostly means that
  /// it is full: tells that (kNoSpace) from a disk that fails (kIo).
  [[nodiscard]] tl::unexpected<Error> write_failure(const char* doing, int lmdb_code) const;
  /// `path: doing: what`, kCorrupt.
  [[nodiscard]] tl::unexpected<Error> corrupt(const char* doing, const std::string& what) const;

  /// Runs `attempt`, which begins or renews a read transaction, and again after mending what can be mended:
  /// readers full (slots of dead processes are freed), a file that outgrew the map. Returns LMDB's code.
  [[nodiscard]] int begin_reading(const std::function<int()>& attempt);
  /// Every success of begin_reading() (or of mdb_txn_renew()) is matched by one of these.
  void reading_began() { ++readers_; }
  void reading_ended() { --readers_; }

  [[nodiscard]] MDB_env* get() const { return env_.get(); }
  [[nodiscard]] MDB_dbi data() const { return data_; }
  [[nodiscard]] MDB_dbi notes() const { return notes_; }
  [[nodiscard]] Result<BaseMeta> read_meta(MDB_txn* transaction) const;
  [[nodiscard]] Status write_meta(MDB_txn* transaction, const BaseMeta& meta) const;
  [[nodiscard]] std::uint64_t key_hash_seed() const { return key_hash_seed_; }
  [[nodiscard]] std::uint64_t map_bytes() const;
  [[nodiscard]] Result<std::uint64_t> used_bytes(MDB_txn* transaction) const;
  /// Where a Descent finds the records that a read transaction sees. False: only LMDB can, for the file's
  /// pages are larger than this machine's, or its commit is not the newest but one any more. Errors: kIo,
  /// kCorrupt.
  [[nodiscard]] Result<bool> find_records(MDB_txn* transaction, PageMap& map, PageTree& tree) const;
  [[nodiscard]] Access access() const { return access_; }

  bool writing = false;         ///< a write transaction is under way
  bool failed_to_sync = false;  ///< sticky: what the page cache shows need not be on disk
  Kinds changed;                ///< by all that was committed here, whatever the meta record says there were

 private:
  struct Close {
    void operator()(MDB_env* env) const { ::mdb_env_close(env); }
  };

  [[nodiscard]] static Status give_birth(const std::string& directory, const std::string& path,
                                         std::uint64_t map_bytes);
  [[nodiscard]] Status open_files(std::uint64_t map_bytes);
  [[nodiscard]] Status open_tables();
  [[nodiscard]] int find_tables(unsigned transaction_flags, unsigned table_flags,
                                const std::function<int(MDB_txn*)>& then);
  [[nodiscard]] Status create_tables();
  [[nodiscard]] bool enlarge_map();
  void keep_map_out_of_dumps() const;
  [[nodiscard]] bool disk_is_full() const;

  std::string path_;
  Access access_;
  std::unique_ptr<MDB_env, Close> env_;
  UniqueFd witness_;  // sees every write-back error of the file for itself: see write_failure()
  MDB_dbi data_ = 0;
  MDB_dbi meta_ = 0;
  MDB_dbi notes_ = 0;
  std::uint64_t key_hash_seed_ = 0;
  unsigned readers_ = 0;
};

[[nodiscard]] inline MDB_val to_val(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};  // LMDB reads through it only
}
[[nodiscard]] inline std::string_view to_view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

/// Ends an LMDB transaction of any kind without commit.
struct AbortTransaction {
  void operator()(MDB_txn* transaction) const { ::mdb_txn_abort(transaction); }
};
using TransactionHandle = std::unique_ptr<MDB_txn, AbortTransaction>;

/// Of a read transaction: of a write transaction LMDB frees it at its end.
struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { ::mdb_cursor_close(cursor); }
};
using CursorHandle = std::unique_ptr<MDB_cursor, CloseCursor>;

}  // namespace minivault::store::base
