#include "common/store/base_pages.h"

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace minivault::store::base {
namespace {

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::uint16_t kBranchPage = 0x01;
constexpr std::uint16_t kLeafPage = 0x02;
constexpr std::uint16_t kMetaPage = 0x08;
constexpr std::uint16_t kValueInOverflow = 0x01;
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kNodeHeader = 8;
constexpr std::uint32_t kSmallestPage = 256;
constexpr std::uint32_t kLargestPage = 32'768;
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 36;  // 256 TiB of 4 KiB pages
constexpr unsigned kDeepestTree = 32;

bool read_exactly(int fd, void* to, std::size_t size, std::uint64_t offset) {
  auto* next = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = ::pread(fd, next, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    next += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

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

/// Counts the pages in a range that are on the free list. Trusts nothing it reads; gives up on nonsense.
class FreeListWalk {
 public:
  FreeListWalk(int fd, std::uint32_t page_size, std::uint64_t file_bytes)
      : fd_(fd), page_size_(page_size), file_bytes_(file_bytes), pages_left_(file_bytes / page_size) {}

  /// nullopt: the list itself cannot be read.
  std::optional<std::uint64_t> count_from(const PageTree& list, std::uint64_t first_page) {
    first_page_ = first_page;
    if (list.root != kNoPage && !visit(list.root, 0)) return std::nullopt;
    return found_;
  }

 private:
  struct Node {
    std::uint16_t low;
    std::uint16_t high;
    std::uint16_t flags;
    std::uint16_t key_bytes;
  };
  static_assert(sizeof(Node) == kNodeHeader);

  bool visit(std::uint64_t number, unsigned depth) {
    if (depth > kDeepestTree || pages_left_-- == 0 || number >= file_bytes_ / page_size_) return false;
    std::vector<char> page(page_size_);
    if (!read_exactly(fd_, page.data(), page.size(), number * page_size_)) return false;
    const auto flags = load<std::uint16_t>(page, 10);
    const auto lower = load<std::uint16_t>(page, 12);
    if ((flags & (kBranchPage | kLeafPage)) == 0 || lower < kPageHeader || lower > page_size_) return false;
    for (std::size_t slot = kPageHeader; slot + 2 <= lower; slot += 2) {
      const auto at = load<std::uint16_t>(page, slot);
      if (at + kNodeHeader > page_size_) return false;
      const auto node = load<Node>(page, at);
      const std::uint64_t low_and_high = node.low | static_cast<std::uint64_t>(node.high) << 16U;
      const bool read = (flags & kBranchPage) != 0
                            ? visit(low_and_high | static_cast<std::uint64_t>(node.flags) << 32U, depth + 1)
                            : count_leaf(page, at, node, low_and_high);
      if (!read) return false;
    }
    return true;
  }

  bool count_leaf(const std::vector<char>& page, std::size_t at, const Node& node,
                  std::uint64_t value_bytes) {
    const std::size_t value_at = at + kNodeHeader + node.key_bytes;
    std::uint64_t offset_in_file = 0;
    if ((node.flags & kValueInOverflow) == 0) {
      return value_at + value_bytes <= page_size_ && count_list(page.data() + value_at, value_bytes);
    }
    if (value_at + sizeof offset_in_file > page_size_) return false;
    const auto overflow_page = load<std::uint64_t>(page, value_at);
    if (overflow_page >= file_bytes_ / page_size_) return false;
    offset_in_file = overflow_page * page_size_ + kPageHeader;
    if (value_bytes > file_bytes_ - offset_in_file) return false;
    std::vector<char> list(value_bytes);
    return read_exactly(fd_, list.data(), list.size(), offset_in_file) &&
           count_list(list.data(), list.size());
  }

  /// A list is its length, then as many page numbers.
  bool count_list(const char* list, std::uint64_t bytes) {
    std::uint64_t length = 0;
    if (bytes < sizeof length) return false;
    std::memcpy(&length, list, sizeof length);
    if (length > bytes / sizeof length - 1) return false;
    for (std::uint64_t i = 1; i <= length; ++i) {
      std::uint64_t number = 0;
      std::memcpy(&number, list + i * sizeof number, sizeof number);
      if (number >= first_page_) ++found_;
    }
    return true;
  }

  template <typename T>
  static T load(const std::vector<char>& page, std::size_t at) {
    T value;
    std::memcpy(&value, page.data() + at, sizeof value);
    return value;
  }

  int fd_;
  std::uint64_t page_size_;
  std::uint64_t file_bytes_;
  std::uint64_t pages_left_;  // a damaged tree may hold a circle
  std::uint64_t first_page_ = 0;
  std::uint64_t found_ = 0;
};

}  // namespace

Result<MetaPage> read_newest_meta(int fd, std::uint64_t file_bytes) {
  MetaPage first{};
  MetaPage second{};
  if (file_bytes < sizeof first) return fail(Code::kCorrupt, "shorter than a meta page");
  if (!read_exactly(fd, &first, sizeof first, 0)) return fail_errno("reading the first meta page", errno);
  if (auto checked = check_meta(first, "first"); !checked) return tl::unexpected(checked.error());
  const std::uint32_t page_size = first.free.pad;
  if (file_bytes < page_size + sizeof second) return fail(Code::kCorrupt, "truncated in its meta pages");
  if (!read_exactly(fd, &second, sizeof second, page_size))
    return fail_errno("reading the second meta page", errno);
  if (auto checked = check_meta(second, "second"); !checked) return tl::unexpected(checked.error());
  if (second.free.pad != page_size) return fail(Code::kCorrupt, "two meta pages with different page sizes");
  return second.transaction > first.transaction ? second : first;
}

bool missing_pages_are_free(int fd, const MetaPage& meta, std::uint64_t file_bytes) {
  const std::uint64_t pages_in_file = file_bytes / meta.free.pad;
  FreeListWalk walk(fd, meta.free.pad, file_bytes);
  const auto found = walk.count_from(meta.free, pages_in_file);
  return found && *found == meta.last_page + 1 - pages_in_file;
}

}  // namespace minivault::store::base
