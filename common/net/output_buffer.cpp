#include "common/net/output_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/core/assert.h"

namespace minivault::net {

bool OutputBuffer::append(std::string_view bytes) {
  char* to = extend(bytes.size());
  if (to == nullptr) return false;
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return true;
}

bool OutputBuffer::append_borrowed(std::string_view bytes) {
  if (bytes.size() < kBorrowFrom) return append(bytes);
  borrowed_.push_back({end_, bytes.data(), bytes.size(), nullptr, 0});
  borrowed_bytes_ += bytes.size();
  return true;
}

void OutputBuffer::append_frozen(std::shared_ptr<const FrozenBytes> bytes, std::uint64_t offset,
                                 std::size_t size) {
  MV_ASSERT(size > 0 && offset <= bytes->size() && size <= bytes->size() - offset);
  borrowed_.push_back({end_, nullptr, size, std::move(bytes), offset});
  borrowed_bytes_ += size;
}

void OutputBuffer::Borrowed::skip(std::size_t count) {
  if (bytes != nullptr) bytes += count;
  offset += count;
  size -= count;
}

void OutputBuffer::hold(std::uint64_t mark) {
  if (held() && holds_.back().mark >= mark) return;
  const std::uint64_t at = end_place();
  if (held() && holds_.back().at == at) {
    holds_.back().mark = mark;
  } else {
    holds_.push_back({at, mark});
  }
}

void OutputBuffer::release(std::uint64_t reached) {
  while (held() && holds_[first_hold_].mark <= reached) ++first_hold_;
  if (!held()) {
    holds_.clear();
    first_hold_ = 0;
  }
}

void OutputBuffer::replace(std::uint64_t place, char byte) {
  MV_ASSERT(place >= gate_ && place < end_place());
  std::uint64_t at =
      begin_ + (place - sent_);  // of the copied bytes, once the lent ones before it are left out
  for (const Borrowed& borrowed : borrowed_) {
    if (at < borrowed.before) break;
    at -= borrowed.size;
  }
  storage()[at] = byte;
}

std::size_t OutputBuffer::sendable() const {
  const std::uint64_t stop = held() ? std::min(holds_[first_hold_].at, gate_) : gate_;
  return stop == kOpen ? backlog() : static_cast<std::size_t>(std::min(stop, end_place()) - sent_);
}

std::span<iovec> OutputBuffer::gather(std::span<iovec> pieces) const {
  std::size_t left = sendable();
  std::size_t count = 0;
  const auto add = [&](const char* bytes, std::size_t size) {
    size = std::min(size, left);
    if (size == 0) return;
    left -= size;
    // sendmsg only reads what an iovec points to.
    pieces[count++] = {const_cast<char*>(bytes), size};
  };
  std::size_t at = begin_;
  for (const Borrowed& borrowed : borrowed_) {
    if (count + 2 > pieces.size()) return pieces.first(count);
    add(storage() + at, borrowed.before - at);
    if (borrowed.frozen != nullptr) return pieces.first(count);
    add(borrowed.bytes, borrowed.size);
    at = borrowed.before;
  }
  if (count < pieces.size()) add(storage() + at, end_ - at);
  return pieces.first(count);
}

OutputBuffer::Frozen OutputBuffer::frozen_in_front() const {
  if (borrowed_.empty() || borrowed_.front().frozen == nullptr || borrowed_.front().before > begin_)
    return {};
  const Borrowed& front = borrowed_.front();
  return {front.frozen->fd(), front.offset, std::min(front.size, sendable())};
}

void OutputBuffer::sent(std::size_t bytes) {
  MV_ASSERT(bytes <= sendable());
  sent_ += bytes;
  std::size_t used = 0;
  for (Borrowed& borrowed : borrowed_) {
    const std::size_t copied = std::min(bytes, borrowed.before - begin_);
    begin_ += copied;
    bytes -= copied;
    const std::size_t lent = begin_ == borrowed.before ? std::min(bytes, borrowed.size) : 0;
    borrowed.skip(lent);
    borrowed_bytes_ -= lent;
    bytes -= lent;
    if (borrowed.size > 0) break;
    ++used;
  }
  borrowed_.erase(borrowed_.begin(), borrowed_.begin() + static_cast<std::ptrdiff_t>(used));
  begin_ += bytes;
}

std::size_t OutputBuffer::frozen_bytes() const {
  std::size_t bytes = 0;
  for (const Borrowed& borrowed : borrowed_) bytes += borrowed.frozen != nullptr ? borrowed.size : 0;
  return bytes;
}

bool OutputBuffer::keep() {
  const std::size_t frozen = frozen_bytes();
  if (borrowed_bytes_ == frozen) return true;
  const std::size_t needed = backlog() - frozen;
  Block whole = needed <= BlockPool::kBlockBytes ? pool_->take() : Block();
  if (!whole.reserve(needed)) return false;
  char* to = whole.data();
  const auto copy = [&to](const char* from, std::size_t size) {
    if (size > 0) std::memcpy(to, from, size);
    to += size;
  };
  std::size_t at = begin_;
  for (Borrowed& borrowed : borrowed_) {
    copy(storage() + at, borrowed.before - at);
    at = borrowed.before;
    if (borrowed.frozen == nullptr) copy(borrowed.bytes, borrowed.size);
    borrowed.before = static_cast<std::size_t>(to - whole.data());
  }
  copy(storage() + at, end_ - at);
  begin_ = 0;
  end_ = static_cast<std::size_t>(to - whole.data());
  std::erase_if(borrowed_, [](const Borrowed& borrowed) { return borrowed.frozen == nullptr; });
  borrowed_bytes_ = frozen;
  pool_->give(std::exchange(block_, std::move(whole)));
  return true;
}

void OutputBuffer::settle() {
  const std::size_t size = end_ - begin_;
  if (!borrowed_.empty()) return;
  if (size == 0) begin_ = end_ = 0;
  if (block_.capacity() > 0 && size <= kInsideBytes) {
    std::memcpy(inside_.data(), block_.data() + begin_, size);
    end_ -= std::exchange(begin_, 0);
    pool_->give(std::exchange(block_, Block()));
  }
  if (size == 0 && borrowed_.capacity() > 16) std::vector<Borrowed>().swap(borrowed_);
  if (!held() && holds_.capacity() > 16) std::vector<Hold>().swap(holds_);
}

bool OutputBuffer::make_room(std::size_t bytes) {
  const std::size_t size = end_ - begin_;
  // Borrowed pieces know their neighbours by place, so copied bytes move only while there are none.
  if (borrowed_.empty() && begin_ >= size && begin_ > 0) {
    std::memmove(storage(), storage() + begin_, size);
    end_ -= std::exchange(begin_, 0);
    if (bytes <= room()) return true;
  }
  if (block_.capacity() > 0) return block_.reserve(std::max(2 * block_.capacity(), end_ + bytes));
  Block first = pool_->take();
  if (!first.reserve(end_ + bytes)) return false;
  std::memcpy(first.data(), inside_.data(), end_);
  block_ = std::move(first);
  return true;
}

}  // namespace minivault::net
