#include "common/net/block.h"

#include <utility>

namespace minivault::net {

Block::Block(Block&& other) noexcept
    : bytes_(std::move(other.bytes_)), capacity_(std::exchange(other.capacity_, 0)) {}

Block& Block::operator=(Block&& other) noexcept {
  bytes_ = std::move(other.bytes_);
  capacity_ = std::exchange(other.capacity_, 0);
  return *this;
}

bool Block::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return true;
  auto* grown = static_cast<char*>(std::realloc(bytes_.get(), capacity));
  if (grown == nullptr) return false;
  // realloc has taken the old bytes; only the new address is ours.
  [[maybe_unused]] char* const old = bytes_.release();
  bytes_.reset(grown);
  capacity_ = capacity;
  return true;
}

Block BlockPool::take() {
  Block block;
  if (!free_.empty()) {
    block = std::move(free_.back());
    free_.pop_back();
  } else if (!block.reserve(kBlockBytes)) {
    return {};
  }
  return block;
}

void BlockPool::give(Block block) {
  if (block.capacity() == kBlockBytes && free_.size() < kKeptBlocks) free_.push_back(std::move(block));
}

}  // namespace minivault::net
