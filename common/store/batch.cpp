#include "common/store/batch.h"

#include <limits>

#include "common/core/assert.h"

namespace minivault::store {

void Batch::add(const Write& write) {
  MV_ASSERT(!write.key.empty() && write.key.size() <= kLargestKey);
  MV_ASSERT(write.value.size() <= std::numeric_limits<std::uint32_t>::max());
  Entry entry{};
  entry.header.hlc = write.version.hlc;
  entry.header.origin = write.version.origin;
  entry.header.value_size = static_cast<std::uint32_t>(write.value.size());
  entry.header.key_size = static_cast<std::uint16_t>(write.key.size());
  entry.header.operation = write.operation;
  entry.header.flags = write.flags;
  entry.condition = write.condition;
  entry.expected = write.expected;
  entry.arena_offset = arena_.size();

  arena_.resize(arena_.size() + sizeof(RecordHeader));
  arena_ += write.key;
  const std::uint64_t bytes = record_bytes(write.key.size(), write.value.size());
  if (write.value.size() <= kInlineValue) {
    arena_ += write.value;
    arena_.resize(entry.arena_offset + bytes);  // zeros up to the next record
  } else {
    entry.outside_value = write.value.data();
  }
  log_bytes_ += bytes;
  entries_.push_back(entry);
}

void Batch::clear() {
  entries_.clear();
  arena_.clear();
  log_bytes_ = 0;
  settled_ = 0;
  hashed_ = 0;
}

}  // namespace minivault::store
