#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "common/store/base.h"

/// What a node that is alone remembers of the deletes that it forgets (common/cluster/README.md, "The stable
/// floor" 8). In the base alone, in the commit that forgets them: no crash comes between.
namespace minivault::store {

/// No tombstone that was dropped alone has a larger HLC value than this note says, in digits.
inline constexpr std::string_view kLetGoNote = "let_go";

/// A node that was given a new id, and held all that the old one stamped, up to this HLC value, in digits.
[[nodiscard]] inline std::string was_note(std::uint64_t old_id) {
  return "was/" + std::to_string(old_id);
}

/// Newer than every note of this name that the base holds, for the HLC value of the commit is.
[[nodiscard]] inline Status note_in_commit(Base::Transaction& transaction, std::string_view name,
                                           std::uint64_t hlc) {
  const Version version{transaction.meta().last_hlc, std::numeric_limits<std::uint64_t>::max()};
  return transaction.apply_note(name, {Operation::kNote, 0, version, std::to_string(hlc)});
}

/// To be called in the transaction that drops them, last; `last_hlc`: the largest value stamped or seen here.
/// Beyond it by the grace, so that whoever reads the note just before a sweep ends knows of what went.
[[nodiscard]] inline Status note_let_go(Base::Transaction& transaction, std::uint64_t last_hlc) {
  transaction.meta().last_hlc = std::max(transaction.meta().last_hlc, last_hlc);
  return note_in_commit(transaction, kLetGoNote, last_hlc + kTombstoneGrace);
}

}  // namespace minivault::store
