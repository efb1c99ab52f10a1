#include "common/store/batch.h"

#include <limits>

#include "common/core/assert.h"

namespace minivault::store {

void Batch::add(const Write& write) {
  MV_ASSERT(!write.key.empty() && write.key.size() <= kLargestKey);
  MV_ASSERT(write.value.size() <= std::numeric_limits<std::uint32_t>::max());
  Entry& entry = entries_.emplace_back();
  entry.header.hlc = write.version.hlc;
  entry.header.origin = write.version.origin;
  entry.header.value_size = static_cast<std::uint32_t>(write.value.size());
  entry.header.key_size = static_cast<std::uint16_t>(write.key.size());
  entry.header.operation = write.operation;
  entry.header.flags = write.flags;
  entry.condition = write.condition;
  entry.expected = write.expected;
  entry.arena_offset = arena_.size();

  const std::uint64_t bytes = record_bytes(write.key.size(), write.value.size());
  const bool is_inline = write.value.size() <= kInlineValue;
  const std::size_t before_value = sizeof(RecordHeader) + write.key.size();
  arena_.resize(entry.arena_offset + (is_inline ? bytes : before_value));  // zeros up to the next record
  char* const to = arena_.data() + entry.arena_offset;
  write.key.copy(to + sizeof(RecordHeader), write.key.size());
  if (is_inline) {
    write.value.copy(to + before_value, write.value.size());
  } else {
    entry.outside_value = write.value.data();
  }
  log_bytes_ += bytes;
}

void Batch::clear() {
  entries_.clear();
  arena_.clear();
  log_bytes_ = 0;
  settled_ = 0;
  hashed_ = 0;
  has_failed_ = false;
}

}  // namespace minivault::store
