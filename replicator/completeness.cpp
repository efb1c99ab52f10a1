#include "replicator/completeness.h"

#include <set>

namespace minivault::replicator {

bool is_filled(const Filling& filling, cluster::NodeId self, std::span<const Source> others) {
  if (filling.sources >= sources_needed(filling.members, filling.has_lost)) return true;
  std::set<cluster::NodeId> held{self};  // one node may be called under two names
  bool all_listed = true;
  bool none_complete = true;
  for (const Source& other : others) {
    none_complete = none_complete && !(other.is_member && other.complete);
    if (other.is_there && other.is_paid) {
      held.insert(other.id);
    } else {
      all_listed = false;
    }
  }
  if (held.size() <= filling.needed) return false;
  if (!none_complete) return held.size() == filling.members;
  return all_listed || filling.has_waited;
}

}  // namespace minivault::replicator
