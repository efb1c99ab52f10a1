#pragma once

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
/// get(). Looks into the log only when asked, and at each record at most once for as long as it is asked
/// again and again; knows nothing but what is told to nobody yet.
class OwnWrites {
 public:
  OwnWrites(store::Store& store, cluster::NodeId id) : store_(&store), id_(id) {}

  /// The record there is one that this node wrote before, under a new version: not a write of its own.
  void note_again(Lsn lsn) { again_.insert(lsn); }
  [[nodiscard]] bool is_again(Lsn lsn) const { return again_.contains(lsn); }

  /// Whether this node wrote the key since, up to the tail. REQUIRES: in a turn. Errors: kNotFound (the ring
  /// no longer holds what follows `end`), kCorrupt.
  [[nodiscard]] Result<bool> wrote_since(Lsn end, std::string_view key);
  /// Nobody asks for what lies before `told` any more.
  void forget(Lsn told);

 private:
  [[nodiscard]] Status look(Lsn from);

  store::Store* store_;
  cluster::NodeId id_;
  std::set<Lsn> again_;
  std::map<std::string, Lsn, std::less<>> last_;  ///< by key: of what lies in [from_, to_)
  Lsn from_ = 0;
  Lsn to_ = 0;
  Lsn forget_at_ = 0;  ///< by then all that is in last_ now is told
};

}  // namespace minivault::replicator
