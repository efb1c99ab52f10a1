#include "common/net/block.h"

#include <algorithm>
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

Block BlockPool::take_kept(std::size_t least) {
  const auto fits = [least](const Block& block) { return block.capacity() >= least; };
  const auto found = std::find_if(large_.begin(), large_.end(), fits);
  if (found == large_.end()) return {};
  Block block = std::move(*found);
  large_.erase(found);
  return block;
}

void BlockPool::give(Block block) {
  const std::size_t bytes = block.capacity();
  if (bytes == kBlockBytes && free_.size() < kKeptBlocks) {
    free_.push_back(std::move(block));
  } else if (bytes > kBlockBytes && bytes <= kLargestKept && large_.size() < kKeptLarge) {
    large_.push_back(std::move(block));
  }
}

}  // namespace minivault::net
