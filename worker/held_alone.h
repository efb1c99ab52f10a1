#pragma once

#include <cstdint>
#include <optional>

#include "common/cluster/notes.h"
#include "common/store/store.h"

namespace minivault::worker {

/// Which records of others this node has held, and may have deleted since while it was alone, when it forgot
/// deletes at once (common/cluster/README.md, "The stable floor" 8). For one turn; costs one look at a note
/// where the node was never alone, or the records are newer.
class HeldAlone {
 public:
  explicit HeldAlone(store::Store& store) : store_(&store) {}

  /// A record of that version whose key is absent here is a ghost if this is not below its HLC value; 0:
  /// nothing is known. REQUIRES: in a turn. Errors: as Store::note(), kCorrupt.
  [[nodiscard]] Result<std::uint64_t> up_to(const store::Version& version);

 private:
  [[nodiscard]] Result<std::uint64_t> read_let_go();
  [[nodiscard]] Result<std::uint64_t> held_of(cluster::NodeId origin);

  store::Store* store_;
  std::optional<std::uint64_t> let_go_;
  cluster::NodeId origin_ = 0;  ///< the last one that was asked about
  std::uint64_t held_ = 0;
};

}  // namespace minivault::worker
