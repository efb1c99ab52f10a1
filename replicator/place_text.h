#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace minivault::replicator {

/// Writes a text of a peer's place on the board, cut to its room. One writer; `texts` is odd meanwhile
/// (partners: whoever reads the text between two equal even looks at it).
template <std::size_t kSize>
void set_text(std::atomic<std::uint32_t>& texts, char (&text)[kSize], std::string_view value) {
  const std::uint32_t before = texts.load(std::memory_order_relaxed) & ~1U;
  texts.store(before + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  const std::size_t size = value.copy(text, kSize - 1);
  std::memset(text + size, 0, kSize - size);
  texts.store(before + 2, std::memory_order_release);
}

}  // namespace minivault::replicator
