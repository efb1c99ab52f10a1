#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "common/core/assert.h"
#include "common/net/block.h"
#include "common/net/frozen_bytes.h"

namespace minivault::net {

/// Bytes on their way to a client, in order, some of which may not leave yet.
///
/// Small pieces are copied in; large ones are borrowed until keep() copies what is still there, or frozen
/// elsewhere and only named. A hold at a
/// place in the stream keeps everything after it back until a mark (for a store: an LSN) is reached: so an
/// answer waits for the disk. A gate keeps everything from a place on back until its owner moves it: so an
/// answer waits for what has another outcome than yes, and can still be changed.
///
/// A few small answers fit into the object itself, so parking the answer of a single write allocates nothing.
class OutputBuffer {
 public:
  static constexpr std::size_t kInsideBytes = 192;
  /// Pieces from this size on are worth an iovec of their own instead of a copy.
  static constexpr std::size_t kBorrowFrom = 16 * 1024;

  explicit OutputBuffer(BlockPool& pool) : pool_(&pool) {}

  /// Room for that many more bytes, which the caller fills in at once. nullptr: no memory; the stream is
  /// broken and the connection must end.
  [[nodiscard]] char* extend(std::size_t bytes) {
    if (bytes > room() && !make_room(bytes)) return nullptr;
    return storage() + std::exchange(end_, end_ + bytes);
  }
  /// Copies the bytes in. False: no memory, as for extend().
  [[nodiscard]] bool append(std::string_view bytes);
  /// As append(), but large bytes are only looked at: they must stay put until keep() or until they are sent.
  [[nodiscard]] bool append_borrowed(std::string_view bytes);
  /// `size` bytes from `offset` on, kept until they have left. REQUIRES: they are in it, and not none.
  void append_frozen(std::shared_ptr<const FrozenBytes> bytes, std::uint64_t offset, std::size_t size);

  /// Nothing appended from now on leaves before `mark` is reached. Marks below one that already waits change
  /// nothing: what comes later leaves later.
  void hold(std::uint64_t mark);

  /// Nothing from `place` of the stream on leaves before the gate is set elsewhere; kOpen: everything may.
  void set_gate(std::uint64_t place) { gate_ = place; }
  static constexpr std::uint64_t kOpen = std::numeric_limits<std::uint64_t>::max();
  /// The place in the stream, since its birth, of what is appended next.
  [[nodiscard]] std::uint64_t end_place() const { return sent_ + backlog(); }
  /// Changes a byte that was copied in. REQUIRES: a gate has kept it here since.
  void replace(std::uint64_t place, char byte);

  /// Bytes that wait, sendable or not.
  [[nodiscard]] std::size_t backlog() const { return end_ - begin_ + borrowed_bytes_; }
  [[nodiscard]] bool empty() const { return backlog() == 0; }
  [[nodiscard]] bool held() const { return first_hold_ < holds_.size(); }
  /// The mark that the next held bytes wait for. REQUIRES: held().
  [[nodiscard]] std::uint64_t next_mark() const {
    MV_ASSERT(held());
    return holds_[first_hold_].mark;
  }

  /// Drops the holds that `reached` satisfies.
  void release(std::uint64_t reached);
  /// Bytes before the first hold and the gate.
  [[nodiscard]] std::size_t sendable() const;
  /// Describes the sendable bytes in memory, as far as `pieces` suffice and up to the first that are frozen;
  /// returns the part that was filled.
  [[nodiscard]] std::span<iovec> gather(std::span<iovec> pieces) const;
  /// The sendable bytes in front, if they are frozen; size 0: they are not.
  struct Frozen {
    int fd;
    std::uint64_t offset;
    std::size_t size;
  };
  [[nodiscard]] Frozen frozen_in_front() const;
  /// Copied bytes come behind the last frozen ones.
  [[nodiscard]] bool ends_behind_frozen() const {
    return !borrowed_.empty() && borrowed_.back().frozen != nullptr && end_ > borrowed_.back().before;
  }
  /// The first `bytes` have left.
  void sent(std::size_t bytes);

  /// Copies what is still borrowed. False: no memory, as for append().
  [[nodiscard]] bool keep();
  /// Holds on to no more memory than the backlog needs.
  void settle();

 private:
  struct Borrowed {
    std::size_t before;  ///< the bytes belong in front of this place of the copied ones
    const char* bytes;   ///< nullptr: frozen
    std::size_t size;
    std::shared_ptr<const FrozenBytes> frozen;
    std::uint64_t offset;  ///< in `frozen`
    void skip(std::size_t count);
  };
  struct Hold {
    std::uint64_t at;  ///< place in the stream since its birth
    std::uint64_t mark;
  };

  [[nodiscard]] char* storage() { return block_.capacity() > 0 ? block_.data() : inside_.data(); }
  [[nodiscard]] const char* storage() const { return block_.capacity() > 0 ? block_.data() : inside_.data(); }
  [[nodiscard]] std::size_t room() const {
    return (block_.capacity() > 0 ? block_.capacity() : kInsideBytes) - end_;
  }
  [[nodiscard]] bool make_room(std::size_t bytes);
  [[nodiscard]] std::size_t frozen_bytes() const;

  BlockPool* pool_;
  Block block_;  ///< empty: the bytes are in inside_
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t borrowed_bytes_ = 0;
  std::uint64_t sent_ = 0;  ///< since the stream's birth
  std::uint64_t gate_ = kOpen;
  std::vector<Borrowed> borrowed_;
  std::vector<Hold> holds_;
  std::size_t first_hold_ = 0;
  std::array<char, kInsideBytes> inside_;
};

}  // namespace minivault::net
