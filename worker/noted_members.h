#pragma once

#include "common/cluster/members.h"
#include "common/cluster/notes.h"
#include "common/store/store.h"

namespace minivault::worker {

/// Who belongs to the cluster as this node has noted it, durable or about to be; nobody where nothing is
/// noted yet. REQUIRES: in a turn. Errors: as Store::get(), and kCorrupt.
[[nodiscard]] inline Result<cluster::MemberSet> noted_members(store::Store& store) {
  const Result<store::Found> note = store.note(cluster::kMembersNote);
  if (!note) return tl::unexpected(note.error());
  return cluster::decode_members(note->value);
}

}  // namespace minivault::worker
