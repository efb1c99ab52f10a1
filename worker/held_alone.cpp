#include "worker/held_alone.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>

#include "common/store/let_go.h"

namespace minivault::worker {
namespace {

std::uint64_t digits_of(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

Result<std::uint64_t> HeldAlone::up_to(const store::Version& version) {
  const Result<std::uint64_t> let_go = read_let_go();
  if (!let_go || version.hlc > *let_go) return let_go ? Result<std::uint64_t>(0) : let_go;
  const Result<std::uint64_t> held = held_of(version.origin);
  return held ? std::min(*let_go, *held) : held;
}

Result<std::uint64_t> HeldAlone::read_let_go() {
  if (let_go_) return *let_go_;
  const Result<store::Found> note = store_->note(store::kLetGoNote);
  if (!note) return tl::unexpected(note.error());
  return let_go_.emplace(digits_of(note->value));
}

/// All that this node stamped itself it held. Of another origin, what its stream brought in order.
Result<std::uint64_t> HeldAlone::held_of(cluster::NodeId origin) {
  if (origin == store_->region().state().limits.node_id.load(std::memory_order_relaxed)) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  if (origin == origin_) return held_;
  const Result<store::Found> note = store_->note(cluster::position_note(origin));
  if (!note) return tl::unexpected(note.error());
  std::uint64_t held = 0;
  if (!note->value.empty()) {
    const Result<cluster::Position> position = cluster::decode_position(note->value);
    if (!position) return tl::unexpected(position.error());
    held = position->hlc;
  }
  const Result<store::Found> was = store_->note(store::was_note(origin));
  if (!was) return tl::unexpected(was.error());
  origin_ = origin;
  return held_ = std::max(held, digits_of(was->value));
}

}  // namespace minivault::worker
