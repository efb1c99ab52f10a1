#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "common/cluster/message.h"
#include "common/store/store.h"

namespace minivault::replicator {

using cluster::Lsn;

/// Which of this node's writes to a key is its last, also where another node's newer record hides it from
/// get(), or one of this node's own that others brought back. Looks into the log only when asked, knows
/// nothing but what is told to nobody yet, and looks at each record once: once more where a peer is in
/// conflict that stands before all that was asked of until then.
class OwnWrites {
 public:
  OwnWrites(store::Store& store, cluster::NodeId id) : store_(&store), id_(id) {}

  /// The record there is one that this node wrote before, under a new version: not a write of its own.
  void note_again(Lsn lsn) { again_.insert(lsn); }
  [[nodiscard]] bool is_again(Lsn lsn) const { return again_.contains(lsn); }
  /// The record there was beaten for good: it stands for no other write.
  void note_beaten(Lsn lsn, Lsn end) { again_.insert(lsn), beaten_ends_.insert(end); }

  /// One question looks at about so much of the log: a ring of some GB takes longer than a turn may.
  static constexpr std::uint64_t kLookBytes = 4 << 20;

  /// Where the last of this node's writes to the key since `end` ends, up to the tail; 0: there is none.
  /// REQUIRES: in a turn. Errors: kUnavailable (not now: ask again in a later turn, before one that lies
  /// behind it), kNotFound (the ring no longer holds what follows `end`), kCorrupt.
  [[nodiscard]] Result<Lsn> last_since(Lsn end, std::string_view key);
  /// Nobody asks for what lies before `told` any more.
  void forget(Lsn told);

 private:
  [[nodiscard]] Status look(Lsn from);
  void begin_at(Lsn from);

  store::Store* store_;
  cluster::NodeId id_;
  std::set<Lsn> again_;
  std::set<Lsn> beaten_ends_;
  std::map<std::string, Lsn, std::less<>> last_;  ///< by key: the end of what lies in [from_, to_)
  Lsn from_ = shared::kNoLsn;                     ///< kNoLsn: wherever it is asked from next
  Lsn to_ = shared::kNoLsn;
  Lsn forget_at_ = shared::kNoLsn;  ///< by then all that is in last_ now is told
};

}  // namespace minivault::replicator
