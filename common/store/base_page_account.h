#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/core/error.h"

/// LMDB's pages have no checksums, and LMDB writes where its list of free pages tells it to. So whoever wants
/// to know whether a base is sound looks at all of them: each must be found exactly once, in a tree or on
/// that list.
namespace minivault::store::base {

struct PageAccount {
  std::uint64_t page_size = 0;
  std::uint64_t used = 0;
  std::uint64_t free = 0;
  bool is_whole = false;  ///< else nobody knows what the pages that were told about would lead to
};

struct AccountCalls {
  std::function<bool(const std::string& what)> problem;  ///< false: enough
  std::function<void(std::uint64_t pages, std::uint64_t of)> progress;
};

/// Walks every tree of the newest commit and the free list, without LMDB. Reads each page in use once, but of
/// large values only the first page's header: their bytes are for the checksums of the records. Tells each
/// problem. Pages that are not in the file are one each, unless they are free. Memory: 2 bits a page.
/// REQUIRES: nobody writes. Errors, before any problem is told: kCorrupt (no regular file, damaged meta
/// pages, more pages missing than a free list in this file can name), kIo.
[[nodiscard]] Result<PageAccount> account_for_pages(const std::string& path, const AccountCalls& calls);

}  // namespace minivault::store::base
