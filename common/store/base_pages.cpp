#include "common/store/base_pages.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

namespace minivault::store::base {
namespace {

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::uint16_t kMetaPage = 0x08;
constexpr std::uint32_t kSmallestPage = 256;
constexpr std::uint32_t kLargestPage = 32'768;
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 36;  // 256 TiB of 4 KiB pages

bool root_exists(const PageTree& tree, std::uint64_t last_page) {
  return tree.root == kNoPage || (tree.root > 1 && tree.root <= last_page);
}

Status check_meta(const MetaPage& meta, const char* which) {
  const auto damaged = [&](const std::string& what) {
    return fail(Code::kCorrupt, std::string(which) + " meta page: " + what);
  };
  if ((meta.page_flags & kMetaPage) == 0 || meta.magic != kMagic) return damaged("not an LMDB file");
  if (meta.version != kDataVersion) return damaged("LMDB data version " + std::to_string(meta.version));
  const std::uint32_t page_size = meta.free.pad;
  if (!std::has_single_bit(page_size) || page_size < kSmallestPage || page_size > kLargestPage) {
    return damaged("page size " + std::to_string(page_size));
  }
  if (meta.last_page < 1 || meta.last_page >= kMostPages) {
    return damaged("last page " + std::to_string(meta.last_page));
  }
  if (!root_exists(meta.free, meta.last_page) || !root_exists(meta.main, meta.last_page)) {
    return damaged("a tree whose root is beyond the last page");
  }
  return {};
}

}  // namespace

bool read_exactly(int fd, void* to, std::size_t size, std::uint64_t offset) {
  auto* next = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = ::pread(fd, next, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = 0;
    if (got <= 0) return false;
    next += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool MetaPages::are_in_turn() const {
  if (first.transaction == 0 && second.transaction == 0) return true;
  const auto [older, newer] = std::minmax(first.transaction, second.transaction);
  return first.transaction % 2 == 0 && newer - older == 1;
}

Result<MetaPages> read_meta_pages(int fd, std::uint64_t file_bytes) {
  MetaPages pages{};
  auto& [first, second] = pages;
  if (file_bytes < sizeof first) return fail(Code::kCorrupt, "shorter than a meta page");
  if (!read_exactly(fd, &first, sizeof first, 0)) return fail_errno("reading the first meta page", errno);
  if (auto checked = check_meta(first, "first"); !checked) return tl::unexpected(checked.error());
  const std::uint32_t page_size = first.free.pad;
  if (file_bytes < page_size + sizeof second) return fail(Code::kCorrupt, "truncated in its meta pages");
  if (!read_exactly(fd, &second, sizeof second, page_size))
    return fail_errno("reading the second meta page", errno);
  if (auto checked = check_meta(second, "second"); !checked) return tl::unexpected(checked.error());
  if (second.free.pad != page_size) return fail(Code::kCorrupt, "two meta pages with different page sizes");
  return pages;
}

Result<MetaPage> read_newest_meta(int fd, std::uint64_t file_bytes) {
  return read_meta_pages(fd, file_bytes).map([](const MetaPages& pages) { return pages.newest(); });
}

}  // namespace minivault::store::base
