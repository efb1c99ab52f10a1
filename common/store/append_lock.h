#pragma once

#include "common/shared/region.h"
#include "common/store/index.h"
#include "common/store/ring.h"

namespace minivault::store {

/// Whether the record is the newest of this key: same name, and both notes or both not.
[[nodiscard]] inline bool is_record_of(const Ring& ring, Lsn lsn, std::string_view key, bool is_note) {
  RecordView record;
  return ring.view(lsn, record) && record.key == key &&
         (record.header.operation == Operation::kNote) == is_note;
}

/// Indexes and publishes the valid records from the tail on, up to `until`: slots first, then the tail, as an
/// append does. Stops early where a key finds no free slot. REQUIRES: the append lock, or nobody else alive
/// (recovery).
void roll_forward(shared::State& state, const Ring& ring, const Index& index, Lsn until);

/// Holds the append lock for its lifetime. Where the holder before died in it, what that one wrote completely
/// is rolled forward first, never reset (ENGINE.md rule 2): its bytes go in before its slots, its slots
/// before the tail, so whatever is missing can be found by scanning on from the tail.
class AppendGuard {
 public:
  AppendGuard(shared::State& state, const Ring& ring, const Index& index, unsigned slot);
  AppendGuard(const AppendGuard&) = delete;
  AppendGuard& operator=(const AppendGuard&) = delete;
  ~AppendGuard();

 private:
  shared::AppendLock& lock_;
};

}  // namespace minivault::store
