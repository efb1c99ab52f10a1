#pragma once

#include <cstdint>
#include <vector>

#include "common/core/error.h"
#include "common/store/base_page_tree.h"

/// LMDB's list of the pages that it may write over: a tree of lists, one a transaction.
namespace minivault::store::base {

struct FreeList {
  std::uint64_t transaction = 0;  ///< that freed them
  std::vector<std::uint64_t> pages;
};
/// Of one entry of the tree. Whether there are such pages is for the caller to see. Errors: kCorrupt, kIo.
[[nodiscard]] Result<FreeList> free_list_of(const PageFile& file, const LeafEntry& entry);

/// The newest transaction that freed pages, by the list that a meta page leads to; 0: none has. Each from the
/// second on has, and is on its own list: it has written a page of each tree anew. Errors: kCorrupt, kIo: the
/// list cannot be read.
[[nodiscard]] Result<std::uint64_t> newest_on_free_list(int fd, const MetaPage& meta,
                                                        std::uint64_t file_bytes);

/// Whether every page from `file_bytes` to the last one is on the free list. LMDB does not write pages that a
/// transaction allocated and freed again, so such a file is shorter than its meta page says, and sound.
/// Errors: kCorrupt: the first that is wrong with the list, or how many of them it has.
[[nodiscard]] Status missing_pages_are_free(int fd, const MetaPage& meta, std::uint64_t file_bytes);

}  // namespace minivault::store::base
