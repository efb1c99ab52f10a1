#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/cluster/message.h"
#include "common/store/store.h"

namespace minivault::replicator {

using cluster::Lsn;

/// A stretch of this node's log as it crosses the wire: one `batch` frame, shared by the peers that stand at
/// the same place. Never changes once it is made.
struct Parcel {
  Lsn from = 0;
  Lsn to = 0;
  std::size_t records = 0;
  std::uint64_t hlc = 0;  ///< every later record of this node is above it; 0: nobody can say so
  std::string frame;
  mutable std::string compressed;  ///< made when first asked for; empty where it is not worth it
  mutable bool tried_to_compress = false;
};
using ParcelPtr = std::shared_ptr<const Parcel>;

/// The frame that says where a stream begins.
[[nodiscard]] ParcelPtr make_opening(std::uint64_t epoch, Lsn at, bool jump);

/// Cuts the log into parcels and keeps the newest for the peers that come behind.
///
/// Records of other origins, and notes, are passed over. Where only these are left, the position is worth
/// sending now and then (Empty), or a node that only receives would fall off its own ring, and the
/// stable floor would stand still. Notes alone are not worth it: the receiver's note of a position would
/// cause the next one, for ever.
///
/// A parcel's word (Parcel::hlc) counts when it is handed out. Whoever has it by then may be told once more
/// by what is under way: that is the word as it was given before this node knew better, and no later one.
class Shelf {
 public:
  /// A parcel has at most about this many bytes of records, or one larger record.
  static constexpr std::size_t kParcelBytes = 256 * 1024;
  static constexpr std::size_t kKeptBytes = 16 << 20;

  Shelf(store::Store& store, cluster::NodeId origin, std::uint64_t epoch)
      : store_(&store), origin_(origin), epoch_(epoch) {}

  /// What is sent when there is no record to send.
  enum class Empty {
    kNothing,
    kIfOthers,  ///< a position, if others wrote
    kAll,       ///< a position, whatever moved the log: the last words of a node that stops
  };

  /// The parcel that begins at `from`; nullptr: there is nothing to send yet. REQUIRES: in a turn.
  /// Errors: kNotFound (the ring no longer holds it), kCorrupt.
  [[nodiscard]] Result<ParcelPtr> next(Lsn from, Empty empty);

  /// No record to send lies between `from` and this; as far as next() has looked.
  [[nodiscard]] Lsn nothing_before(Lsn from) const;

  /// The records of a parcel that a peer's answer names, in order. REQUIRES: in a turn. Errors: as next().
  using Visit = std::function<void(const store::Change& record, const cluster::Conflict& conflict)>;
  [[nodiscard]] Status visit(const Parcel& parcel, std::span<const cluster::Conflict> conflicts,
                             const Visit& visit) const;

 private:
  /// What was passed over from `from` on without finding a record to send.
  struct Stretch {
    Lsn to = 0;
    std::uint64_t hlc = 0;
    bool has_others = false;
  };

  [[nodiscard]] bool is_own(const store::Change& change) const;
  [[nodiscard]] bool vouches_at(Lsn to) const;
  [[nodiscard]] ParcelPtr kept(Lsn from);
  [[nodiscard]] ParcelPtr finish(Lsn from, const Stretch& stretch);
  void keep(const ParcelPtr& parcel);
  void drop(std::map<Lsn, ParcelPtr>::iterator parcel);

  store::Store* store_;
  cluster::NodeId origin_;
  std::uint64_t epoch_;
  cluster::BatchWriter writer_{0};
  std::map<Lsn, ParcelPtr> parcels_;   ///< by `from`
  std::weak_ptr<const Parcel> large_;  ///< one large record: as long as somebody still sends it
  std::size_t kept_bytes_ = 0;
  std::map<Lsn, Stretch> stretches_;  ///< by `from`
};

/// The parcel's frame, compressed if that is asked for and makes it clearly smaller.
[[nodiscard]] std::string_view frame_of(const Parcel& parcel, bool compressed);

}  // namespace minivault::replicator
