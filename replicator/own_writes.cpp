#include "replicator/own_writes.h"

namespace minivault::replicator {

Result<Lsn> OwnWrites::last_since(Lsn end, std::string_view key) {
  if (Status looked = look(end); !looked) return tl::unexpected(looked.error());
  const auto last = last_.find(key);
  if (last == last_.end() || last->second <= end) return 0;
  if (!beaten_ends_.contains(last->second)) return last->second;
  begin_at(shared::kNoLsn);  // what was before it is in the log alone
  return fail(Code::kUnavailable, "not now");
}

void OwnWrites::begin_at(Lsn from) {
  last_.clear();
  from_ = to_ = forget_at_ = from;
}

/// From where the last look ended, also where nobody has asked for what comes next: a peer that is behind
/// will, and if each of two that stand apart made it begin anew, it would never be done.
Status OwnWrites::look(Lsn from) {
  const shared::Watermarks& marks = store_->region().state().marks;
  if (from < from_ || to_ < marks.window.load(std::memory_order_acquire)) begin_at(from);
  const auto visit = [this](const store::Change& change) {
    const bool is_own = change.operation != store::Operation::kNote && change.version.origin == id_;
    // What others brought back was written long before, wherever it lies; what was told at once stays beaten,
    // and stands for nothing.
    if (!is_own || (change.flags & store::kFlagsDecided) != 0 || is_again(change.lsn)) return true;
    const auto place = last_.lower_bound(change.key);
    if (place != last_.end() && place->first == change.key) {
      place->second = change.end;
    } else {
      last_.emplace_hint(place, change.key, change.end);
    }
    return true;
  };
  const Lsn tail = marks.tail.load(std::memory_order_acquire);  // others go on writing behind it
  const Result<Lsn> read = store_->read_changes(to_, kLookBytes, visit);
  if (!read) return tl::unexpected(read.error());
  to_ = *read;
  if (to_ < tail) return fail(Code::kUnavailable, "not now");
  return {};
}

void OwnWrites::forget(Lsn told) {
  again_.erase(again_.begin(), again_.lower_bound(told));
  beaten_ends_.erase(beaten_ends_.begin(), beaten_ends_.upper_bound(told));
  if (told < forget_at_) return;
  if (told >= to_) return begin_at(shared::kNoLsn);
  std::erase_if(last_, [told](const auto& each) { return each.second <= told; });
  forget_at_ = to_;
}

}  // namespace minivault::replicator
