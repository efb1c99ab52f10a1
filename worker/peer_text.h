#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <string>

#include "common/shared/cluster_board.h"

namespace minivault::worker {

/// A text of a peer's place on the board, whole: looked at again while its writer is at work; empty if that
/// never ends. Partner: whoever makes `texts` odd, writes and makes it even.
template <std::size_t kSize>
[[nodiscard]] std::string read_text(const shared::PeerPlace& peer, const char (&text)[kSize]) {
  constexpr int kTries = 1000;
  for (int i = 0; i < kTries; ++i) {
    const std::uint32_t before = peer.texts.load(std::memory_order_acquire);
    char copy[kSize];
    std::memcpy(copy, text, kSize);
    std::atomic_thread_fence(std::memory_order_acquire);
    const bool whole = before % 2 == 0 && before == peer.texts.load(std::memory_order_relaxed);
    if (whole) return {copy, ::strnlen(copy, kSize)};
  }
  return {};
}

}  // namespace minivault::worker
