#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/core/error.h"

struct ZSTD_DCtx_s;

/// Values as zstd frames. Bytes come from clients and peers: every claim in them is checked before it costs
/// anything.
namespace minivault::protocol {

/// Undoes one zstd frame at a time and keeps zstd's working memory between calls: one a thread.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  /// The content of `frame`, which must be exactly one zstd frame with nothing before or after it.
  /// Never produces more than `largest` bytes, nor allocates for a size that the frame's length cannot hold.
  /// Errors: kTooLarge (content beyond `largest`), kCorrupt (not one whole, intact frame; unknown dictionary;
  /// window larger than any content allowed), kUnavailable (no memory).
  [[nodiscard]] Result<std::string> decompress(std::string_view frame, std::uint64_t largest);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

/// The size that a frame says its content has, whatever it has; 0: it does not.
[[nodiscard]] std::uint64_t stated_content_size(std::string_view frame);

/// No more than this comes out of `frame`, if it is one: what it says, or what its length can hold.
[[nodiscard]] std::uint64_t most_content_bytes(std::string_view frame);

/// As Decompressor::decompress(), with working memory of its own: for cold paths.
[[nodiscard]] Result<std::string> decompress_frame(std::string_view frame, std::uint64_t largest);

/// One zstd frame that states its content size and carries a checksum. Error: kUnavailable (no memory).
[[nodiscard]] Result<std::string> compress_frame(std::string_view content, int level = 1);

}  // namespace minivault::protocol
