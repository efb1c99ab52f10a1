#include "replicator/own_writes.h"

#include <cstdint>

namespace minivault::replicator {

Result<bool> OwnWrites::wrote_since(Lsn end, std::string_view key) {
  if (Status looked = look(end); !looked) return tl::unexpected(looked.error());
  const auto last = last_.find(key);
  return last != last_.end() && last->second >= end;
}

Status OwnWrites::look(Lsn from) {
  if (from < from_ || from > to_) {
    last_.clear();
    from_ = to_ = from;
  }
  const auto visit = [this](const store::Change& change) {
    const bool is_own = change.operation != store::Operation::kNote && change.version.origin == id_;
    // What others brought back was written long before, wherever it lies.
    if (!is_own || (change.flags & store::kFlagReturned) != 0 || is_again(change.lsn)) return true;
    const auto place = last_.lower_bound(change.key);
    if (place != last_.end() && place->first == change.key) {
      place->second = change.lsn;
    } else {
      last_.emplace_hint(place, change.key, change.lsn);
    }
    return true;
  };
  const Result<Lsn> read = store_->read_changes(to_, ~std::uint64_t{0}, visit);
  if (!read) return tl::unexpected(read.error());
  to_ = *read;
  return {};
}

void OwnWrites::forget(Lsn told) {
  again_.erase(again_.begin(), again_.lower_bound(told));
  if (told < forget_at_ || last_.empty()) return;
  std::erase_if(last_, [told](const auto& each) { return each.second < told; });
  forget_at_ = to_;
}

}  // namespace minivault::replicator
