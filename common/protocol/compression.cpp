#include "common/protocol/compression.h"

#include <zstd.h>

#include <algorithm>
#include <bit>

namespace minivault::protocol {
namespace {

/// A block of a frame has a header of 3 bytes and holds at most 128 KiB: what a frame of some length can
/// unfold to.
constexpr std::uint64_t kBlockHeadBytes = 3;
constexpr std::uint64_t kBlockContentBytes = 128 * 1024;

/// A frame's window is allocated on its word. 8 MiB is what every decoder should allow; 128 MiB is zstd's own
/// limit.
constexpr int kLeastWindowLog = 23;
constexpr int kLargestWindowLog = 27;

int window_log_for(std::uint64_t largest) {
  const auto needed = static_cast<int>(std::bit_width(std::max<std::uint64_t>(largest, 1) - 1));
  return std::clamp(needed, kLeastWindowLog, kLargestWindowLog);
}

bool begins_frame(std::string_view bytes) {
  constexpr char kMagic[] = {'\x28', '\xB5', '\x2F', '\xFD'};
  return bytes.substr(0, sizeof(kMagic)) == std::string_view(kMagic, sizeof(kMagic));
}

/// zstd counts a skippable frame as a frame; a value is never one.
Status check_one_whole_frame(std::string_view frame) {
  if (!begins_frame(frame)) return fail(Code::kCorrupt, "compressed value: not a zstd frame");
  const std::size_t size = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(size)) return fail(Code::kCorrupt, "compressed value: frame broken or cut off");
  if (size != frame.size()) return fail(Code::kCorrupt, "compressed value: bytes after the frame");
  return {};
}

std::uint64_t most_for_length(std::string_view frame) {
  return (frame.size() / kBlockHeadBytes + 1) * kBlockContentBytes;
}

tl::unexpected<Error> too_large(std::uint64_t largest) {
  return fail(Code::kTooLarge, "compressed value: content exceeds " + std::to_string(largest) + " bytes");
}

tl::unexpected<Error> corrupt(std::size_t zstd_error) {
  return fail(Code::kCorrupt, std::string("compressed value: ") + ZSTD_getErrorName(zstd_error));
}

Result<std::string> decompress_known(ZSTD_DCtx* context, std::string_view frame,
                                     std::uint64_t content_bytes) {
  if (content_bytes > most_for_length(frame))
    return fail(Code::kCorrupt, "compressed value: content size beyond what the frame can hold");
  std::string content(content_bytes, '\0');
  const std::size_t size =
      ZSTD_decompressDCtx(context, content.data(), content.size(), frame.data(), frame.size());
  if (ZSTD_isError(size)) return corrupt(size);
  if (size != content_bytes)
    return fail(Code::kCorrupt, "compressed value: content size is not what it claims");
  return content;
}

/// Grows the content block by block, and never beyond `largest`: a full output that zstd cannot finish is too
/// large.
Result<std::string> decompress_unknown(ZSTD_DCtx* context, std::string_view frame, std::uint64_t largest) {
  std::string content;
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  for (;;) {
    const std::size_t before = content.size();
    content.resize(before + std::min<std::uint64_t>(kBlockContentBytes, largest - before));
    ZSTD_outBuffer out{content.data(), content.size(), before};
    const std::size_t in_before = in.pos;
    const std::size_t left = ZSTD_decompressStream(context, &out, &in);
    if (ZSTD_isError(left)) return corrupt(left);
    content.resize(out.pos);
    if (left == 0) return content;
    const bool stuck = out.pos == before && in.pos == in_before;
    if (stuck && content.size() == largest) return too_large(largest);
    if (stuck) return fail(Code::kCorrupt, "compressed value: frame cut off");
  }
}

}  // namespace

Decompressor::Decompressor() = default;
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

void Decompressor::Free::operator()(ZSTD_DCtx_s* context) const {
  ZSTD_freeDCtx(context);
}

std::uint64_t stated_content_size(std::string_view frame) {
  const unsigned long long claim = ZSTD_getFrameContentSize(frame.data(), frame.size());
  return claim == ZSTD_CONTENTSIZE_ERROR || claim == ZSTD_CONTENTSIZE_UNKNOWN ? 0 : claim;
}

std::uint64_t most_content_bytes(std::string_view frame) {
  const std::uint64_t stated = stated_content_size(frame);
  return stated == 0 ? most_for_length(frame) : std::min(stated, most_for_length(frame));
}

Result<std::string> Decompressor::decompress(std::string_view frame, std::uint64_t largest) try {
  if (auto whole = check_one_whole_frame(frame); !whole) return tl::unexpected(whole.error());
  const unsigned long long claim = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (claim == ZSTD_CONTENTSIZE_ERROR) return fail(Code::kCorrupt, "compressed value: broken frame header");
  const bool known = claim != ZSTD_CONTENTSIZE_UNKNOWN;
  if (known && claim > largest) return too_large(largest);

  if (!context_) context_.reset(ZSTD_createDCtx());
  if (!context_) return fail(Code::kUnavailable, "compressed value: no memory to decompress");
  ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_and_parameters);
  ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, window_log_for(largest));
  if (known) return decompress_known(context_.get(), frame, claim);
  auto content = decompress_unknown(context_.get(), frame, largest);
  // The window that streaming allocated may be large: it is not kept for the next frame.
  context_.reset();
  return content;
} catch (const std::bad_alloc&) {
  return fail(Code::kUnavailable, "compressed value: no memory to decompress");
}

Result<std::string> decompress_frame(std::string_view frame, std::uint64_t largest) {
  return Decompressor().decompress(frame, largest);
}

Result<std::string> compress_frame(std::string_view content, int level) try {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (!context) return fail(Code::kUnavailable, "no memory to compress");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  const std::size_t size =
      ZSTD_compress2(context.get(), frame.data(), frame.size(), content.data(), content.size());
  if (ZSTD_isError(size))
    return fail(Code::kUnavailable, std::string("compress: ") + ZSTD_getErrorName(size));
  frame.resize(size);
  return frame;
} catch (const std::bad_alloc&) {
  return fail(Code::kUnavailable, "no memory to compress");
}

}  // namespace minivault::protocol
