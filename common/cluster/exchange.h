#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/cluster/reconcile.h"

namespace minivault::cluster {

/// An item without its key.
struct Kept {
  store::Version version;
  store::Operation operation;
  std::uint64_t value_hash;
};
/// Items, kept beyond the call that brought them.
using Items = std::map<std::string, Kept, std::less<>>;
[[nodiscard]] Items items_of(const ItemsPage& page);
/// Only the answerer knows its order, but where a page begins the next one does not.
[[nodiscard]] inline bool leads_on(const PageRequest& asked, std::string_view next) {
  return next.empty() || next != asked.from;
}

/// Moves between the two sides of a comparison what one of them lacks, in messages that any node takes.
class Exchange {
 public:
  Exchange(Side& first, Side& second, Reconciliation& task) : first_(first), second_(second), task_(task) {}

  /// Both sides' items of the same keys: whoever has not the newest of each gets it, and ghosts are deleted.
  /// REQUIRES: a page of each at most, so that their keys are no more than a request may name.
  [[nodiscard]] Status settle(const Items& of_first, const Items& of_second);
  /// All that is asked for. REQUIRES: moves_whole(from).
  [[nodiscard]] Status move_all(Side& from, PageRequest left);
  /// What one side has and the other has nothing of needs no look at each key: no ghosts come from that side.
  [[nodiscard]] bool moves_whole(const Side& from) const { return ghosts_up_to(from) == 0; }
  [[nodiscard]] Side& other(const Side& side) const { return &side == &first_ ? second_ : first_; }
  /// Errors: kTimedOut.
  [[nodiscard]] Status may_go_on(std::string_view reached) const;
  /// Both sides have on disk what was pushed.
  [[nodiscard]] Status finish();

 private:
  using Ghosts = Side::Ghosts;

  [[nodiscard]] std::uint64_t ghosts_up_to(const Side& side) const {
    return &side == &first_ ? task_.ghosts_of_first_up_to : task_.ghosts_of_second_up_to;
  }
  [[nodiscard]] bool is_ghost(const Side& side, const Kept& kept) const {
    return kept.operation == store::Operation::kSet && kept.version.hlc <= ghosts_up_to(side);
  }
  [[nodiscard]] Status move(Side& from, std::vector<std::string> keys);
  [[nodiscard]] Status push(Side& to, const std::vector<Record>& records);
  [[nodiscard]] Status bury(Side& in, const Ghosts& ghosts);

  Side& first_;
  Side& second_;
  Reconciliation& task_;
};

}  // namespace minivault::cluster
