#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "common/net/block.h"

namespace minivault::net {

/// Bytes that were received and not yet consumed, always contiguous, so that parsers see plain views.
///
/// Grows with what arrived, never with what a request claims: into what the pool has kept, else as far as it
/// must. Borrows the pool's block while there is
/// something to read and gives it back in settle(): an idle connection holds nothing, a started request only
/// its own size. consume() moves nothing, so views into unread() stay good until the next room() or settle().
class InputBuffer {
 public:
  /// A read is not worth its system call with less room than this, unless the block is a whole one.
  static constexpr std::size_t kLeastRoom = 4096;

  explicit InputBuffer(BlockPool& pool) : pool_(&pool) {}

  [[nodiscard]] std::string_view unread() const { return {block_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t capacity() const { return block_.capacity(); }

  /// REQUIRES: bytes <= unread().size().
  void consume(std::size_t bytes);

  /// Where the next bytes go; empty if there is no memory. A full buffer doubles, but beyond the pool's block
  /// only as far as `request_bytes`, the size of the request under way where it is known. Moves what is
  /// unread.
  [[nodiscard]] std::span<char> room(std::size_t request_bytes);
  void received(std::size_t bytes) { end_ += bytes; }

  /// Holds on to no more memory than the unread bytes need. Moves them.
  void settle();

 private:
  [[nodiscard]] bool move_to(Block block);

  BlockPool* pool_;
  Block block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace minivault::net
