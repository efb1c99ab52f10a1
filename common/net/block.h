#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

namespace minivault::net {

/// A piece of heap memory that can grow in place. Move-only; empty until reserve() was called.
/// malloc's realloc moves the pages of a large block instead of its bytes (mremap), which is why this is not
/// a std::vector: a value of 100 MB arrives without being copied once.
class Block {
 public:
  [[nodiscard]] char* data() const { return bytes_.get(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  /// At least `capacity` bytes from now on; what was in them stays. False: no memory, nothing changed.
  [[nodiscard]] bool reserve(std::size_t capacity);

  Block() = default;
  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char[], Free> bytes_;
  std::size_t capacity_ = 0;
};

/// Blocks of one size, handed from connection to connection, so that reading and answering allocate nothing
/// in steady state and an idle connection owns none. And a few that grew larger: memory that is new costs a
/// page fault for each 4 KB, which for batches of 256 KB is a tenth of what taking them costs. One thread.
class BlockPool {
 public:
  static constexpr std::size_t kBlockBytes = 64 * 1024;
  static constexpr std::size_t kKeptBlocks = 64;
  static constexpr std::size_t kLargestKept = 1 << 20;
  static constexpr std::size_t kKeptLarge = 4;

  /// A block of kBlockBytes; empty if there is no memory.
  [[nodiscard]] Block take();
  /// One that was kept and has at least so many bytes, more than kBlockBytes; empty: there is none.
  [[nodiscard]] Block take_kept(std::size_t least);
  /// Keeps the block if it is of the pool's size, or larger but not too large, and there is room; else frees
  /// it.
  void give(Block block);

  [[nodiscard]] std::size_t kept() const { return free_.size(); }
  [[nodiscard]] std::size_t kept_large() const { return large_.size(); }

 private:
  std::vector<Block> free_;
  std::vector<Block> large_;
};

}  // namespace minivault::net
