#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/core/error.h"

/// LMDB's file as bytes (data version 1, 64 bits), read with pread(2): its meta pages.
/// Layout by LMDB 0.9's mdb.c; unchanged since 2012.
namespace minivault::store::base {

/// All of it, or false: errno says why, or is 0 where the file ends before.
[[nodiscard]] bool read_exactly(int fd, void* to, std::size_t size, std::uint64_t offset);

/// A B+tree as a meta page describes it.
struct PageTree {
  std::uint32_t pad;
  std::uint16_t flags;
  std::uint16_t depth;
  std::uint64_t branch_pages;
  std::uint64_t leaf_pages;
  std::uint64_t overflow_pages;
  std::uint64_t entries;
  std::uint64_t root;  ///< kNoPage: empty
};

inline constexpr std::uint64_t kNoPage = ~std::uint64_t{0};

struct MetaPage {
  std::uint64_t page_number;
  std::uint16_t unused;
  std::uint16_t page_flags;
  std::uint32_t bounds;
  std::uint32_t magic;
  std::uint32_t version;
  std::uint64_t address;
  std::uint64_t map_bytes;
  PageTree free;  ///< transaction -> pages it freed; `pad` is the size of a page
  PageTree main;
  std::uint64_t last_page;
  std::uint64_t transaction;
};
static_assert(sizeof(PageTree) == 48 && sizeof(MetaPage) == 152);

/// Commit N writes meta page N % 2.
struct MetaPages {
  MetaPage first;
  MetaPage second;

  [[nodiscard]] const MetaPage& newest() const {
    return second.transaction > first.transaction ? second : first;
  }
  /// Whether two commits in a row wrote them, or a birth, which leaves both at 0. Where not, LMDB may take
  /// the one for newest by its number and then read the other.
  [[nodiscard]] bool are_in_turn() const;
};

/// Those of the open file. Errors: kCorrupt, saying what is wrong; kIo.
[[nodiscard]] Result<MetaPages> read_meta_pages(int fd, std::uint64_t file_bytes);
/// The newer of the two. Errors: as read_meta_pages().
[[nodiscard]] Result<MetaPage> read_newest_meta(int fd, std::uint64_t file_bytes);

}  // namespace minivault::store::base
