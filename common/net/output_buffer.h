#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/net/block.h"

namespace minivault::net {

/// Bytes on their way to a client, in order, some of which may not leave yet.
///
/// Small pieces are copied in; large ones are borrowed until keep() copies what is still there. A hold at a
/// place in the stream keeps everything after it back until a mark (for a store: an LSN) is reached. It is
/// the only way an answer waits: for the disk today, for a quorum as one more mark.
///
/// A few small answers fit into the object itself, so parking the answer of a single write allocates nothing.
class OutputBuffer {
 public:
  static constexpr std::size_t kInsideBytes = 192;
  /// Pieces from this size on are worth an iovec of their own instead of a copy.
  static constexpr std::size_t kBorrowFrom = 16 * 1024;

  explicit OutputBuffer(BlockPool& pool) : pool_(&pool) {}

  /// Copies the bytes in. False: no memory; the stream is broken and the connection must end.
  [[nodiscard]] bool append(std::string_view bytes);
  /// As append(), but large bytes are only looked at: they must stay put until keep() or until they are sent.
  [[nodiscard]] bool append_borrowed(std::string_view bytes);

  /// Nothing appended from now on leaves before `mark` is reached. Marks below one that already waits change
  /// nothing: what comes later leaves later.
  void hold(std::uint64_t mark);

  /// Bytes that wait, sendable or not.
  [[nodiscard]] std::size_t backlog() const { return end_ - begin_ + borrowed_bytes_; }
  [[nodiscard]] bool empty() const { return backlog() == 0; }
  [[nodiscard]] bool held() const { return first_hold_ < holds_.size(); }
  /// The mark that the next held bytes wait for. REQUIRES: held().
  [[nodiscard]] std::uint64_t next_mark() const { return holds_[first_hold_].mark; }

  /// Drops the holds that `reached` satisfies.
  void release(std::uint64_t reached);
  /// Bytes before the first hold.
  [[nodiscard]] std::size_t sendable() const;
  /// Describes the sendable bytes as far as `pieces` suffice; returns the part that was filled.
  [[nodiscard]] std::span<iovec> gather(std::span<iovec> pieces) const;
  /// The first `bytes` have left.
  void sent(std::size_t bytes);

  /// Copies what is still borrowed. False: no memory, as for append().
  [[nodiscard]] bool keep();
  /// Holds on to no more memory than the backlog needs.
  void settle();

 private:
  struct Borrowed {
    std::size_t before;  ///< the view belongs in front of this place of the copied bytes
    std::string_view bytes;
  };
  struct Hold {
    std::uint64_t at;  ///< place in the stream since its birth
    std::uint64_t mark;
  };

  [[nodiscard]] char* storage() { return block_.capacity() > 0 ? block_.data() : inside_.data(); }
  [[nodiscard]] const char* storage() const { return block_.capacity() > 0 ? block_.data() : inside_.data(); }
  [[nodiscard]] std::size_t room() const;
  [[nodiscard]] bool make_room(std::size_t bytes);

  BlockPool* pool_;
  Block block_;  ///< empty: the bytes are in inside_
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t borrowed_bytes_ = 0;
  std::uint64_t sent_ = 0;  ///< since the stream's birth
  std::vector<Borrowed> borrowed_;
  std::vector<Hold> holds_;
  std::size_t first_hold_ = 0;
  std::array<char, kInsideBytes> inside_;
};

}  // namespace minivault::net
