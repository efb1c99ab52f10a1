#pragma once

#include <cstdint>
#include <string>

#include "common/core/error.h"

/// What is looked at before LMDB maps the file, because LMDB itself would not notice: it maps what its meta
/// pages claim, and a page that is not in the file is a SIGBUS at some later read.
namespace minivault::store::base {

enum class FileState { kAbsent, kSound };
/// Reads the meta pages and compares what they claim with the file's length. Any process, at any time.
/// Errors: kCorrupt (no file, empty, not LMDB's, damaged meta pages, truncated), kIo.
[[nodiscard]] Result<FileState> check_file(const std::string& path);

/// The largest of 1 TiB and its quarters, quarters of quarters and so on down to 1 GiB that this process has
/// address space for; 0 where there is none.
[[nodiscard]] std::uint64_t largest_map();
/// True if `bytes` of address space can be had now.
[[nodiscard]] bool address_space_for(std::uint64_t bytes);

}  // namespace minivault::store::base
