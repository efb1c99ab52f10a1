#include "common/net/input_buffer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "common/core/assert.h"

namespace minivault::net {

void InputBuffer::consume(std::size_t bytes) {
  MV_ASSERT(bytes <= end_ - begin_);
  begin_ += bytes;
}

std::span<char> InputBuffer::room(std::size_t request_bytes) {
  if (begin_ > 0 && end_ > block_.capacity() / 2) {
    std::memmove(block_.data(), block_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  const bool tight = block_.capacity() < BlockPool::kBlockBytes && block_.capacity() - end_ < kLeastRoom;
  if (tight && !move_to(pool_->take())) return {};
  if (end_ == block_.capacity()) {
    const std::size_t doubled = 2 * block_.capacity();
    const bool ends_sooner = request_bytes > block_.capacity() && request_bytes < doubled;
    const std::size_t wanted = ends_sooner ? request_bytes : doubled;
    Block kept = pool_->take_kept(wanted);
    const bool grown = kept.capacity() > 0 ? move_to(std::move(kept)) : block_.reserve(wanted);
    if (!grown) return {};
  }
  return {block_.data() + end_, block_.capacity() - end_};
}

void InputBuffer::settle() {
  const std::size_t size = end_ - begin_;
  if (size == 0) {
    begin_ = end_ = 0;
    if (block_.capacity() > 0) pool_->give(std::exchange(block_, Block()));
  } else if (size <= block_.capacity() / 4) {
    Block tight;
    // Without memory for it the larger block stays: no harm but its size.
    if (tight.reserve(std::bit_ceil(size))) (void)move_to(std::move(tight));
  }
}

bool InputBuffer::move_to(Block block) {
  if (block.capacity() < end_ - begin_) return false;
  if (!empty()) std::memcpy(block.data(), block_.data() + begin_, end_ - begin_);
  end_ -= std::exchange(begin_, 0);
  pool_->give(std::exchange(block_, std::move(block)));
  return true;
}

}  // namespace minivault::net
