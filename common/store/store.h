#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/config/config.h"
#include "common/core/error.h"
#include "common/shared/region.h"
#include "common/store/batch.h"

namespace minivault::store {

/// What a read found. The view is valid until the turn ends.
struct Found {
  bool present = false;  ///< false: never written, or deleted
  bool known = false;    ///< there is a record, of a delete perhaps: it has a version
  std::string_view value;
  std::uint8_t flags = 0;
  Version version;
  /// The answer may be sent once durable() >= this; 0: at once. An absence can have to wait too: nobody is
  /// told of a delete that a power cut can still take back.
  Lsn answer_after = 0;
};

/// A record as the log holds it, for those who follow the stream. Views are valid until the turn ends.
struct Change {
  Lsn lsn = 0;
  Lsn end = 0;
  Operation operation = Operation::kSet;
  std::uint8_t flags = 0;
  Version version;
  std::string_view key;
  std::string_view value;
};

/// The one face of the storage engine: newest values through index and base, writes through the log.
///
/// Opened after fork by a worker or replicator, after the checkpointer said ready; one thread. Holds the
/// process's LMDB environment, its mapping of the ring and its slot in shared memory. A process that dies at
/// any instruction leaves nothing to clean but its slot (common/shared/README.md).
class Store {
 public:
  /// Errors: kIo, kCorrupt, kUnavailable, each naming the file.
  [[nodiscard]] static Result<Store> open(shared::Region& region, const Config& config, unsigned slot);

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Everything read belongs to a turn: what get() and read_changes() return stays put until end_turn().
  /// A turn that lasts 2 s without end is taken for a hung process and killed (ENGINE.md rule 10), so never
  /// sleep in one. begin_turn() in a turn does nothing.
  void begin_turn();
  void end_turn();

  /// The newest value of `key`. REQUIRES: in a turn. Errors: kCorrupt, kIo, kUnavailable.
  [[nodiscard]] Result<Found> get(std::string_view key);

  static constexpr std::size_t kMostAtOnce = 32;
  /// get() of up to kMostAtOnce keys whose cache misses overlap. Returns how many were found out before an
  /// error; what the error is, get() of that key says. REQUIRES: in a turn; `found` is as long as `keys`.
  [[nodiscard]] std::size_t get_many(std::span<const std::string_view> keys, std::span<Found> found);
  /// Fetches what lookups of these keys will look at into the processor's caches. At most kMostAtOnce keys.
  /// REQUIRES: in a turn.
  void look_ahead(std::span<const std::string_view> keys) const;

  /// The newest note of that name. REQUIRES: in a turn. Errors: as get().
  [[nodiscard]] Result<Found> note(std::string_view name);

  /// Appends the batch's writes in order, as many as there is room for now; batch.settled() tells. Never
  /// blocks for room. REQUIRES: in a turn (conditions are read).
  /// OK: all are settled.
  /// kNoSpace: some are not; call again when the slot's bell rings or after a millisecond. To give up, clear
  /// the batch: what is not settled never happened. cancel_wait() must follow. kUnavailable, kIo: the node
  /// takes no writes (see failure()), or the log has no room and the disk none for a checkpoint; every
  /// unsettled write is now kFailed.
  [[nodiscard]] Status commit(Batch& batch);
  /// Leaves the queue for room.
  void cancel_wait();

  /// Everything below is on disk.
  [[nodiscard]] Lsn durable() const;
  /// Asks for the slot's bell once durable() >= `lsn`. False: it is already, no bell will ring.
  [[nodiscard]] bool ring_when_durable(Lsn lsn);

  /// Visits records from `from` up to the tail, in order, until `visit` returns false or `limit` bytes were
  /// seen. Returns where to go on. REQUIRES: in a turn. Errors: kNotFound (the ring no longer holds `from`).
  [[nodiscard]] Result<Lsn> read_changes(Lsn from, std::uint64_t limit_bytes,
                                         const std::function<bool(const Change&)>& visit);

  /// The largest value that a key of `key_size` bytes can have: the smaller of -max-value and the ring's
  /// quarter.
  [[nodiscard]] std::uint64_t largest_value(std::size_t key_size) const;

  /// Why the node takes no writes, or kNone.
  [[nodiscard]] shared::Failure failure() const;

  [[nodiscard]] shared::Region& region() const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace minivault::store
