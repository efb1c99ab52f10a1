#include "common/load/lane.h"

#include <cstring>

#include "common/core/assert.h"

namespace minivault::load {

std::span<char> Inbox::room_behind(std::string_view front, std::uint64_t whole) {
  const std::size_t wanted = std::max<std::uint64_t>(front.size() + kRoom / 2, whole);
  if (bytes_.size() < wanted) bytes_.resize(wanted);
  std::memcpy(bytes_.data(), front.data(), front.size());
  return std::span<char>(bytes_).subspan(front.size());
}

void Lane::play(const Tape& tape, std::size_t first, std::uint64_t limit) {
  MV_ASSERT(outstanding() == 0 && unsent_.empty());
  tape_ = &tape;
  first_ = first;
  limit_ = limit;
  sent_ = 0;
  answered_ = 0;
}

Result<std::uint64_t> Lane::send(std::uint64_t count) {
  const std::size_t from = (first_ + sent_) % tape_->size();
  const std::uint64_t now = std::min<std::uint64_t>({count, may_send(), tape_->size() - from});
  const std::string_view bytes = tape_->bytes(from, now);
  // One stretch: what waits ends where this begins, unless the tape was wound back in between.
  const bool follows = !unsent_.empty() && unsent_.data() + unsent_.size() == bytes.data();
  if (!unsent_.empty() && !follows) return std::uint64_t{0};
  unsent_ = follows ? std::string_view(unsent_.data(), unsent_.size() + bytes.size()) : bytes;
  if (const Status flushed = flush(); !flushed) return tl::unexpected(flushed.error());
  sent_ += now;
  return now;
}

Status Lane::flush() {
  if (unsent_.empty()) return {};
  const auto taken = socket_.write_some(unsent_);
  if (!taken) return tl::unexpected(taken.error());
  unsent_.remove_prefix(*taken);
  return {};
}

}  // namespace minivault::load
